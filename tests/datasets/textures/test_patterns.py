"""Procedural textures are tileable, depend on their seed alone and have detail."""

import numpy as np
import pytest

from datasets.textures.patterns import PATTERNS
from datasets.textures.periodic import noise, stamp

SIDE = 128


def pattern(name, seed=1, side=SIDE):
    return PATTERNS[name](np.random.default_rng(seed), side)


def jumps(picture):
    """Mean absolute difference between each row and the next one; the last is the one across the wrap."""
    wide = picture.astype(np.float64)
    return np.abs(np.roll(wide, -1, axis=0) - wide).mean(axis=(1, 2))


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("seed", [1, 2])
def test_patterns_are_tileable(name, seed):
    picture = pattern(name, seed)
    for turned in (picture, picture.transpose(1, 0, 2)):
        steps = jumps(turned)
        assert steps[-1] <= 1.25 * steps[:-1].max()


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_have_the_size_asked_for_and_detail(name):
    picture = pattern(name)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 30  # not flat graphics


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_depend_on_the_seed_alone(name):
    assert np.array_equal(pattern(name), pattern(name))
    assert not np.array_equal(pattern(name), pattern(name, seed=2))


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("side", [16, 256])
def test_patterns_have_any_size(name, side):
    assert pattern(name, side=side).shape == (side, side, 3)


def test_clouds_are_grey_with_clear_sky_between():
    clouds = pattern("clouds")
    assert np.array_equal(clouds[..., 0], clouds[..., 2])
    assert clouds.min() == 0
    assert clouds.max() > 150


def test_noise_is_of_mean_0_and_deviation_1_and_in_its_band():
    field = noise(np.random.default_rng(1), 64, 4, 8)
    assert field.mean() == pytest.approx(0, abs=1e-9)
    assert field.std() == pytest.approx(1)
    spectrum = np.abs(np.fft.fft2(field))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(64, 1 / 64)] * 2))
    assert spectrum[(frequency < 4) | (frequency > 8)].max() < 1e-6 * spectrum.max()


def test_stamped_polygons_wrap_around():
    square = np.array([[-0.1, -0.1], [0.1, -0.1], [0.1, 0.1], [-0.1, 0.1]])
    at_corner, in_middle = np.zeros((2, 80, 80, 3), np.uint8)
    stamp(at_corner, square, np.array([10.0, 20.0, 30.0]))
    stamp(in_middle, square + 0.5, np.array([10.0, 20.0, 30.0]))
    differ = np.any(np.roll(at_corner, (40, 40), (0, 1)) != in_middle, axis=2)
    assert differ.sum() <= 8  # a few half-covered pixels, where the polygon is clipped
    assert in_middle[40, 40].tolist() == [10, 20, 30]
