"""No command overwrites one of its inputs, however the paths are spelled: nothing is read, nothing written."""

import hashlib
import os

import cv2
import numpy as np
import pytest
from synthetic import two_planes

from apps.cli import main
from stitching.network.runtime.checked_file import SHIPPED
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


@pytest.mark.parametrize("way", ["out/pwm.onnx", "out/../out/SHA256SUMS", "link", "hard", "elsewhere/sigmo.onnx"])
def test_no_exported_file_is_the_weights(tmp_path, unharmed, way):
    (tmp_path / "out").mkdir()
    for name in ("pwm.onnx", "SHA256SUMS", "sigmo.onnx"):
        (tmp_path / "out" / name).write_bytes(b"weights")
    (tmp_path / "link").symlink_to("out/pwm.onnx")
    (tmp_path / "elsewhere").symlink_to("out")
    os.link(tmp_path / "out" / "pwm.onnx", tmp_path / "hard")
    unharmed(["export", way, "-o", "out"], "OUTPUT out/", f"WEIGHTS {way}", "choose another")


@pytest.mark.parametrize("line", ["0123abcd  photo.jpg", "0123abcd *pwm.onnx", "no checksum at all"])
def test_checksums_of_other_files_stay(tmp_path, unharmed, line):
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  pwm.onnx\n{line}\n")
    unharmed(["export", SHIPPED / "network.safetensors", "-o", "."], "SHA256SUMS", line, "choose another folder")


@pytest.fixture
def pairs(photographs):
    """The pair as a folder of pairs, and a folder for results."""
    (photographs / "pairs" / "first").mkdir(parents=True)
    (photographs / "a.jpg").rename(photographs / "pairs" / "first" / "1.jpg")
    (photographs / "b.jpg").rename(photographs / "pairs" / "first" / "2.jpg")
    (photographs / "out" / "sheets").mkdir(parents=True)
    return photographs


@pytest.mark.parametrize("way", ["pairs", "out/../pairs", "{}/pairs", "link"])
def test_an_evaluation_does_not_write_among_the_pairs(pairs, unharmed, way):
    (pairs / "link").symlink_to("pairs")
    output = way.format(pairs)
    unharmed(["evaluate", "pairs", "-o", output], f"OUTPUT {output} would overwrite the input PAIRS pairs")


@pytest.mark.parametrize("name", ["results.csv", "results.json", "tables.md", "truth.csv", "sheets/001.jpg"])
def test_no_result_of_an_evaluation_is_a_picture_or_of_something_else(pairs, unharmed, name):
    (pairs / "out" / name).symlink_to(pairs / "pairs" / "first" / "1.jpg")
    unharmed(["evaluate", "pairs", "-o", "out"], name, "PAIRS pairs", "choose another folder")
    (pairs / "out" / name).unlink()
    (pairs / "out" / name).write_bytes(b"a photograph")
    unharmed(["evaluate", "pairs", "-o", "out"], name, "of no evaluation", "choose another output folder")
    (pairs / "out" / name).unlink()
    (pairs / "out" / "results.csv").write_bytes(b"day,rain\n")
    unharmed(["evaluate", "pairs", "-o", "out"], "results.csv", "of no evaluation")


def test_no_result_of_an_evaluation_is_weights(pairs, unharmed):
    (pairs / "out" / "tables.md").symlink_to(pairs / "net.safetensors")
    command = ["evaluate", "pairs", "-o", "out", "--methods"]
    for method in ("pwm:net.safetensors", "matches:./sub/../net.safetensors+dis", "sigmo:{}/net.safetensors"):
        unharmed([*command, method.format(pairs)], "tables.md would overwrite the input", "net.safetensors")


def test_sheets_are_not_written_into_the_folder_of_the_pairs(pairs, unharmed):
    """Older sheets are removed: behind this link they would be photographs."""
    (pairs / "pairs" / "001.jpg").write_bytes(b"a photograph")
    (pairs / "out" / "sheets").rmdir()
    (pairs / "out" / "sheets").symlink_to(pairs / "pairs")
    unharmed(["evaluate", "pairs", "-o", "out"], "sheets", "PAIRS pairs")


@pytest.mark.parametrize("way", ["city", "out/../city", "link"])
def test_a_benchmark_does_not_write_into_its_data_set(tmp_path, unharmed, way):
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "results.csv").write_bytes(b"of the data set")
    (tmp_path / "link").symlink_to("city")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "table.md").symlink_to("../city/results.csv")
    command = ["mtl-bench", "--data", "cityscapes", "--folder", "city"]
    unharmed([*command, way], f"OUTPUT {way} would overwrite the input --folder")
    unharmed([*command, "out"], "table.md", "--folder", "choose another folder")
