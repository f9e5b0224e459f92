"""`parastitch evaluate` shows a result again only where a run would end in the same way now."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.command.interruption import Interrupted
from apps.evaluation import comparison, digests, methods, scoring
from apps.evaluation.comparison import compare_methods
from apps.evaluation.digests import MEASURING
from apps.evaluation.measures.panorama import PanoramaMeasures
from apps.evaluation.method_run import Limits
from apps.evaluation.methods import StitchMethod, find_methods
from apps.evaluation.scoring import Row
from apps.evaluation.timed_process import ProcessCost
from apps.pair_folders import find_pairs
from stitching.errors import InputError

# Copies the reference as the panorama, and ends with an exit code; logs that it ran.
_COPY = """
import pathlib, shutil, sys
reference, target, folder = map(pathlib.Path, sys.argv[1:4])
shutil.copy(reference, folder / "pano.png")
with open(reference.parent / "runs.txt", "a") as runs:
    runs.write("+")
"""


def _method(code: str = _COPY) -> StitchMethod:
    def command(reference: Path, target: Path, folder: Path) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", code, str(reference), str(target), str(folder)]

    return StitchMethod("copy", command)


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The folder of the pair "a"."""
    folder = tmp_path / "pairs" / "a"
    folder.mkdir(parents=True)
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(folder / name), np.full((40, 50, 3), 90, np.uint8))
    return folder


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each panorama that was measured, of all that is quick to measure."""
    found: list[int] = []

    def measure(*_: object) -> PanoramaMeasures:
        found.append(len(found))
        return PanoramaMeasures(width=len(found))

    monkeypatch.setattr(comparison, "prepare_pair", lambda files: None)
    monkeypatch.setattr(scoring, "measure_panorama", measure)
    return found


@pytest.fixture
def evaluate(pair: Path, measured: list[int]) -> Callable[..., Row]:
    """Evaluates one method on the pair."""

    def evaluated(method: StitchMethod, threads: int = 1, timeout: float = 60.0) -> Row:
        pairs = find_pairs(pair.parent)
        (row,) = compare_methods(pairs, [method], pair.parent.parent / "out", Limits(threads, timeout), False)
        return row

    return evaluated


def _runs(pair: Path) -> int:
    return len((pair / "runs.txt").read_text())


def test_what_would_end_in_the_same_way_is_kept(
    pair: Path, evaluate: Callable[..., Row], measured: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluate(_method())
    assert capsys.readouterr().err.splitlines() == ["[1/1] a copy: run"]
    assert evaluate(_method()) == first
    assert capsys.readouterr().err.splitlines() == ["[1/1] a copy: kept"]
    assert (_runs(pair), len(measured)) == (1, 1)


def test_every_change_of_what_decides_a_result_is_noticed(
    pair: Path, evaluate: Callable[..., Row], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"weights": "old"}
    method = replace(_method(), facts=facts.copy)
    evaluate(method)
    cv2.imwrite(str(pair / "2.png"), np.full((40, 50, 3), 91, np.uint8))
    evaluate(method)
    assert "changed: pictures" in capsys.readouterr().err
    method = replace(method, facts=lambda: {"weights": "new"})
    evaluate(method)
    assert "changed: weights" in capsys.readouterr().err
    method = replace(method, command=_method(_COPY + "#").command)
    evaluate(method)
    assert "changed: command" in capsys.readouterr().err
    monkeypatch.setenv("OPENCV_OPENCL_RUNTIME", "disabled")
    evaluate(method)
    assert "changed: threads or environment" in capsys.readouterr().err
    evaluate(method, threads=2)
    assert "changed: threads or environment" in capsys.readouterr().err
    evaluate(method, threads=2, timeout=1e3)
    assert "kept" in capsys.readouterr().err
    assert _runs(pair) == 6


def test_the_code_of_the_stitcher_decides_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "stitcher.py"
    monkeypatch.setattr(methods, "STITCHER", (code,))
    (classical,) = find_methods(["classical"], None)
    code.write_text("x = 1")
    before = classical.facts()
    code.write_text("x = 2")
    changed = {name for name, value in classical.facts().items() if value != before[name]}
    assert changed == {"program"}
    monkeypatch.setattr(digests, "version", lambda package: "99")
    changed = {name for name, value in classical.facts().items() if value != before[name]}
    assert changed == {"program", "libraries"}


@pytest.mark.parametrize(
    ("end", "timeout", "runs"),
    [
        ("import time; time.sleep(9)", 0.3, 2),
        ("import os; os.kill(os.getpid(), 11)", 60, 2),
        ("sys.exit(1)", 60, 2),  # of our own: memory, disk
        ("sys.exit(2)", 60, 1),  # refused, and always will be
    ],
)
def test_what_time_memory_or_a_signal_ended_is_run_again(
    pair: Path, evaluate: Callable[..., Row], end: str, timeout: float, runs: int
) -> None:
    (own,) = find_methods(["classical"], None)
    method = replace(_method(f"{_COPY}\n{end}"), passing_failures=own.passing_failures)
    for _ in range(2):
        assert not evaluate(method, timeout=timeout)["ok"]
    assert _runs(pair) == runs


def test_a_run_that_is_interrupted_leaves_nothing(
    pair: Path, evaluate: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> ProcessCost:
        raise Interrupted(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("apps.evaluation.method_run.run_timed", interrupt)
        with pytest.raises(Interrupted):
            evaluate(_method())
    assert list((pair.parent.parent / "out" / "a").iterdir()) == []
    assert evaluate(_method())["ok"]


def test_a_run_that_took_longer_than_it_may_now_is_run_again(pair: Path, evaluate: Callable[..., Row]) -> None:
    method = _method(f"{_COPY}\nimport time; time.sleep(.4)")
    assert evaluate(method)["ok"]
    row = evaluate(method, timeout=0.3)
    assert row["reason"] == "run: took longer than 0.3 s"


def test_a_result_of_weights_that_changed_during_the_run_is_not_kept(pair: Path, evaluate: Callable[..., Row]) -> None:
    hashes = iter("abbb")
    method = replace(_method(), facts=lambda: {"weights": next(hashes)})
    for _ in range(2):
        evaluate(method)
    assert _runs(pair) == 2


def test_results_of_an_earlier_version_are_made_again(pair: Path, evaluate: Callable[..., Row]) -> None:
    evaluate(_method())
    status = pair.parent.parent / "out" / "a" / "copy" / "status.json"
    found = json.loads(status.read_text())
    del found["facts"]
    status.write_text(json.dumps(found | {"inputs": "0123", "threads": 1}))
    status.with_name("measures.json").write_text('{"good": true}')
    assert evaluate(_method())["ok"]
    assert _runs(pair) == 2


def test_a_pipe_in_the_place_of_measures_is_not_waited_for(pair: Path, evaluate: Callable[..., Row]) -> None:
    evaluate(_method())
    measures = pair.parent.parent / "out" / "a" / "copy" / "measures.json"
    measures.unlink()
    os.mkfifo(measures)
    assert evaluate(_method())["ok"]
    assert _runs(pair) == 1


def test_a_pipe_in_the_place_of_a_status_is_not_waited_for(pair: Path, evaluate: Callable[..., Row]) -> None:
    evaluate(_method())
    status = pair.parent.parent / "out" / "a" / "copy" / "status.json"
    status.unlink()
    os.mkfifo(status)
    with pytest.raises(InputError, match="holds no run"):
        evaluate(_method())


def test_other_measures_or_another_truth_are_measured_and_not_run_again(
    pair: Path, evaluate: Callable[..., Row], measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(_method())
    np.savez(pair / "matches.npz", xy1=np.zeros((1, 2)), xy2=np.zeros((1, 2)))
    assert evaluate(_method())["width"] == 2
    code = tmp_path / "measures.py"
    code.write_text("x = 1")
    monkeypatch.setattr(scoring, "MEASURING", (*MEASURING, code))
    assert evaluate(_method())["width"] == 3
    assert evaluate(_method())["width"] == 3
    assert _runs(pair) == 1


def test_a_pair_that_cannot_be_read_is_no_failure_of_a_method(
    pair: Path, evaluate: Callable[..., Row], capsys: pytest.CaptureFixture[str]
) -> None:
    content = (pair / "2.png").read_bytes()
    (pair / "2.png").write_bytes(content[: len(content) // 2])
    row = evaluate(_method())
    assert (row["pair"], row["method"], row["ok"]) == ("a", None, False)
    assert str(row["reason"]).startswith("bad pair: ")
    assert str(pair / "2.png") in str(row["reason"])
    assert "bad pair, left out" in capsys.readouterr().err
    assert not (pair / "runs.txt").exists()


@pytest.mark.parametrize("name", ["gt.npz", "matches.npz"])
def test_damaged_ground_truth_is_no_failure_of_a_method(
    pair: Path, evaluate: Callable[..., Row], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (pair / name).write_bytes(b"PK\3\4 cut short")
    row = evaluate(_method())
    assert (row["pair"], row["method"], row["ok"]) == ("a", None, False)
    assert str(row["reason"]).startswith(f"bad pair: {pair / name}: ")
    assert "bad pair, left out" in capsys.readouterr().err
    assert not (pair / "runs.txt").exists()


@pytest.mark.parametrize("name", ["pano.png", "map.npz", "warp1.png", "mask1.png"])
@pytest.mark.parametrize("change", ["cut", "other bytes", "removed", "a pipe"])
def test_a_result_whose_outputs_changed_is_made_again(
    pair: Path,
    evaluate: Callable[..., Row],
    measured: list[int],
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: str,
) -> None:
    method = _method(f"{_COPY}\nshutil.copy(reference, folder / {name!r})")
    evaluate(method)
    output = pair.parent.parent / "out" / "a" / "copy" / name
    made = output.read_bytes()
    if change in ("removed", "a pipe"):
        output.unlink()
    if change == "a pipe":
        os.mkfifo(output)
    if change == "cut":
        output.write_bytes(made[: len(made) // 2])
    if change == "other bytes":
        output.write_bytes(made[:-40] + bytes(byte ^ 255 for byte in made[-40:]))
    evaluate(method)
    assert "changed: outputs" in capsys.readouterr().err
    assert output.read_bytes() == made
    evaluate(method)
    assert (_runs(pair), len(measured)) == (2, 2)


@pytest.mark.parametrize("name", ["status.json", "measures.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"seconds": ', '"seconds": "long", "was": ').replace('"good": ', '"bad": '),
        lambda text: "[" * 100_000,
        lambda text: "[]",
        lambda text: '{"measures": [], "facts": {}}',
    ],
)
def test_a_kept_file_that_is_damaged_is_refused_or_made_again(
    pair: Path, evaluate: Callable[..., Row], name: str, damage: Callable[[str], str]
) -> None:
    first = evaluate(_method())
    kept = pair.parent.parent / "out" / "a" / "copy" / name
    kept.write_text(damage(kept.read_text()))
    if name == "status.json":
        with pytest.raises(InputError, match="holds no run"):
            evaluate(_method())
    else:
        row = evaluate(_method())
        assert (row["ok"], row["good"]) == (first["ok"], first["good"])
