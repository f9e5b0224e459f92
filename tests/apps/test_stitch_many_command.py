"""`parastitch stitch` of more than two pictures: what it writes, what it says, what it refuses."""

import json

import cv2
import numpy as np
import pytest
from made_panoramas import make_panorama
from skimage.data import chelsea

from apps.cli import main
from stitching.errors import InputError
from stitching.io.warp_file import load_warp
from stitching.mosaic.warp_file import load_mosaic_warps

SIZE = 240, 180  # px of each picture


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with three views of one scene in `views`, and files beside it that are none."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "views").mkdir()
    w, h = SIZE
    noise = np.random.default_rng(3)
    scene = np.zeros((h, w + 220, 3))
    for cell in (4, 12, 40):
        scene += cv2.resize(noise.uniform(0, 85, (h // cell, (w + 220) // cell, 3)), (w + 220, h))
    for number, left in enumerate((0, 110, 220)):
        cv2.imwrite(str(folder / "views" / f"view_{number}.png"), scene[:, left : left + w])
    cv2.imwrite(str(folder / "cat.png"), chelsea()[..., ::-1])
    (folder / "other").mkdir()
    cv2.imwrite(str(folder / "other" / "view_0.png"), scene[:, :w])
    (folder / "text.jpg").write_text("this is no picture\n" * 100)
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    return folder


@pytest.fixture
def stitch(inputs, tmp_path, monkeypatch, capfd):
    """Runs `parastitch stitch` in the folder of the inputs; returns exit code, standard output and standard error."""
    monkeypatch.chdir(inputs)

    def run(*arguments, output="out.png"):
        capfd.readouterr()
        code = main(["stitch", *map(str, arguments), "-o", str(tmp_path / output)])
        return code, *capfd.readouterr()

    return run


def refused(result, folder, *words):
    """One line on stderr, nothing on stdout, nothing in the folder."""
    code, out, err = result
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("parastitch: ")
    assert all(word in err for word in words), err
    assert list(folder.iterdir()) == []


@pytest.fixture
def calls(monkeypatch):
    """The arguments of `stitch_many`, in whose place a panorama made by hand is taken."""
    seen = []

    def many(pictures, options, **others):
        seen.append((list(map(str, pictures)), options, others))
        return make_panorama(warnings=("something is doubtful",))

    monkeypatch.setattr("apps.stitching_command.many.stitch_many", many)
    return seen


# --- what it writes ---


def test_of_many_warnings_the_first_are_told_and_how_many_there_are(stitch, monkeypatch):
    doubts = tuple(f"{number}.png is doubtful" for number in range(100))
    monkeypatch.setattr(
        "apps.stitching_command.many.stitch_many", lambda *given, **others: make_panorama(warnings=doubts)
    )
    code, out, err = stitch("views", "--json")
    lines = err.splitlines()
    assert code == 0
    assert len(lines) == 31
    assert lines[0].endswith("0.png is doubtful")
    assert "70 more" in lines[-1]
    assert json.loads(out)["warnings"] == list(doubts)


def test_everything_asked_for_is_written_and_the_warps_give_the_same_panorama_again(stitch, tmp_path):
    code, out, err = stitch(
        "views", "--json", "--save-warp", tmp_path / "rig.npz", "--report", tmp_path / "report.html",
        "--save-mask", tmp_path / "mask.png",
    )  # fmt: skip
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert [one["name"] for one in summary["pictures"]] == [f"views/view_{number}.png" for number in range(3)]
    assert summary["left_out"] == []
    panorama = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert list(panorama.shape[1::-1]) == summary["panorama_size"]
    assert panorama.shape[1] == pytest.approx(SIZE[0] + 220, abs=8)
    mask = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == panorama.shape[:2]
    assert load_mosaic_warps(tmp_path / "rig.npz").picture_count == 3
    assert (tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>\n")
    assert stitch("views", "--quiet", "--load-warp", tmp_path / "rig.npz", output="again.png") == (0, "", "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()
    refused_there = stitch("views/view_0.png", "views/view_1.png", "--load-warp", tmp_path / "rig.npz", output="2.png")
    assert refused_there[0] == 2
    assert "for 3 pictures, but 2 were given" in refused_there[2]


def test_two_pictures_go_the_way_of_pairs_and_one_of_them_may_be_called_the_reference(stitch, tmp_path):
    first, second = "views/view_0.png", "views/view_1.png"
    for output, arguments in {"1": (second, first), "2": (first, second, "--reference", "view_1")}.items():
        warp = tmp_path / f"{output}.npz"
        assert stitch(*arguments, "--quiet", "--save-warp", warp, output=f"{output}.png") == (0, "", "")
        assert load_warp(warp).reference_size == SIZE
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_what_was_done_is_told_and_what_is_doubtful(stitch, calls, tmp_path):
    code, out, err = stitch("views")
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "parastitch: warning: something is doubtful",
        f"{tmp_path / 'out.png'}: 440 x 160 (plane), 3 of 4 pictures in the view of row_1.jpg; 2 pairs joined by 40 to"
        " 41 matches, 0.8 px left after the adjustment (perspective); cpu, seconds: read 0.25, place 1.00",
    ]
    assert stitch("views", "--quiet")[2].count("\n") == 1  # the warning remains
    assert json.loads(stitch("views", "--json")[1])["warnings"][-1] == "something is doubtful"


def test_options_reach_the_stitcher(stitch, calls):
    stitch("views", "--reference", "view_2.png", "--strict", "--motion", "affine", "--projection", "plane", "--crop")
    ((pictures, options, others),) = calls
    assert pictures == [f"views/view_{number}.png" for number in range(3)]
    assert (options.motion, options.projection, options.crop) == ("affine", "plane", True)
    assert (others["reference"], others["strict"], others["warps"]) == ("views/view_2.png", True, None)


@pytest.mark.parametrize("option", [("--motion", "affine"), ("--projection", "plane")])
def test_two_pictures_with_a_motion_or_a_projection_are_a_set(stitch, calls, option):
    assert stitch("views/view_1.png", "views/view_0.png", *option)[0] == 0
    ((_, _, others),) = calls
    assert others["reference"] == "views/view_1.png"  # the first of two, as of a pair


# --- what users get wrong ---


def test_one_picture_alone_is_refused(stitch, tmp_path):
    refused(stitch("cat.png"), tmp_path, "cat.png", "two or more")
    refused(stitch(), tmp_path, "no pictures")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("views", "film.mp4"), ("film.mp4", "video", "ffmpeg")),
        (("views", "missing.jpg"), ("missing.jpg", "no such file")),
        (("views", "nothing*.jpg"), ("nothing*.jpg",)),
        (("views", "--reference", "view_9"), ("--reference view_9", "view_0.png, view_1.png, view_2.png")),
        (("missing.jpg",), ("missing.jpg", "no such file")),
        (("views", "text.jpg", "--reference", "text"), ("--reference text.jpg", "text.jpg", "choose another")),
        (("views", "other/view_0.png", "--reference", "view_0.png"), ("views/view_0.png and other/view_0.png",)),
        (("views", "--mask-target", "cat.png"), ("--mask-target", "3 pictures")),
        (("views", "--save-aligned", "x", "--verbose-dir", "y"), ("--save-aligned, --verbose-dir", "two pictures")),
        (("views", "--keep-target", "x.png"), ("--keep-target", "two pictures")),
        (("views/view_0.png", "cat.png", "--motion", "affine", "--verbose-dir", "y"), ("--verbose-dir", "--motion")),
        (("views", "text.jpg", "--strict"), ("--strict", "text.jpg")),
        (("views", "--motion", "magic"), ("magic", "affine")),
        (("views", "--projection", "magic"), ("magic", "cylinder")),
        (("views", "--load-warp", "rig.npz", "--reference", "view_1"), ("--reference views/view_1", "loaded warps")),
        (("views", "--load-warp", "text.jpg"), ("text.jpg", "--save-warp")),
        (("views", "--load-warp", "pair.npz"), ("pair.npz", "warp of a pair")),
    ],
)
def test_what_makes_no_sense_is_refused(stitch, inputs, tmp_path, arguments, words):
    if "pair.npz" in arguments:
        np.savez(inputs / "pair.npz", target_size=np.array([3, 3]))
    refused(stitch(*arguments), tmp_path, *words)


@pytest.mark.parametrize("output", ["views/view_1.png", "views/../views/view_1.png"])
def test_no_output_is_one_of_the_pictures(stitch, inputs, calls, output):
    for option in ("--save-mask", "--report", "--save-warp"):
        code, out, err = stitch("views", option, output)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert f"{option} {output} would overwrite the input picture views/view_1.png" in err
    assert calls == []


def test_what_the_stitcher_refuses_is_told_in_one_line(stitch, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise InputError("no overlap was found")

    monkeypatch.setattr("apps.stitching_command.many.stitch_many", refuse)
    refused(stitch("views"), tmp_path, "no overlap was found")
