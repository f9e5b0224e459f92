import struct

import cv2
import numpy as np
import pytest
from picture_files import bytes_of, half_transparent, photo, pillow_bytes, refused, saved
from PIL import Image

from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture


def mark_alpha(tiff, meaning):
    """Overwrite a tag of OpenCV's file that says the default with one that says what alpha means."""
    start = struct.unpack_from("<I", tiff, 4)[0]
    (count,) = struct.unpack_from("<H", tiff, start)
    at = start + 2 + 12 * (count - 1)
    assert struct.unpack_from("<H", tiff, at) == (339,)
    struct.pack_into("<HHIHH", tiff, at, 338, 3, 1, meaning, 0)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("multiplied", [False, True])
def test_half_transparent_tiff_keeps_its_colours(tmp_path, depth, multiplied):
    full = np.iinfo(depth).max
    share = 200 / 255
    colours = (photo(depth) * share).astype(depth) if multiplied else photo(depth)
    pixels = np.dstack([colours, np.full((48, 64), round(full * share), depth)])
    marked = bytearray(bytes_of(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1]))
    mark_alpha(marked, 1 if multiplied else 2)
    picture = read_picture(saved(tmp_path / "soft.tif", bytes(marked)))
    assert picture.valid is None
    assert np.abs(picture.pixels.astype(int) - photo(depth)).max() <= full // 128


def test_tiff_alpha_is_marked_as_not_multiplied_into_the_colours(tmp_path):
    write_picture(tmp_path / "panorama.tif", photo(), half_transparent())
    with Image.open(tmp_path / "panorama.tif") as image:
        assert image.tag_v2[338] == (2,)


@pytest.mark.parametrize("depth", [np.int16, np.int8])
def test_a_tiff_of_another_depth_is_refused(tmp_path, depth):
    path = saved(tmp_path / "deep.tif", bytes_of(".tif", photo().astype(depth)))
    with refused(np.dtype(depth).name, "uint16"):
        read_picture(path)


def test_a_raw_file_with_a_preview_in_front_is_refused(tmp_path):
    image = Image.fromarray(photo())
    with refused("preview"):
        read_picture(saved(tmp_path / "raw.dng", pillow_bytes(image, "TIFF", tiffinfo={254: 1})))
