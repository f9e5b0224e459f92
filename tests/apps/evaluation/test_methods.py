"""The methods of `parastitch evaluate`: the commands that they run, and their documentation."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from apps.evaluation.methods import NAMES, find_methods
from stitching.errors import InputError
from stitching.network.runtime.checked_file import SHIPPED

DOCUMENT = Path(__file__).parents[3] / "docs" / "evaluate.md"


def test_every_method_is_documented_with_the_options_that_it_runs(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    (section,) = re.findall(r"^## Methods\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\| (`.*?) \| (.*)", section, re.MULTILINE)
    rows = {name: what for names, what in lines for name in re.findall(r"`(.*?)`", names)}
    assert {*rows} == {*NAMES}
    for name, documented in rows.items():
        if "parastitch stitch" in documented and ":MODEL" not in name:
            (method,) = find_methods([name.removesuffix("[:WEIGHTS]")], None)
            run = " ".join(method.command(tmp_path / "1.png", tmp_path / "2.png", tmp_path))
            for option in re.findall(r"--(?:warp|blend) [\w-]+", documented):
                assert option in run, name


def test_weights_reach_the_command_and_are_told_apart(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "mine")
    names = [f"{kind}:{tmp_path / 'mine'}" for kind in ("matches", "pwm", "sigmo")]
    methods = find_methods([*names, *names, "matches"], None)
    assert [method.name for method in methods] == [*names, "matches"]
    matches, pwm, sigmo = (method.command(tmp_path, tmp_path, tmp_path) for method in methods[:3])
    assert matches[matches.index("--warp") + 1] == names[0]
    assert pwm[pwm.index("--warp") + 1] == names[1]
    assert sigmo[sigmo.index("--blend") + 1] == f"network:{tmp_path / 'mine'}"
    assert len({method.folder for method in methods}) == 4
    assert not any("/" in method.folder for method in methods)
    before = [method.facts()["weights"] for method in methods]
    with (tmp_path / "mine" / "matching.onnx").open("ab") as file:
        file.write(b"more")
    after = [method.facts()["weights"] for method in methods]
    assert [a == b for a, b in zip(after, before, strict=True)] == [False, False, False, True]


@pytest.mark.parametrize(
    "name", ["matches:nowhere", "pwm:nowhere", "sigmo:nowhere", "planar:", "sigmo+dis", "hugin+dis"]
)
def test_methods_that_cannot_run_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        find_methods([name], None)


def test_environment_without_the_package_of_openstitching_is_noticed() -> None:
    for python in (sys.executable, "/nowhere/python"):  # this one's package `stitching` has no module cli
        (method,) = find_methods(["openstitching"], python)
        assert python in method.missing
