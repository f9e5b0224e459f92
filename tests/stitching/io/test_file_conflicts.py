"""Which paths count as one file, and what is said where an output is an input or another output."""

import os
from pathlib import Path

import pytest

from stitching.errors import InputError
from stitching.io.file_conflicts import check_apart, check_outputs, named_weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: `a.jpg` by many names, and `b.jpg`, which has the same contents."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"a photograph")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "link_to_link.jpg").symlink_to("link.jpg")
    os.link(tmp_path / "a.jpg", tmp_path / "hard.jpg")
    (tmp_path / "elsewhere").symlink_to(tmp_path)
    return tmp_path


SPELLINGS = (
    "a.jpg", "./a.jpg", "sub/../a.jpg", "{}/a.jpg", "{}/sub/.././a.jpg", "link.jpg", "link_to_link.jpg", "hard.jpg",
    "elsewhere/a.jpg", "elsewhere/elsewhere/hard.jpg",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_output_that_is_an_input_is_refused_however_it_is_spelled(folder, spelling):
    path = spelling.format(folder)
    words = f"--report {path} would overwrite the input target a.jpg; choose another name for the output"
    with pytest.raises(InputError) as refused:
        check_outputs([("-o", "new.png"), ("--report", path)], [("reference", "b.jpg"), ("target", "a.jpg")])
    assert str(refused.value) == words
    check_outputs([("--report", path)], [("reference", "b.jpg")])


@pytest.mark.parametrize("spelling", ["new.png", "./new.png", "{}/new.png", "elsewhere/new.png", "sub/../NEW.png"])
def test_two_outputs_that_do_not_exist_yet_are_told_apart_by_folder_and_name(folder, spelling):
    path = spelling.format(folder)
    with pytest.raises(InputError, match=r"--report .* would overwrite -o new.png; choose another name for one"):
        check_outputs([("-o", "new.png"), ("--report", path)], [])
    check_outputs([("-o", "new.png"), ("--report", "sub/new.png"), ("--save-mask", "new.tif")], [])


def test_outputs_in_folders_that_do_not_exist_yet_are_compared_too(folder):
    with pytest.raises(InputError, match="would overwrite"):
        check_outputs([("-o", "x/y/new.png"), ("--report", "elsewhere/x/z/../y/new.png")], [])
    with pytest.raises(InputError, match=r"--save-aligned x/warp1.png needs a folder where -o x is to be"):
        check_outputs([("--save-aligned", "x/warp1.png"), ("-o", "x")], [])


def test_a_link_to_nothing_is_the_file_that_writing_through_it_makes(folder):
    (folder / "dangling.png").symlink_to("new.png")
    with pytest.raises(InputError, match="would overwrite"):
        check_outputs([("-o", "dangling.png"), ("--save-mask", "new.png")], [])


def test_inputs_may_be_the_same_file(folder):
    check_outputs([("-o", "new.png")], [("reference", "a.jpg"), ("target", "hard.jpg")])


@pytest.mark.parametrize("spelling", ["photos", "photos/below", "elsewhere/photos", ".", "photos/new/folder"])
def test_an_output_folder_is_not_an_input_holds_none_and_lies_in_none(folder, spelling):
    (folder / "photos" / "below").mkdir(parents=True)
    with pytest.raises(InputError, match=f"OUTPUT {spelling} is the input --textures photos, holds it or lies inside"):
        check_apart(("OUTPUT", spelling), [("--textures", "photos")])
    check_apart(("OUTPUT", "photos2"), [("--textures", "photos")])


def test_weights_are_named_behind_a_colon(folder, monkeypatch):
    (folder / "net").mkdir()
    for name in ("net/pwm.onnx", "net/SHA256SUMS", "net/panorama.png", "w.ckpt"):
        (folder / name).write_bytes(b"")
    monkeypatch.setenv("HOME", str(folder))
    found = {str(path) for _, path in named_weights("--warp", "matches:net")}
    assert found == {"net/pwm.onnx", "net/SHA256SUMS"}  # what else lies there is no input
    assert named_weights("--warp", "ptlflow:raft:w.ckpt") == [("--warp", Path("w.ckpt"))]
    assert named_weights("--warp", "ptlflow:raft:~/w.ckpt") == [("--warp", folder / "w.ckpt")]
    assert [named_weights("--warp", name) for name in ("auto", "ptlflow:raft", "matches:none", "matches:")] == [[]] * 4
