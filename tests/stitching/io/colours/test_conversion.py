import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from colour_profiles import matrix_profile_with, rgb_table_profile
from picture_files import refused
from PIL import Image, ImageCms

from stitching.io.colours.conversion import convert_pixels
from stitching.io.colours.made_profiles import made_profile

P3, ADOBE, SRGB = made_profile("Display P3"), made_profile("Adobe RGB"), made_profile("sRGB")
SAMPLES = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
CURVES = {
    "identity": b"curv" + struct.pack(">4xI", 0),
    "power": b"curv" + struct.pack(">4xIH", 1, 461),
    "samples": b"curv" + struct.pack(">4xI5H", 5, 0, 4000, 15000, 35000, 65535),
    "para 1": b"para" + struct.pack(">4xHH3i", 1, 0, 131072, 71000, -5464),
    "para 2": b"para" + struct.pack(">4xHH4i", 2, 0, 131072, 71000, -5464, 0),
    "para 4": b"para" + struct.pack(">4xHH7i", 4, 0, 157286, 62119, 3417, 5072, 2651, 0, 0),
}


def by_little_cms(pixels, source, target):
    """8-bit BGR converted by Pillow's function for whole pictures."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    profiles = (ImageCms.ImageCmsProfile(BytesIO(icc or SRGB)) for icc in (source, target))
    return np.asarray(ImageCms.profileToProfile(image, *profiles))[..., ::-1]


def converted(pixels, source, target):
    changed = pixels.copy()
    convert_pixels(changed, source, target, "picture")
    return changed


def test_eight_bits_are_converted_as_by_little_cms():
    np.testing.assert_array_equal(converted(SAMPLES, P3, None), by_little_cms(SAMPLES, P3, None))
    table = rgb_table_profile()
    np.testing.assert_array_equal(converted(SAMPLES, table, ADOBE), by_little_cms(SAMPLES, table, ADOBE))


@pytest.mark.parametrize("target", [None, P3, ADOBE])
@pytest.mark.parametrize("source", [None, P3, ADOBE])
def test_sixteen_bits_agree_with_little_cms(source, target):
    deep = converted(SAMPLES.astype(np.uint16) * 257, source, target)
    difference = np.abs(deep / 257 - by_little_cms(SAMPLES, source, target))
    assert difference.mean() < 0.3  # of 255; rounding to 8 bits alone makes 0.25
    assert difference.max() < 4  # of dark colours, where 8 bits are coarse


@pytest.mark.parametrize("curve", CURVES)
def test_every_kind_of_tone_curve_agrees_with_little_cms(curve):
    source = matrix_profile_with(ADOBE, CURVES[curve])
    deep = converted(SAMPLES.astype(np.uint16) * 257, source, None)
    assert np.abs(deep / 257 - by_little_cms(SAMPLES, source, None)).mean() < 0.3


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_there_and_back_leaves_the_colours(depth):
    white = np.iinfo(depth).max
    narrow = cv2.normalize(SAMPLES.astype(np.float32), None, 0.2 * white, 0.8 * white, cv2.NORM_MINMAX).astype(depth)
    back = converted(converted(narrow, None, P3), P3, None)
    assert np.abs(back.astype(float) - narrow).max() <= 3


def test_black_grey_and_white_stay_neutral():
    grey = np.repeat(np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None], 3, axis=2)
    found = converted(grey, None, P3).astype(int)
    assert np.abs(found - grey).max() <= 40  # of 65535
    assert found[0, 0].max() == 0
    assert found[0, -1].min() >= 65533


def test_tables_cannot_be_used_with_sixteen_bits():
    with refused("picture", "16 bits", "one profile"):
        converted(SAMPLES.astype(np.uint16), rgb_table_profile(), None)


def test_a_profile_that_little_cms_refuses_is_named():
    broken = rgb_table_profile().replace(b"mft1", b"xxxx")
    with refused("picture", "colour profile"):
        converted(SAMPLES, broken, None)
