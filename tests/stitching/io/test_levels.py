import numpy as np
import pytest

from stitching.io.levels import MAX_RANGE, find_levels, to_levels
from stitching.io.picture import Picture, to_8_bit


def deep(low, high):
    """A picture of 16 bits with as many pixels of each value from `low` to `high`."""
    return Picture(np.linspace(low, high, 300 * 400 * 3).round().astype(np.uint16).reshape(300, 400, 3))  # (n,) -> ...


def test_a_photograph_of_16_bits_is_not_stretched():
    assert find_levels(deep(0, 65535)) is None
    assert find_levels(deep(900, MAX_RANGE + 2000)) is None  # a dark one


def test_few_values_are_stretched_to_all_grey_levels():
    picture = deep(67, 2164)
    levels = find_levels(picture)
    assert levels[0] == 0
    assert levels[1] == pytest.approx(2164, rel=0.02)
    shown = to_8_bit(picture.pixels, levels)
    assert shown.min() < 12
    assert shown.max() > 250


def test_black_is_raised_where_most_grey_levels_would_be_empty():
    low, high = find_levels(deep(29000, 31000))
    assert 29000 <= low < 29040
    assert 30960 < high <= 31000


def test_two_pictures_are_stretched_alike():
    dark, bright = deep(100, 700), deep(300, 3000)
    assert find_levels(dark, bright) == find_levels(bright, dark) == find_levels(bright)
    assert find_levels(bright, deep(0, 65535)) is None


def test_glints_dead_pixels_and_what_is_not_valid_do_not_count():
    picture = deep(100, 2000)
    expected = find_levels(picture)
    pixels, valid = picture.pixels.copy(), np.full((300, 400), 255, np.uint8)
    pixels[50, 40:80] = 65535
    pixels[60, 40:80] = 0
    valid[100:200] = 0
    pixels[100:200] = 60000
    assert find_levels(Picture(pixels, valid)) == pytest.approx(expected, rel=0.1)


def test_noise_of_a_picture_that_shows_nothing_is_not_stretched_to_grey_levels():
    noise = np.random.default_rng(0).integers(500, 503, (60, 80, 3)).astype(np.uint16)
    assert np.ptp(to_8_bit(noise, find_levels(Picture(noise)))) <= 2


def test_values_keep_their_proportion_when_they_are_brought_to_other_levels():
    plain = Picture(np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3))  # (256 * 3,) -> (16, 16, 3)
    np.testing.assert_array_equal(to_levels(plain, None).pixels, plain.pixels.astype(int) * 257)
    narrow = to_levels(plain, (29000, 29510))
    np.testing.assert_array_equal(narrow.pixels, 29000 + plain.pixels.astype(int) * 2)
    assert narrow.levels == (29000, 29510)
    np.testing.assert_array_equal(to_levels(narrow, None).pixels, plain.pixels.astype(int) * 257)
    assert to_levels(narrow, (29000, 29510)) is narrow
