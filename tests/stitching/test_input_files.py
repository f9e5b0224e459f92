from pathlib import Path

import pytest
from picture_files import bytes_of, photo, refused, saved

from stitching.input_files import expand_inputs

PNG = bytes_of(".png", photo())
MP4, MATROSKA = b"\0\0\0\x20ftypisom\0\0\2\0", b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x23"
HEIC = b"\0\0\0\x24ftypheic\0\0\0\0"


def names(paths):
    return [path.name for path in paths]


def test_a_folder_stands_for_its_pictures_in_natural_order(tmp_path):
    for name in ("img10.png", "img9.PNG", "Img1.jpg", "img11.HEIC", "no_suffix", ".hidden.png"):
        saved(tmp_path / name, PNG)
    saved(tmp_path / "notes.txt", b"words")
    saved(tmp_path / "film.mp4", MP4)
    (tmp_path / "deeper.png").mkdir()
    assert names(expand_inputs([tmp_path])) == ["Img1.jpg", "img9.PNG", "img10.png", "img11.HEIC", "no_suffix"]


def test_a_damaged_picture_of_a_folder_is_not_passed_over(tmp_path):
    saved(tmp_path / "a.jpg", b"")
    assert names(expand_inputs([tmp_path])) == ["a.jpg"]


def test_files_stay_in_the_order_in_which_they_are_given(tmp_path):
    second, first = (saved(tmp_path / name, PNG) for name in ("2.png", "1.png"))
    assert expand_inputs([second, str(first)]) == [second, first]
    assert expand_inputs(["not there.jpg"]) == [Path("not there.jpg")]


def test_a_pattern_that_the_shell_has_left_stands_for_the_files_that_fit(tmp_path):
    for name in ("b10.png", "b2.png", "c.png"):
        saved(tmp_path / name, PNG)
    assert names(expand_inputs([f"{tmp_path}/b*.png"])) == ["b2.png", "b10.png"]
    named = saved(tmp_path / "a[1].png", PNG)
    assert expand_inputs([named]) == [named]
    with refused("x*.png", "fits no picture"):
        expand_inputs([f"{tmp_path}/x*.png"])


def test_a_pattern_gives_a_file_once_where_links_lead_to_it_again(tmp_path):
    first, second = (saved(tmp_path / name, PNG) for name in ("a.png", "b.png"))
    (tmp_path / "again").symlink_to(tmp_path)
    assert expand_inputs([f"{tmp_path}/**/*.png"]) == [first, second]


def test_a_folder_without_pictures_is_refused(tmp_path):
    saved(tmp_path / "notes.txt", b"words")
    with refused(str(tmp_path), "no picture in this folder"):
        expand_inputs([tmp_path])


@pytest.mark.parametrize(
    ("name", "content"), [("a.mov", b"anything"), ("a", MP4), ("a.bin", MATROSKA), ("a.AVI", b"RIFF\0\0\0\0AVI ")]
)
def test_a_video_is_refused_with_the_way_to_take_frames(tmp_path, name, content):
    with refused(name, "ffmpeg -i", "-vf fps=2 frames/%04d.png"):
        expand_inputs([saved(tmp_path / name, content)])


def test_the_command_for_frames_can_be_copied(tmp_path):
    path = saved(tmp_path / "my film.mp4", MP4)
    with refused(f"ffmpeg -i '{path}' -vf"):
        expand_inputs([path])


@pytest.mark.parametrize(("name", "content"), [("a.mp4", PNG), ("a.heic", HEIC), ("a.mp4", b"")])
def test_what_is_no_video_is_left_to_the_reader(tmp_path, name, content):
    path = saved(tmp_path / name, content)
    assert expand_inputs([path]) == [path]
