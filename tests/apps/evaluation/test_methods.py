"""The methods of `parastitch evaluate`: the commands that they run, and their documentation."""

import re
import sys
from pathlib import Path

from apps.evaluation.methods import NAMES, find_methods

DOCUMENT = Path(__file__).parents[3] / "docs" / "evaluate.md"


def test_every_method_is_documented_with_the_options_that_it_runs(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    (section,) = re.findall(r"^## Methods\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^\| (`.*?) \| (.*)", section, re.MULTILINE)
    rows = {name: what for names, what in lines for name in re.findall(r"`([\w-]+)`", names)}
    assert {*rows} == {*NAMES}
    for name in ("auto", "classical", "matches", "sigmo", "homography"):
        (method,) = find_methods([name], None)
        run = method.command(tmp_path / "1.png", tmp_path / "2.png", tmp_path)
        assert "stitch" in run
        documented = re.findall(r"--(?:warp|blend) \S+", rows[name].replace("`", " "))
        assert documented == re.findall(r"--(?:warp|blend) \S+", " ".join(run)), name


def test_environment_without_the_package_of_openstitching_is_noticed() -> None:
    for python in (sys.executable, "/nowhere/python"):  # this one's package `stitching` has no module cli
        (method,) = find_methods(["openstitching"], python)
        assert python in method.missing
