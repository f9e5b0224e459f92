"""`parastitch evaluate` on small folders of pairs, with OpenCV's stitcher and with scripts as methods."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import coffee

from apps import evaluate as command
from apps.cli import main
from apps.evaluate import evaluate_command
from apps.evaluation import comparison, scoring
from apps.evaluation.measures.panorama import PanoramaMeasures
from apps.evaluation.methods import NAMES, StitchMethod
from apps.evaluation.programs import extra_warp
from stitching.errors import InputError
from stitching.geometry.pixel_maps import Field, forward_map, inside
from stitching.io.warp_file import WarpField, load_warp, save_warp
from stitching.warping.estimators.registry import ESTIMATORS

# A method: copies the true panorama, `scene.png` beside the pairs, and logs that it ran.
_COPY_SCENE = """
import pathlib, shutil, sys
reference, target, folder = map(pathlib.Path, sys.argv[1:])
top = reference.parent.parent
shutil.copy(top / "scene.png", folder / "pano.png")
for map_file in top.glob("*.npz"):
    shutil.copy(map_file, folder / map_file.name)
with open(top / "runs.txt", "a") as runs:
    runs.write(reference.parent.name + " ")
"""


def _method(name: str, code: str, collect: Callable[[Path], None] | None = None) -> StitchMethod:
    def run(reference: Path, target: Path, folder: Path) -> list[str]:
        return [sys.executable, "-c", code, str(reference), str(target), str(folder)]

    return StitchMethod(name, run, collect=collect)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes `evaluate` run these methods."""
    return lambda *methods: monkeypatch.setattr(command, "find_methods", lambda *_: list(methods))


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Panoramas are not measured, which takes most of the time."""
    monkeypatch.setattr(comparison, "prepare_pair", lambda files: None)
    monkeypatch.setattr(scoring, "measure_panorama", lambda *_: PanoramaMeasures())


@pytest.fixture(scope="module")
def scene() -> NDArray[np.uint8]:
    return cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (480, 320), interpolation=cv2.INTER_AREA)


@pytest.fixture
def folder(tmp_path: Path, scene: NDArray[np.uint8]) -> Path:
    """One pair, "a"."""
    (tmp_path / "pairs" / "a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "pairs" / "a" / "1.png"), scene[:, :330])
    cv2.imwrite(str(tmp_path / "pairs" / "a" / "2.png"), scene[:, 150:])
    cv2.imwrite(str(tmp_path / "pairs" / "scene.png"), scene)
    return tmp_path / "pairs"


def _save_warp(path: Path, map_xy: Field) -> None:
    """The warp of a target of 330 x 320 px, on a canvas with the reference's pixel grid."""
    size = (map_xy.shape[1], map_xy.shape[0])
    map_xy = np.where(inside(map_xy, (330, 320))[..., None], map_xy, np.float32(np.nan))
    trusted = np.ones(map_xy.shape[:2], bool)
    forward, _ = forward_map(map_xy, 1, (330, 320))
    save_warp(path, WarpField(map_xy, trusted, 1, forward, 1, (0, 0), 0, (330, 320), (330, 320), size))


def _rows(output: Path) -> list[dict[str, str]]:
    with (output / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_sheets_and_medians_of_a_method(
    folder: Path, tmp_path: Path, use: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    use(_method("copy", _COPY_SCENE), _method("broken", "import sys; sys.exit('no features')"))
    output = tmp_path / "out"
    evaluate_command(folder, output, ("copy", "broken"))
    copied, broken = _rows(output)
    assert (copied["pair"], copied["method"], copied["ok"], copied["good"]) == ("a", "copy", "True", "True")
    assert float(copied["kept_target"]) > 0.98
    assert float(copied["seconds"]) > 0
    assert float(copied["peak_mb"]) > 1
    assert copied["epe"] == ""  # no ground truth
    assert (broken["ok"], broken["reason"], broken["kept_target"]) == ("False", "run: no features", "")
    rows = json.loads((output / "results.json").read_text())
    assert [row["method"] for row in rows] == ["copy", "broken"]
    assert rows[0]["ghost"] == 0
    assert rows[1]["ghost"] is None
    sheet = cv2.imread(str(output / "sheets" / "001.jpg"))
    assert sheet is not None
    assert sheet.shape[1] > sheet.shape[0]  # one row of four pictures
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["copy", "1", "0", "1"] in [line[:4] for line in printed]
    assert ["broken", "1", "1", "0"] in [line[:4] for line in printed]
    assert {path.name for path in output.iterdir()} == {"a", "results.csv", "results.json", "sheets", "tables.md"}


@pytest.mark.usefixtures("unmeasured")
def test_what_is_finished_is_not_run_again(folder: Path, tmp_path: Path, use: Callable[..., None]) -> None:
    use(_method("copy", _COPY_SCENE))
    output = tmp_path / "out"
    runs = folder / "runs.txt"
    evaluate_command(folder, output)
    first = (output / "results.csv").read_bytes()
    evaluate_command(folder, output)
    assert runs.read_text() == "a "
    assert (output / "results.csv").read_bytes() == first
    evaluate_command(folder, output, again=True)
    assert runs.read_text() == "a a "
    cv2.imwrite(str(folder / "a" / "2.png"), np.full((330, 330, 3), 90, np.uint8))
    evaluate_command(folder, output)  # the pair has changed
    assert runs.read_text() == "a a a "


@pytest.mark.usefixtures("unmeasured")
def test_interrupted_run_leaves_nothing_half_done(folder: Path, tmp_path: Path, use: Callable[..., None]) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    output = tmp_path / "out"
    use(_method("copy", _COPY_SCENE, interrupt))
    with pytest.raises(KeyboardInterrupt):
        evaluate_command(folder, output)
    assert not (output / "a" / "copy").exists()
    use(_method("copy", _COPY_SCENE))
    evaluate_command(folder, output)
    assert _rows(output)[0]["ok"] == "True"
    assert [path.name for path in (output / "a").iterdir()] == ["copy"]


def test_folder_with_other_files_is_not_overwritten(folder: Path, tmp_path: Path, use: Callable[..., None]) -> None:
    use(_method("copy", _COPY_SCENE))
    other_file = tmp_path / "out" / "a" / "copy" / "thesis.tex"
    other_file.parent.mkdir(parents=True)
    other_file.write_text("chapter 1")
    with pytest.raises(InputError, match="holds no run of evaluate"):
        evaluate_command(folder, tmp_path / "out")
    assert other_file.read_text() == "chapter 1"


@pytest.mark.usefixtures("unmeasured")
def test_ground_truth_beside_a_pair_is_used(
    folder: Path, tmp_path: Path, use: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = np.meshgrid(np.arange(330.0), np.arange(320.0))
    truth = np.stack([x + 150, y], axis=2).astype(np.float32)  # target px -> reference px
    valid = y < 310  # below, a map that is 4 px off leaves the target
    np.savez(folder / "a" / "gt.npz", map=truth, valid=valid, visible=valid & (x + 150 < 330))
    x, y = np.meshgrid(np.arange(480.0), np.arange(320.0))
    found = np.stack([x - 150, y + 4], axis=2).astype(np.float32)  # canvas px -> target px, 4 px off
    _save_warp(folder / "map.npz", found)
    np.savez(folder / "shown.npz", map=found, weight=(y >= 160).astype(np.float32))
    use(_method("copy", _COPY_SCENE))
    evaluate_command(folder, tmp_path / "out")
    row = _rows(tmp_path / "out")[0]
    assert float(row["twice"]) == pytest.approx(4 * 180 / (330 * 316), abs=1e-3)  # four rows, again below the seam
    assert (float(row["epe"]), float(row["epe_median"]), float(row["epe_over_3"])) == (4, 4, 1)
    assert (float(row["within_5"]), float(row["error"])) == (0, pytest.approx(4 * 512 / 330, abs=1e-3))
    assert (float(row["true_parallax"]), float(row["true_overlap"])) == (pytest.approx(0, abs=0.1), 0.5455)
    printed = capsys.readouterr().out
    assert "Share within 3 px, by overlap" in printed
    assert "UDIS" not in printed
    assert "| method" in (tmp_path / "out" / "tables.md").read_text()


@pytest.mark.usefixtures("unmeasured")
def test_other_weights_run_again(folder: Path, tmp_path: Path, use: Callable[..., None]) -> None:
    for weights in ("first", "first", "second"):
        facts = dict.fromkeys(["weights"], weights)
        use(replace(_method("copy", _COPY_SCENE), name="copy:runs/best.safetensors", facts=facts.copy))
        evaluate_command(folder, tmp_path / "out")
    assert (folder / "runs.txt").read_text() == "a a "
    assert (tmp_path / "out" / "a" / "copy:runs%2Fbest.safetensors" / "pano.png").exists()


@pytest.mark.usefixtures("unmeasured")
def test_a_pair_that_cannot_be_read_is_left_out_of_tables_and_sheets(
    folder: Path, tmp_path: Path, use: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "a", folder / "b")
    (folder / "b" / "1.png").write_bytes((folder / "a" / "1.png").read_bytes()[:5000])
    use(_method("copy", _COPY_SCENE))
    evaluate_command(folder, tmp_path / "out")
    assert [(row["pair"], row["method"]) for row in _rows(tmp_path / "out")] == [("a", "copy"), ("b", "")]
    printed = capsys.readouterr().out
    assert "left out: 1 of 2 pairs" in printed
    assert ["copy", "1", "0", "0"] in [line.split()[:4] for line in printed.splitlines()]
    shutil.copy(folder / "b" / "1.png", folder / "a" / "1.png")
    with pytest.raises(InputError, match="no pair can be read"):
        evaluate_command(folder, tmp_path / "out")


def test_a_warp_that_stitch_does_not_offer_has_a_program(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ESTIMATORS, "planar", ESTIMATORS["homography"])  # taken out again after the test
    pair = [str(folder / "a" / f"{number}.png") for number in (1, 2)]
    arguments = [*pair, "-o", str(tmp_path / "pano.png"), "--save-warp", str(tmp_path / "map.npz"), "--quiet"]
    assert extra_warp.main("planar", *arguments, "--warp", "planar", "--blend", "seam") == 0
    warp = load_warp(tmp_path / "map.npz")
    x, y = np.array([250, 160]) - warp.origin
    assert warp.map[y, x] == pytest.approx([100, 160], abs=0.5)


@pytest.mark.parametrize("damage", ["other size", "not an archive", "array missing"])
@pytest.mark.usefixtures("unmeasured")
def test_a_pair_with_unusable_ground_truth_is_left_out(
    folder: Path, tmp_path: Path, use: Callable[..., None], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    shutil.copytree(folder / "a", folder / "b")
    valid = np.ones((9, 9), bool)
    arrays = {"map": np.zeros((8, 8, 2)), "valid": valid, "visible": valid}
    if damage == "array missing":
        del arrays["visible"]
    np.savez(folder / "b" / "gt.npz", **arrays)
    if damage == "not an archive":
        (folder / "b" / "gt.npz").write_bytes(b"PK\3\4 cut short")
    use(_method("copy", _COPY_SCENE))
    evaluate_command(folder, tmp_path / "out")
    _, row = _rows(tmp_path / "out")
    assert (row["pair"], row["method"], row["ok"]) == ("b", "", "False")
    assert str(folder / "b" / "gt.npz") in row["reason"]
    printed = capsys.readouterr().out
    assert "left out: 1 of 2 pairs" in printed
    assert ["copy", "1", "0", "0"] in [line.split()[:4] for line in printed.splitlines()]
    assert (folder / "runs.txt").read_text() == "a "


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "not \udcff utf-8"])
@pytest.mark.usefixtures("unmeasured")
def test_names_of_pairs_and_methods_are_printed_as_plain_text(
    folder: Path, tmp_path: Path, use: Callable[..., None], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / "a").rename(folder / name)
    shutil.copytree(folder / name, folder / f"{name} damaged")
    (folder / f"{name} damaged" / "2.png").write_bytes(b"")
    shutil.copytree(folder / name, folder / f"{name} half")
    (folder / f"{name} half" / "2.png").unlink()
    missing = StitchMethod(f"other:{name}", lambda *_: [], missing=f"no {name}")
    use(replace(_method("copy", "pass"), name=f"copy:{name}"), missing)
    evaluate_command(folder, tmp_path / f"out {name}")
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert all(line.isprintable() for line in lines)
    shown = "".join(character if character.isprintable() else "?" for character in name)
    assert f"[1/2] {shown} copy:{shown}: run" in lines
    assert len([line for line in lines if shown in line]) == 6  # also damaged, half, skipped, a table, what was written
    with (tmp_path / f"out {name}" / "results.json").open() as file:
        assert [row["pair"] for row in json.load(file)] == [name, f"{name} damaged"]
    assert (tmp_path / f"out {name}" / "results.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        *(("", kind) for kind in ("file", "pipe")),
        *((name, kind) for name in ("results.csv", "results.json", "tables.md") for kind in ("folder", "pipe")),
        ("sheets", "file"),
        ("sheets/001.jpg", "folder"),
        ("b", "file"),
        ("b/copy", "file"),
        ("b/copy", "folder"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_an_output_of_another_kind_is_refused_before_the_first_run(
    folder: Path, tmp_path: Path, use: Callable[..., None], place: str, kind: str
) -> None:
    shutil.copytree(folder / "a", folder / "b")
    use(_method("copy", _COPY_SCENE))
    output = tmp_path / "out"
    evaluate_command(folder, output, limit=1)  # so that the folder is of an evaluation
    (folder / "runs.txt").unlink()
    path = output / place
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    {"file": Path.touch, "folder": Path.mkdir, "pipe": os.mkfifo}[kind](path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=str(path)):
        evaluate_command(folder, output, again=True)
    assert not (folder / "runs.txt").exists()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time; time.sleep(60)", "run: took longer than 0.5 s"),
        ("import os; os.kill(os.getpid(), 9)", "run: ended by SIGKILL"),
        ("pass", "run: no panorama written"),
        ("import sys; open(sys.argv[3] + '/pano.png', 'w').write('?')", "not measured: "),
    ],
)
def test_failed_run_has_its_reason(
    folder: Path, tmp_path: Path, use: Callable[..., None], code: str, reason: str
) -> None:
    use(_method("bad", code))
    evaluate_command(folder, tmp_path / "out", timeout=0.5 if "sleep" in code else 60)
    row = _rows(tmp_path / "out")[0]
    assert row["ok"] == "False"
    assert row["reason"].startswith(reason)


def test_opencv_stitches_a_pair_that_only_turns(folder: Path, tmp_path: Path) -> None:
    evaluate_command(folder, tmp_path / "out", ("opencv-scans",))
    row = _rows(tmp_path / "out")[0]
    assert row["ok"] == "True", row["reason"]
    assert float(row["kept_target"]) > 0.9
    assert float(row["canvas"]) < 1.2


def test_command_line_refuses_an_empty_folder_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path), "-o", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err.strip()
    assert "no picture pair found" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_command_line_refuses_an_unknown_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder), "-o", str(folder / "out"), "--methods", "magic"]) == 2
    message = capsys.readouterr().err.strip()
    assert "'magic'" in message
    assert all(name in message for name in NAMES)


@pytest.mark.parametrize(("option", "value"), [("--limit", "0"), ("--threads", "-1"), ("--timeout", "0")])
def test_command_line_refuses_numbers_below_one(
    folder: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert main(["evaluate", str(folder), "-o", str(folder / "out"), option, value]) == 2
    assert option in capsys.readouterr().err


def test_method_that_is_not_installed_is_skipped_with_a_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PARASTITCH_OPENSTITCHING_PYTHON", raising=False)
    evaluate_command(folder, tmp_path / "out", ("hugin", "opencv-scans", "openstitching"))
    assert [row["method"] for row in _rows(tmp_path / "out")] == ["opencv-scans"]
    message = capsys.readouterr().err
    assert "hugin: skipped, pto_gen is not on PATH" in message
    assert "openstitching: skipped, give --openstitching-python" in message
    with pytest.raises(InputError, match="no method to run"):
        evaluate_command(folder, tmp_path / "out", ("hugin",))
