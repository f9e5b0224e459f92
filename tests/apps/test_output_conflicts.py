"""No command overwrites one of its inputs, however the paths are spelled: nothing is read, nothing written."""

import hashlib
import os

import cv2
import numpy as np
import pytest
from synthetic import two_planes

from apps.cli import main
from stitching.reporting.outputs import ALIGNED_FILES, STAGE_FILES


def contents(folder):
    """The files and folders in a folder -> a hash of what they hold."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def unharmed(tmp_path, monkeypatch, capfd):
    """Runs a command in the folder; it is to be refused in one line with these words, and to leave all as it is."""
    monkeypatch.chdir(tmp_path)

    def run(command, *words):
        before = contents(tmp_path)
        code = main([str(part) for part in command])
        out, err = capfd.readouterr()
        assert contents(tmp_path) == before
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert all(word in err for word in words), err

    return run


@pytest.fixture
def photographs(tmp_path):
    """A pair that can be stitched, a mask, a warp and weights."""
    scene = two_planes()
    (tmp_path / "sub").mkdir()
    cv2.imwrite(str(tmp_path / "a.jpg"), scene.reference)
    cv2.imwrite(str(tmp_path / "b.jpg"), scene.target)
    cv2.imwrite(str(tmp_path / "mask.png"), np.full(scene.target.shape[:2], 255, np.uint8))
    (tmp_path / "warp.npz").write_bytes(b"a warp")
    (tmp_path / "net.safetensors").write_bytes(b"weights")
    return tmp_path


INPUTS = {
    "a.jpg": (), "b.jpg": (), "mask.png": ("--mask-target", "mask.png"), "warp.npz": ("--load-warp", "warp.npz"),
    "net.safetensors": ("--blend", "network:net.safetensors"),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("option", ["-o", "--save-mask", "--save-warp", "--report"])
def test_no_output_of_a_stitch_is_an_input(photographs, unharmed, option, name):
    output = () if option == "-o" else ("-o", "new.png")
    unharmed(["stitch", "a.jpg", "b.jpg", *output, *INPUTS[name], option, name], f"{option} {name} ", name)


@pytest.mark.parametrize("option", ["-o", "--save-mask", "--report"])
@pytest.mark.parametrize("way", ["./a.jpg", "sub/../a.jpg", "{}/a.jpg", "{}/sub/../a.jpg", "link.jpg", "hard.jpg"])
def test_nor_by_another_way(photographs, unharmed, option, way):
    (photographs / "link.jpg").symlink_to(photographs / "a.jpg")
    os.link(photographs / "a.jpg", photographs / "hard.jpg")
    output = () if option == "-o" else ("-o", "new.png")
    unharmed(["stitch", "a.jpg", "b.jpg", *output, option, way.format(photographs)], option, "reference a.jpg")


@pytest.mark.parametrize(
    ("option", "name"),
    [*(("--save-aligned", name) for name in ALIGNED_FILES), *(("--verbose-dir", name) for name in STAGE_FILES)],
)
def test_no_file_in_a_folder_of_outputs_is_an_input(photographs, unharmed, option, name):
    (photographs / "a.jpg").rename(photographs / "sub" / name)
    (photographs / "link").symlink_to("sub")
    command = ["stitch", f"sub/{name}", "b.jpg", "-o", "new.png", option]
    unharmed([*command, "sub"], f"{option} sub/{name} ", f"reference sub/{name}")
    unharmed([*command, "link"], f"{option} link/{name} ", f"reference sub/{name}")


@pytest.mark.parametrize(
    "options",
    [
        ("--report", "new.png"),
        ("--save-mask", "sub/../new.png"),
        ("--save-aligned", "al", "--report", "al/warp1.png"),
        ("--verbose-dir", "al", "--save-warp", "./al/12_panorama.png"),
        ("--save-warp", "x", "--report", "{}/x"),
        ("--save-aligned", "new.png"),
    ],
)
def test_two_outputs_are_not_one_file(photographs, unharmed, options):
    unharmed(
        ["stitch", "a.jpg", "b.jpg", "-o", "new.png", *(option.format(photographs) for option in options)], "choose"
    )
