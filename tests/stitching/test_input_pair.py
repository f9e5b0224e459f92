import numpy as np
import pytest
from picture_files import photo, pillow_bytes, refused, saved
from PIL import Image, ImageCms

from stitching.input_pair import read_pair
from stitching.io.colours.conversion import convert_pixels
from stitching.io.colours.made_profiles import made_profile

FINE = np.linspace(0, 65535, 300 * 400 * 3).astype(np.uint16).reshape(300, 400, 3)  # (n,) -> (300, 400, 3)
COARSE = (FINE >> 8).astype(np.uint8)


def test_two_pictures_of_few_values_keep_them_and_share_their_levels():
    dark, bright = FINE // 60, FINE // 30
    first, second = read_pair(dark, bright)
    assert np.array_equal(first.pixels, dark)
    assert np.array_equal(second.pixels, bright)
    assert first.levels == second.levels
    assert first.levels[1] == pytest.approx(65535 / 30, rel=0.02)


def test_photographs_of_16_bits_have_no_levels():
    first, second = read_pair(FINE, FINE // 3)
    assert first.levels is second.levels is None
    assert np.array_equal(first.pixels, FINE)


@pytest.mark.parametrize("swapped", [False, True])
def test_beside_one_of_8_bits_a_picture_of_few_values_is_as_bright(swapped):
    pair = [COARSE, FINE // 60][:: -1 if swapped else 1]
    first, second = read_pair(*pair)
    assert first.levels == second.levels
    assert np.array_equal(first.pixels, FINE // 60 if swapped else COARSE * np.uint16(257))
    means = first.pixels.mean(), second.pixels.mean()
    assert means[1] == pytest.approx(means[0], rel=0.03)


def test_a_picture_of_one_colour_is_refused_with_few_values_too():
    noise = np.random.default_rng(0).integers(500, 503, (60, 80, 3)).astype(np.uint16)
    with refused("target", "one colour"):
        read_pair(COARSE, noise)
    with refused("reference", "one colour"):
        read_pair(noise, FINE // 60)


P3 = made_profile("Display P3")
COLOURS = photo(shape=(60, 80, 3))


def with_profile_of(path, icc, pixels=COLOURS):
    """A PNG, lossless; with a profile or without."""
    image = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
    return saved(path, pillow_bytes(image, "PNG", icc_profile=icc))


def test_the_target_gets_the_colour_profile_of_the_reference(tmp_path):
    """The same colours in other numbers: after the conversion both pictures have the same numbers."""
    in_p3 = COLOURS.copy()
    convert_pixels(in_p3, None, P3, "")
    reference = with_profile_of(tmp_path / "reference.png", P3, in_p3)
    target = with_profile_of(tmp_path / "target.png", None)
    first, second = read_pair(reference, target)
    assert first.metadata.icc == second.metadata.icc == P3
    assert np.array_equal(first.pixels, in_p3)
    assert np.array_equal(second.pixels, in_p3)
    first, second = read_pair(target, reference)
    assert first.metadata.icc is second.metadata.icc is None
    assert np.abs(second.pixels.astype(int) - COLOURS).mean() < 1


def test_profiles_that_mean_the_same_change_no_pixel(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged = with_profile_of(tmp_path / "tagged.png", srgb)
    for other in (None, made_profile("sRGB")):
        first, second = read_pair(tagged, with_profile_of(tmp_path / "other.png", other, COLOURS[::-1]))
        assert np.array_equal(first.pixels, COLOURS)
        assert np.array_equal(second.pixels, COLOURS[::-1])


def test_arrays_of_the_caller_stay_as_they_are(tmp_path):
    array = COLOURS.copy()
    second = read_pair(with_profile_of(tmp_path / "p3.png", P3), array)[1]
    assert np.array_equal(array, COLOURS)
    assert not np.array_equal(second.pixels, COLOURS)


def test_sixteen_bits_are_converted_like_eight(tmp_path):
    p3 = with_profile_of(tmp_path / "p3.png", P3)
    deep = read_pair(p3, COLOURS * np.uint16(257))[1].pixels
    plain = read_pair(p3, COLOURS)[1].pixels
    assert np.abs(deep / 257 - plain).mean() < 0.5
