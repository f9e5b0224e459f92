"""The examples run as they stand, on the demo's pictures at half their size."""

import re
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
COLMAP_MODEL = """# Image list with two lines of data per image:
#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
#   POINTS2D[] as (X, Y, POINT3D_ID)
1 1 0 0 0 0 0 0 1 a left.jpg
10.5 20.5 7 30 40 -1 50.5 60.5 9
2 1 0 0 0 1 0 0 1 right.jpg
1.5 2.5 9 3.5 4.5 8 5.5 6.5 7
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with reference.png, target.png and row/1.png to 3.png, cut as demo/make_pictures.py cuts them."""
    data = pytest.importorskip("skimage.data", reason="the demo's pictures are in the wheel of scikit-image")
    folder = tmp_path_factory.mktemp("demo")
    (folder / "row").mkdir()
    left, right = (
        cv2.resize(cv2.imread(str(Path(data.__file__).with_name(f"motorcycle_{side}.png"))), None, fx=0.5, fy=0.5)
        for side in ("left", "right")
    )
    cuts = {"reference": left[:, :250], "target": right[:, 100:]}
    cuts |= {"row/1": left[:, :170], "row/2": right[:, 60:270], "row/3": left[:, 200:]}
    for name, picture in cuts.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs an example with arguments as a script; gives what it printed."""

    def run_example(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run_example


def test_pair(run, demo: Path, tmp_path: Path) -> None:
    printed = run("stitch_pair.py", demo / "reference.png", demo / "target.png", tmp_path / "panorama.png")
    assert printed.splitlines()[-1].endswith(("right", "doubtful"))
    assert cv2.imread(str(tmp_path / "panorama.png")).shape[1] > 300  # wider than either picture


def test_pair_that_does_not_fit_is_refused_in_one_line(run, demo: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(SystemExit, match=r"grey\.png shows nothing"):
        run("stitch_pair.py", demo / "reference.png", tmp_path / "grey.png", tmp_path / "panorama.png")


def test_set(run, demo: Path, tmp_path: Path) -> None:
    printed = run("stitch_set.py", demo / "row", tmp_path / "panorama.png")
    assert "shown: 1.png, 2.png, 3.png" in printed
    assert cv2.imread(str(tmp_path / "panorama.png")).shape[1] > 300


def test_warp_is_used_again(run, demo: Path, tmp_path: Path) -> None:
    pair = demo / "reference.png", demo / "target.png"
    later = tmp_path / "later.png"  # the same view, later in the day
    cv2.imwrite(str(later), (cv2.imread(str(pair[1])) * 0.8).astype(np.uint8))
    printed = run("reuse_warp.py", *pair, tmp_path / "warp.npz", pair[0], later, tmp_path / "panorama.png")
    assert "covers" in printed
    assert cv2.imread(str(tmp_path / "panorama.png")).shape[1] > 300


def test_what_is_masked_out_is_not_shown(run, demo: Path, tmp_path: Path) -> None:
    box = 155, 80, 40, 50  # that the target alone shows
    run("mask_out.py", demo / "reference.png", demo / "target.png", tmp_path / "panorama.png", *box)
    alpha = cv2.imread(str(tmp_path / "panorama.png"), cv2.IMREAD_UNCHANGED)[..., 3]
    inner = alpha[30:-30, 30:-60]
    assert (inner == 0).sum() > 0.5 * box[2] * box[3]


def test_parallax_is_a_picture_of_near_and_far(run, demo: Path, tmp_path: Path) -> None:
    printed = run("parallax_map.py", demo / "reference.png", demo / "target.png", tmp_path / "parallax.png")
    low, high = map(float, re.findall(r"-?\d+\.\d", printed))
    assert high - low > 5  # px; the handlebar is at half the distance of the wall
    assert cv2.imread(str(tmp_path / "parallax.png")).any(axis=2).mean() > 0.2


@pytest.mark.parametrize("strategy", [[], ["equal"], ["task-groups:warm_up=5"]])
def test_several_losses_fall(run, strategy: list[str]) -> None:
    pytest.importorskip("torch")
    first, *_, last = run("multi_task.py", *strategy).splitlines()
    before, after = (dict(re.findall(r"'(\w+)': (\d+\.\d+)", line)) for line in (first, last))
    assert before.keys() == {"height", "slope"}
    assert all(float(after[task]) < 0.7 * float(before[task]) for task in before)


def test_places_of_a_reconstruction_are_moved_to_our_pixel_centres(run, tmp_path: Path) -> None:
    (tmp_path / "images.txt").write_text(COLMAP_MODEL)
    output = tmp_path / "matches.npz"
    printed = run("matches_from_colmap.py", tmp_path / "images.txt", "a left.jpg", "right.jpg", output)
    assert printed.startswith("2 places")
    with np.load(output) as matches:
        assert matches["xy1"].tolist() == [[10, 20], [50, 60]]
        assert matches["xy2"].tolist() == [[5, 6], [1, 2]]


def test_examples_are_short_and_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    scripts = list(EXAMPLES.glob("*.py"))
    assert scripts
    assert all(f"({script.name})" in listed for script in scripts)
    assert all(len(script.read_text().splitlines()) < 40 for script in scripts)
