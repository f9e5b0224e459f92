import struct

import pytest
from picture_files import exif_block, photo, saved, with_exif
from PIL import Image

from stitching.io.colours.made_profiles import made_profile
from stitching.io.metadata.tiff_tags import EXIF, INTEROPERABILITY, SHORT, write_directory
from stitching.io.picture_reader import read_picture


@pytest.mark.parametrize("order", ["<", ">"])
def test_thumbnail_and_pixel_size_are_not_carried_over(tmp_path, order):
    path = saved(tmp_path / "photo.jpg", with_exif(photo(), exif_block(3, order)))
    exif = Image.Exif()
    exif.load(read_picture(path).metadata.exif)
    assert exif.get_ifd(0x8769) == {0x829A: 1 / 250}
    assert exif.get_ifd(1) == {}


@pytest.mark.parametrize("damage", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\x01" * 40])
def test_a_picture_with_damaged_exif_is_read(tmp_path, damage):
    picture = read_picture(saved(tmp_path / "photo.jpg", with_exif(photo(), damage + b"\0")))
    assert picture.size == (64, 48)


def test_exif_directories_that_form_a_loop_are_read_once(tmp_path):
    loop = struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 0x8769, 4, 1, 8, 0)
    assert read_picture(saved(tmp_path / "photo.jpg", with_exif(photo(), loop))).size == (64, 48)


@pytest.mark.parametrize(
    ("colour_space", "index", "adobe"),
    [
        (65535, b"R03\0", True),
        (2, b"R98\0", True),
        (1, b"R98\0", False),
        (1, b"R03\0", False),
        (65535, b"R98\0", False),
    ],
)
def test_cameras_that_say_adobe_rgb_without_a_profile_get_one(tmp_path, colour_space, index, adobe):
    exif = {0xA001: (SHORT, struct.pack("<H", colour_space)), INTEROPERABILITY: {1: (2, index)}}
    content = with_exif(photo(), b"II*\0\x08\0\0\0" + write_directory({EXIF: exif}, 8))
    found = read_picture(saved(tmp_path / "photo.jpg", content)).metadata.icc
    assert found == (made_profile("Adobe RGB") if adobe else None)
