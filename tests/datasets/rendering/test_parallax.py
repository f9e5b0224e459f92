"""Parallax is what no homography explains."""

import cv2
import numpy as np
import pytest
import torch

from datasets.rendering.parallax import homography_residual, masked_quantiles

WIDTH = 256
SCALE = 512 / WIDTH
MATRIX = np.array([[1.05, 0.03, -60], [-0.04, 0.98, 9], [2e-4, -1e-4, 1]])


def grid():
    x, y = np.meshgrid(np.arange(0, WIDTH, 8), np.arange(0, 192, 8))
    return np.stack([x, y], 2).reshape(-1, 2).astype(float)


def moved(places, matrix=MATRIX):
    return cv2.perspectiveTransform(places[None], matrix)[0]


def residual(places, matches, counts=None):
    counts = np.ones(len(places)) if counts is None else counts
    tensors = (torch.from_numpy(np.asarray(v, float))[None] for v in (places, matches, counts))
    return homography_residual(*tensors, WIDTH)[0].numpy()


def test_a_homography_leaves_nothing():
    places = grid()
    assert residual(places, moved(places)).max() < 1e-3


def test_what_stands_off_the_plane_that_most_see_sticks_out():
    places = grid()
    matches = moved(places)
    rng = np.random.default_rng(1)
    off = rng.random(len(places)) < 0.3
    matches[off] += (5, 2)
    found = residual(places, matches)
    np.testing.assert_allclose(found[off], np.hypot(5, 2) * SCALE, rtol=0.1)
    assert found[~off].max() < 0.3 * SCALE


def test_two_planes_side_by_side_cannot_both_be_met():
    places = grid()
    matches = moved(places)
    right = places[:, 0] > WIDTH / 2
    matches[right, 1] += 12
    found = residual(places, matches)
    assert np.median(found) > 0.5 * SCALE
    assert found.max() < 12 * SCALE
    # No homography of OpenCV's robust ones leaves less in the mean.
    best, _ = cv2.findHomography(places, matches, cv2.LMEDS)
    least, _ = cv2.findHomography(places, matches, 0)
    rivals = [np.linalg.norm(moved(places, m) - matches, axis=1).mean() * SCALE for m in (best, least)]
    assert found.mean() <= min(rivals) * 1.02


def test_the_uncounted_change_nothing_and_have_a_residual():
    places = grid()
    matches = moved(places)
    counts = places[:, 0] < 180
    clean = residual(places[counts], matches[counts])
    matches[~counts] = moved(places[~counts]) + np.array([40, -30])
    found = residual(places, matches, counts)
    np.testing.assert_allclose(found[counts], clean, atol=1e-6)
    np.testing.assert_allclose(found[~counts], 50 * SCALE, rtol=1e-3)


@pytest.mark.parametrize(("count", "some"), [(0, False), (7, False), (8, True)])
def test_few_matches_tell_nothing(count, some):
    places = grid()
    rng = np.random.default_rng(2)
    matches = places + rng.normal(0, 20, places.shape)
    counts = np.arange(len(places)) * 97 % len(places) < count
    assert counts.sum() == count
    found = residual(places, matches, counts)
    assert np.isfinite(found).all()
    assert (found > 0).any() == some


def test_every_pair_of_a_batch_is_measured_by_itself():
    places = grid()
    other = moved(places) + np.random.default_rng(3).normal(0, 4, places.shape)
    both = torch.from_numpy(np.stack([moved(places), other]))
    one = torch.from_numpy(np.stack([places, places]))
    found = homography_residual(one, both, torch.ones(2, len(places)), WIDTH).numpy()
    np.testing.assert_allclose(found[0], residual(places, moved(places)), atol=1e-6)
    np.testing.assert_allclose(found[1], residual(places, other), atol=1e-6)
    assert np.median(found[1]) > 2 * SCALE


def test_residuals_are_in_pixels_of_a_512_px_wide_picture():
    places = grid()
    matches = moved(places) + np.random.default_rng(3).normal(0, 4, places.shape)
    halved = (torch.from_numpy(v / 2)[None] for v in (places, matches))
    found = homography_residual(*halved, torch.ones(1, len(places)), WIDTH // 2)[0].numpy()
    np.testing.assert_allclose(found, residual(places, matches), rtol=1e-6, atol=1e-6)


def test_quantiles_of_the_masked_are_the_nearest_values_below():
    values = torch.tensor([[5.0, 1, 4, 2, 3, 99], [7.0, 8, 9, 1, 1, 1], [3.0, 3, 3, 3, 3, 3]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    found = masked_quantiles(values, mask, (0.0, 0.5, 0.9, 1.0))
    assert found.tolist() == [[1, 3, 4, 5], [7, 7, 7, 8], [0, 0, 0, 0]]
