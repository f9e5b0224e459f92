"""`parastitch stitch`: everything it writes, and everything that users get wrong."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import chelsea, coffee
from synthetic import SIZE, two_planes

from apps.cli import main
from stitching import load_warp
from stitching.errors import JobError
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture
from stitching.reporting.outputs import ALIGNED_FILES, SHOWN_FILE, STAGE_FILES

ROOT = Path(__file__).parents[2]
W, H = SIZE


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with a pair, and with files that are none."""
    folder = tmp_path_factory.mktemp("inputs")
    scene = two_planes()
    cv2.imwrite(str(folder / "left.jpg"), scene.reference)
    cv2.imwrite(str(folder / "right.jpg"), scene.target)
    cv2.imwrite(str(folder / "cat.jpg"), chelsea()[..., ::-1])
    cv2.imwrite(str(folder / "cup.jpg"), coffee()[..., ::-1])
    cv2.imwrite(str(folder / "black.png"), np.zeros((H, W, 3), np.uint8))
    cv2.imwrite(str(folder / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(folder / "line.png"), np.full((3, 20000, 3), 99, np.uint8))
    cv2.imwrite(str(folder / "small_mask.png"), np.full((20, 30), 255, np.uint8))
    cv2.imwrite(str(folder / "no_mask.png"), np.zeros((H, W), np.uint8))
    whole = (folder / "left.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is no picture\n" * 100)
    (folder / "text.npz").write_text("this is no warp")
    np.savez(folder / "pickled.npz", map=np.array([{}], object), version=1)
    (folder / "folder.jpg").mkdir()
    return folder


@pytest.fixture
def stitch_in(inputs, tmp_path, capfd):
    """Runs `parastitch stitch` in an empty folder; returns exit code, standard output and standard error."""

    def run(reference, target, *options, output="out.png"):
        capfd.readouterr()
        code = main(
            ["stitch", str(inputs / reference), str(inputs / target), "-o", str(tmp_path / output)]
            + [str(option) for option in options]
        )
        return code, *capfd.readouterr()

    return run


def refused(result, folder, *words, code=2):
    """One line on stderr, nothing on stdout, nothing in the folder."""
    got, out, err = result
    assert (got, out) == (code, ""), err
    assert err.count("\n") == 1, err
    assert err.startswith("parastitch: ")
    assert all(word in err for word in words), err
    assert "Traceback" not in err
    assert list(folder.rglob("*")) == []


# --- what it writes ---


def test_everything_asked_for_is_written(stitch_in, tmp_path):
    code, out, err = stitch_in(
        "left.jpg", "right.jpg", "--save-warp", tmp_path / "warp.npz", "--save-aligned", tmp_path / "aligned",
        "--save-mask", tmp_path / "mask.png", "--report", tmp_path / "report.html",
        "--verbose-dir", tmp_path / "stages", "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert summary["alignment"] == "homography"
    panorama = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    width, height = summary["panorama_size"]
    assert panorama.shape == (height, width, 4)
    mask = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(mask, panorama[..., 3])
    width, height = summary["canvas_size"]
    assert load_warp(tmp_path / "warp.npz").canvas_size == (width, height)
    assert {path.name for path in (tmp_path / "aligned").iterdir()} == set(ALIGNED_FILES)
    aligned = [cv2.imread(str(tmp_path / "aligned" / name)) for name in ALIGNED_FILES if name != SHOWN_FILE]
    assert all(picture is not None and picture.shape == (height, width, 3) for picture in aligned)
    with np.load(tmp_path / "aligned" / SHOWN_FILE) as shown:
        assert shown["map"].shape == (*shown["weight"].shape, 2) == load_warp(tmp_path / "warp.npz").map.shape
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert {path.name for path in (tmp_path / "stages").iterdir()} == set(STAGE_FILES)
    assert not list(tmp_path.rglob(".parastitch-*"))


def test_the_aligned_pictures_are_what_they_are_called(stitch_in, tmp_path, inputs):
    stitch_in("left.jpg", "right.jpg", "--save-aligned", tmp_path, "--save-warp", tmp_path / "warp.npz", "--quiet")
    x, y = load_warp(tmp_path / "warp.npz").origin
    frame = slice(-y, -y + H), slice(-x, -x + W)
    reference, mask = (cv2.imread(str(tmp_path / name)) for name in ("warp1.png", "mask1.png"))
    assert np.array_equal(reference[frame], read_picture(inputs / "left.jpg").pixels)
    assert mask[frame].min() == 255
    assert mask.sum() == 255 * 3 * W * H
    target, valid = (cv2.imread(str(tmp_path / name)) for name in ("warp2.png", "mask2.png"))
    assert target[valid > 0].min() >= 0
    assert valid[50:250, -40:-20].min() == 255
    assert (target[valid > 0] > 0).mean() > 0.99


@pytest.mark.parametrize("output", ["out.jpg", "out.tif", "out.webp"])
def test_other_formats_are_written_too(stitch_in, tmp_path, output):
    code, out, err = stitch_in("left.jpg", "right.jpg", "--quiet", "--background", 250, 120, 10, output=output)
    assert (code, out, err) == (0, "", "")
    picture = cv2.imread(str(tmp_path / output), cv2.IMREAD_UNCHANGED)
    if output == "out.jpg":
        corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)  # one at least shows nothing
        assert np.abs(corners - [10, 120, 250]).sum(axis=1).min() < 25
    else:
        assert picture.shape[2] == 4


def test_in_words_on_stderr_and_nothing_on_stdout(stitch_in):
    code, out, err = stitch_in("left.jpg", "right.jpg")
    assert (code, out) == (0, "")
    assert err.count("\n") == 1
    assert "out.png" in err
    assert "of the overlap consistent), seam blend" in err


def test_an_older_panorama_is_replaced(stitch_in, tmp_path):
    (tmp_path / "out.png").write_bytes(b"older")
    assert stitch_in("left.jpg", "right.jpg", "--quiet")[0] == 0
    assert cv2.imread(str(tmp_path / "out.png")) is not None


def test_the_same_command_writes_the_same_bytes(stitch_in, tmp_path):
    for name in ("1.png", "2.png"):
        stitch_in("left.jpg", "right.jpg", "--quiet", output=name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_a_warp_is_used_again(stitch_in, tmp_path):
    warp = tmp_path / "warp.npz"
    stitch_in("left.jpg", "right.jpg", "--save-warp", warp, "--quiet", output="1.png")
    code, out, _ = stitch_in(
        "left.jpg", "right.jpg", "--load-warp", warp, "--json", "--verbose-dir", tmp_path / "stages", output="2.png"
    )
    assert code == 0
    assert {path.name for path in (tmp_path / "stages").iterdir()} == set(STAGE_FILES[4:])  # nothing was aligned
    assert json.loads(out)["alignment"] == "loaded"
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_the_same_file_twice_is_stitched(stitch_in, tmp_path, inputs):
    code, out, _ = stitch_in("left.jpg", "left.jpg", "--json")
    assert code == 0
    summary = json.loads(out)
    x, y = np.add(summary["origin"], summary["panorama_origin"])
    panorama = cv2.imread(str(tmp_path / "out.png"))
    assert max(panorama.shape[0] - H, panorama.shape[1] - W) <= 4
    assert np.array_equal(panorama[-y : H - y, -x : W - x], read_picture(inputs / "left.jpg").pixels)


def test_a_doubtful_stitch_warns(stitch_in, tmp_path):
    """Only a sliver is shared: the panorama comes, and so does a word of caution."""
    cv2.imwrite(str(tmp_path / "sliver.png"), two_planes().reference[:, :110])
    code, out, err = stitch_in(tmp_path / "sliver.png", "right.jpg", "--json")
    assert code == 0
    assert err.startswith("parastitch: warning: ")
    assert json.loads(out)["warnings"]


# --- what users get wrong ---


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.jpg", ("missing.jpg", "no such file")),
        ("folder.jpg", ("folder.jpg",)),
        ("empty.jpg", ("empty.jpg", "empty")),
        ("half.jpg", ("half.jpg", "cut short")),
        ("text.jpg", ("text.jpg",)),
        ("dot.png", ("dot.png", "1 x 1")),
        ("line.png", ("line.png", "20000 x 3")),
        ("black.png", ("black.png", "shows nothing")),
    ],
)
@pytest.mark.parametrize("place", ["reference", "target"])
def test_an_input_that_is_no_picture_is_refused(stitch_in, tmp_path, name, words, place):
    pair = (name, "right.jpg") if place == "reference" else ("left.jpg", name)
    refused(stitch_in(*pair), tmp_path, *words)


def test_unrelated_pictures_are_refused(stitch_in, tmp_path):
    refused(stitch_in("cat.jpg", "cup.jpg"), tmp_path, "no overlap was found", "try")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/out.png", ("missing", "does not exist")),
        ("out", ("extension",)),
        ("out.bmp", (".bmp",)),
        ("out.png.exe", (".exe",)),
        (".", ()),
        ("/proc/out.png", ("/proc",)),
        ("/dev/null/out.png", ("/dev/null",)),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(stitch_in, tmp_path, output, words):
    code, out, err = stitch_in("left.jpg", "right.jpg", output=output)
    refused((2 if code in (1, 2) else code, out, err), tmp_path, *words)


def test_an_output_that_is_a_folder_is_refused(stitch_in, inputs):
    code, _, err = stitch_in("left.jpg", "right.jpg", output=inputs / "folder.jpg")
    assert code == 2
    assert "folder" in err


@pytest.mark.parametrize("option", ["--save-warp", "--report", "--save-mask", "--save-aligned", "--verbose-dir"])
def test_nothing_is_written_where_one_output_cannot_be(stitch_in, tmp_path, inputs, option):
    """A file stands where a folder should be."""
    refused(stitch_in("left.jpg", "right.jpg", option, inputs / "text.jpg" / "more.png"), tmp_path, "text.jpg")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--warp", "magic"), ("magic", "classical")),
        (("--blend", "magic"), ("magic",)),
        (("--warp", "matches:~no-such-user/x"), ("no weights at ~no-such-user/x",)),
        (("--blend", "network:~no-such-user/x"), ("no weights at ~no-such-user/x",)),
        (("--warp", "ptlflow:raft:~no-such-user/x"), ("ptlflow",)),
        (("--compensator", "magic"), ("magic",)),
        (("--device", "tpu"), ("tpu",)),
        (("--work-megapix", "many"), ("many",)),
        (("--work-megapix", "0"), ("work-megapix",)),
        (("--final-megapix", "-3"), ("final-megapix",)),
        (("--final-megapix", "nan"), ("final-megapix",)),
        (("--background", "300", "0", "0"), ("300",)),
        (("--background", "1", "2"), ()),
        (("--no-such-option",), ("no-such-option",)),
        (("third.jpg",), ("third.jpg",)),
        (("--mask-target", "{inputs}/small_mask.png"), ("30 x 20", f"{W} x {H}")),
        (("--mask-target", "{inputs}/no_mask.png"), ("ignores every pixel",)),
        (("--mask-target", "{inputs}/missing.png"), ("missing.png",)),
        (("--keep-target", "{inputs}/small_mask.png"), ("30 x 20", f"{W} x {H}")),
        (("--load-warp", "{inputs}/missing.npz"), ("missing.npz",)),
        (("--load-warp", "{inputs}/text.npz"), ("text.npz", "--save-warp")),
        (("--load-warp", "{inputs}/pickled.npz"), ("pickled",)),
        (("--load-warp", "{inputs}"), ("a folder", "--save-warp")),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(stitch_in, tmp_path, inputs, options, words):
    options = [option.format(inputs=inputs) for option in options]
    refused(stitch_in("left.jpg", "right.jpg", *options), tmp_path, *words)


def test_a_warp_of_other_pictures_is_refused(stitch_in, tmp_path, inputs):
    warp = inputs / "warp.npz"
    stitch_in("left.jpg", "right.jpg", "--save-warp", warp, "--quiet", output=inputs / "once.png")
    refused(stitch_in("cat.jpg", "right.jpg", "--load-warp", warp), tmp_path, "cat.jpg", f"{W} x {H}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stich"], ("stich", "stitch")),
        (["stitch"], ("stitch",)),
        (["stitch", "left.jpg"], ()),
        (["stitch", "left.jpg", "right.jpg"], ("output",)),
    ],
)
def test_a_command_line_that_is_not_complete_is_refused(capfd, arguments, words, tmp_path):
    refused((main(arguments), *capfd.readouterr()), tmp_path, *words)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_the_commands(capfd, arguments):
    assert main(arguments) == 0
    assert "stitch" in capfd.readouterr().out


# --- what goes wrong on the way ---


def test_a_full_disk_is_told_and_leaves_nothing(stitch_in, tmp_path, monkeypatch):
    def full(path, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    refused(stitch_in("left.jpg", "right.jpg"), tmp_path, "out.png", "No space left", code=1)


def test_a_disk_that_fills_up_leaves_the_older_panorama(stitch_in, tmp_path, monkeypatch):
    (tmp_path / "out.png").write_bytes(b"older")
    opened = Path.open

    def short(path, *arguments, **options):
        file = opened(path, *arguments, **options)
        if path.name.startswith(".parastitch-"):
            file.write(b"a few bytes")
            file.close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return file

    monkeypatch.setattr(Path, "open", short)
    code, out, err = stitch_in("left.jpg", "right.jpg")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "No space left" in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"older"


def test_a_later_output_that_fails_names_those_before_it(stitch_in, tmp_path, monkeypatch):
    saving, folder = write_picture, tmp_path / "aligned"

    def full(path, *arguments, **options):
        if path.parent == folder:
            raise JobError(f"cannot write {path}: No space left on device")
        saving(path, *arguments, **options)

    monkeypatch.setattr("stitching.reporting.outputs.write_picture", full)
    code, out, err = stitch_in("left.jpg", "right.jpg", "--save-mask", tmp_path / "mask.png", "--save-aligned", folder)
    assert (code, out) == (1, "")
    failed = f"parastitch: cannot write {folder / 'warp1.png'}: No space left on device; written before: "
    assert err == f"{failed}{tmp_path / 'out.png'}, {tmp_path / 'mask.png'}\n"
    assert (tmp_path / "out.png").exists()


def test_too_little_memory_is_told_in_one_line(stitch_in, tmp_path, monkeypatch):
    def starve(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("apps.stitching_command.pair.stitch", starve)
    refused(stitch_in("left.jpg", "right.jpg"), tmp_path, "memory", code=1)


def test_ctrl_c_is_told_in_one_line(stitch_in, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.stitching_command.pair.write_picture", interrupt)
    refused(stitch_in("left.jpg", "right.jpg"), tmp_path, "interrupted", code=130)


def start(inputs, folder):
    command = [sys.executable, "-m", "apps.cli", "stitch", inputs / "left.jpg", inputs / "right.jpg"]
    command += ["--warp", "homography", "-o", folder / "out.png"]
    command += ["--save-warp", folder / "warp.npz", "--save-mask", folder / "mask.png"]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def whole(path):
    return load_warp(path) if path.suffix == ".npz" else read_picture(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_stitch_leaves_no_half_written_file(inputs, tmp_path, kind):
    """Killed at random moments, most of them while it writes."""
    folder = tmp_path / "whole"
    folder.mkdir()
    began = time.perf_counter()
    done = start(inputs, folder)
    _, err = done.communicate(timeout=60)
    took = time.perf_counter() - began
    assert done.returncode == 0, err
    moments = random.Random(0)
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = start(inputs, folder)
        time.sleep(moments.uniform(0.7, 1.0) * took)
        process.send_signal(kind)
        process.communicate(timeout=60)
        for path in folder.iterdir():
            if path.name.startswith("."):
                assert kind == signal.SIGKILL
                assert path.name.startswith(".parastitch-")
            else:
                whole(path)


def test_a_reader_that_goes_away_is_no_traceback(inputs, tmp_path):
    """`parastitch stitch ... --json | head -c 1`"""
    command = f"{sys.executable} -m apps.cli stitch {inputs}/left.jpg {inputs}/right.jpg -o {tmp_path}/out.png --json"
    done = subprocess.run(["bash", "-c", f"{command} | true"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert (tmp_path / "out.png").exists()


def test_a_gpu_that_no_network_used_is_told_once(stitch_in, tmp_path, monkeypatch):
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr("stitching.network.runtime.unused_gpu.DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    code, _, err = stitch_in("left.jpg", "right.jpg", "--blend", "network", "--warp", "classical")
    assert (code, err.count("there is an NVIDIA GPU")) == (0, 1)
    code, _, err = stitch_in("left.jpg", "right.jpg", "--warp", "classical")
    assert (code, err.count("NVIDIA")) == (0, 0)
