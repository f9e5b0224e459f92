import numpy as np
import pytest
from picture_files import refused

from stitching.input_pair import read_pair

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
