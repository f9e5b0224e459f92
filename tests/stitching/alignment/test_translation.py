import cv2
import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from stitching.alignment.translation import find_translation

SHIFTS = [(0, 0), (37, 0), (-25, 14), (60, -30), (-110, -50)]


def clouds(seed, sigma=8, contrast=25, shape=(400, 500)):
    """Soft blobs, (h, w) float, around 128."""
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=shape), (0, 0), sigma)
    return 128 + contrast * smooth / np.abs(smooth).max()


def photographed(scene, seed=0, noise=2.0):
    return np.clip(scene + np.random.default_rng(seed).normal(0, noise, scene.shape), 0, 255).astype(np.uint8)


def views(x, y, shape=(200, 260), **options):
    """Target and reference; what is at p in the target is at p + (x, y) in the reference."""
    scene, (h, w) = clouds(1, **options), shape
    reference, target = scene[90:290, 120:380], scene[90 + y : 90 + y + h, 120 + x : 120 + x + w]
    return photographed(target, 1), photographed(reference, 2)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("sigma", [3, 8, 14])
def test_a_translation_is_found(shift, sigma):
    found = find_translation(*views(*shift, sigma=sigma))
    assert np.linalg.norm(np.subtract(found.shift, shift)) < 3  # little more than a pixel of the small copies
    assert 0.55 < found.correlation <= 1
    assert found.significance > 6


def test_a_fraction_of_a_pixel_is_found_in_small_pictures():
    scene = clouds(2, sigma=4, shape=(100, 120))
    moved = cv2.warpAffine(scene, np.float64([[1, 0, 3.4], [0, 1, -2.3]]), (120, 100), flags=cv2.INTER_CUBIC)
    inner = slice(10, -10), slice(10, -10)
    found = find_translation(photographed(scene[inner], noise=0), photographed(moved[inner], noise=0))
    assert np.allclose(found.shift, (3.4, -2.3), atol=0.2)


def test_pictures_of_different_sizes_are_compared_too():
    found = find_translation(*views(-20, 30, shape=(150, 180)))
    assert np.linalg.norm(np.subtract(found.shift, (-20, 30))) < 2
    assert found.correlation > 0.6


def test_exposure_does_not_matter():
    target, reference = views(37, 0)
    found = find_translation((target * 0.6 + 40).astype(np.uint8), reference)
    assert np.linalg.norm(np.subtract(found.shift, (37, 0))) < 2


def test_two_photographs_of_different_skies_do_not_correlate():
    """A gradient and dark corners are alike in any two of them; their clouds are not."""
    y, x = np.mgrid[-1:1:200j, -1:1:260j]
    for gradient in (0, 60):
        for vignetting in (0, 0.3):
            light = (1 - vignetting * (x * x + y * y) / 2) * (1 + gradient / 128 * y)
            for seed in range(6):
                pair = [clouds(10 + 2 * seed + i, 15, 12, (200, 260)) * light for i in (0, 1)]
                found = find_translation(photographed(pair[0], 3), photographed(pair[1], 4))
                assert found.correlation < 0.5
                assert found.significance < 5


@pytest.mark.parametrize("other", ["flat", "the same"])
def test_a_picture_without_details_correlates_with_no_other(other):
    flat = np.full((200, 260), 90, np.uint8)
    found = find_translation(flat, flat if other == "the same" else views(0, 0)[1])
    assert found.correlation < 0.2
    assert found.significance < 1


def test_masked_regions_are_ignored():
    """A watermark that both pictures have in one place, and the scene that moved below it."""
    target, reference = views(40, 10)
    mask = np.full(target.shape, 255, np.uint8)
    for picture in (target, reference):
        picture[20:180, 60:200] = photographed(clouds(7, 3, 90, (160, 140)), noise=0)
    mask[15:185, 55:205] = 0
    assert np.abs(find_translation(target, reference).shift).max() < 2
    found = find_translation(target, reference, mask, mask)
    assert np.linalg.norm(np.subtract(found.shift, (40, 10))) < 3
    assert found.correlation > 0.5


@pytest.mark.parametrize("side", [12, 20, 32, 48])
@pytest.mark.parametrize("onto", ["a photograph", "another small one"])
def test_small_pictures_of_other_scenes_correlate_by_chance_alone(side, onto):
    """Among thousands of translations one correlates; with so few details that says nothing."""
    photographs = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (coffee(), chelsea(), astronaut())]
    random = np.random.default_rng(0)
    for first, second in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
        for _ in range(4):
            x, y = random.integers(0, 200, 2)
            cut = photographs[first][y : y + 2 * side, x : x + 2 * side]
            target = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
            reference = photographs[second]
            if onto != "a photograph":
                reference = cv2.resize(reference, (side, side), interpolation=cv2.INTER_AREA)
            assert find_translation(target, reference).significance < 8


@pytest.mark.parametrize("side", [32, 48, 96])
def test_small_pictures_of_one_scene_correlate_beyond_chance(side):
    scene = cv2.resize(cv2.cvtColor(coffee(), cv2.COLOR_RGB2GRAY), (2 * side, 2 * side), interpolation=cv2.INTER_AREA)
    reference, target = scene[:side, :side], scene[side // 5 : side // 5 + side, side // 4 : side // 4 + side]
    found = find_translation(photographed(target, 1), photographed(reference, 2))
    assert np.linalg.norm(np.subtract(found.shift, (side // 4, side // 5))) < 1
    assert found.significance > 8
