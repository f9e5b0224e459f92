import struct

import cv2
import numpy as np
import pytest
from picture_files import ICC, bytes_of, exif_block, photo, refused, saved, with_exif
from PIL import Image

from stitching.errors import InputError
from stitching.io.metadata.contents import Metadata
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture


def test_a_jpeg_may_be_followed_by_a_trailer_or_a_second_picture(tmp_path):
    jpeg = bytes_of(".jpg", photo())
    for behind in (b"SEFT" * 10, b"\xff" * 1000, jpeg[: len(jpeg) // 2]):
        assert read_picture(saved(tmp_path / "phone.jpg", jpeg + behind)).size == (64, 48)


def test_progressive_jpegs_and_jpegs_with_restarts_are_read(tmp_path):
    for setting in ([cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]):
        assert read_picture(saved(tmp_path / "a.jpg", bytes_of(".jpg", photo(), setting))).size == (64, 48)


def test_a_large_profile_survives_jpeg(tmp_path):
    large = np.random.default_rng(2).bytes(200_000)
    icc = struct.pack(">I", 132 + len(large)) + ICC[4:] + large
    write_picture(tmp_path / "a.jpg", photo(), metadata=Metadata(icc=icc))
    assert read_picture(tmp_path / "a.jpg").metadata.icc == icc
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.info["icc_profile"] == icc


def test_a_packet_too_large_for_jpeg_is_left_out(tmp_path):
    xmp = b"<x/>" + b" " * 70_000
    write_picture(tmp_path / "a.jpg", photo(), metadata=Metadata(xmp=xmp, icc=ICC))
    assert read_picture(tmp_path / "a.jpg").metadata == Metadata(icc=ICC)


@pytest.mark.parametrize("setting", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 0], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_a_jpeg_whose_end_was_never_written_is_refused(tmp_path, setting):
    """A stopped download into a file of the full size; decoders turn the zeros into grey."""
    content = bytes_of(".jpg", photo(shape=(200, 300, 3)), setting)
    half = len(content) // 2
    with refused("cut short"):
        read_picture(saved(tmp_path / "cut.jpg", content[:half] + bytes(len(content) - half)))


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path):
    thumbnail = exif_block(1) + bytes_of(".jpg", photo()[::2, ::2])
    content = with_exif(photo(shape=(200, 300, 3)), thumbnail)
    with pytest.raises(InputError):
        read_picture(saved(tmp_path / "cut.jpg", content[: len(content) // 2]))
