"""Parallax is what no homography explains."""

import cv2
import numpy as np
import pytest
import torch

from datasets.rendering.parallax import fit_homographies, homography_residual, masked_quantiles

WIDTH = 256
SCALE = 512 / WIDTH
MATRIX = np.array([[1.05, 0.03, -60], [-0.04, 0.98, 9], [2e-4, -1e-4, 1]])


def grid():
    x, y = np.meshgrid(np.arange(0, WIDTH, 8), np.arange(0, 192, 8))
    return np.stack([x, y], 2).reshape(-1, 2).astype(float)


def moved(points, matrix=MATRIX):
    return cv2.perspectiveTransform(points[None], matrix)[0]


def residual(points, matches, counts=None):
    counts = np.ones(len(points)) if counts is None else counts
    tensors = (torch.from_numpy(np.asarray(v, float))[None] for v in (points, matches, counts))
    return homography_residual(*tensors, WIDTH)[0].numpy()


def test_a_homography_leaves_no_residual():
    points = grid()
    assert residual(points, moved(points)).max() < 1e-3


def test_a_homography_is_found_in_px_from_a_few_matches():
    points = grid()[::37]
    tensors = (torch.from_numpy(values)[None] for values in (points, moved(points), np.ones(len(points))))
    found = fit_homographies(*tensors, WIDTH)[0].numpy()
    assert len(points) < 24
    np.testing.assert_allclose(moved(grid(), found), moved(grid()), atol=1e-3)
    assert found[2] @ (WIDTH / 2, 96, 1) > 0


def test_points_off_the_dominant_plane_have_a_residual():
    points = grid()
    matches = moved(points)
    rng = np.random.default_rng(1)
    off = rng.random(len(points)) < 0.3
    matches[off] += (5, 2)
    found = residual(points, matches)
    np.testing.assert_allclose(found[off], np.hypot(5, 2) * SCALE, rtol=0.1)
    assert found[~off].max() < 0.3 * SCALE


def test_two_planes_do_not_fit_one_homography():
    points = grid()
    matches = moved(points)
    right = points[:, 0] > WIDTH / 2
    matches[right, 1] += 12
    found = residual(points, matches)
    assert np.median(found) > 0.5 * SCALE
    assert found.max() < 12 * SCALE
    # No homography of OpenCV's robust ones leaves less in the mean.
    best, _ = cv2.findHomography(points, matches, cv2.LMEDS)
    least, _ = cv2.findHomography(points, matches, 0)
    rivals = [np.linalg.norm(moved(points, m) - matches, axis=1).mean() * SCALE for m in (best, least)]
    assert found.mean() <= min(rivals) * 1.02


def test_matches_of_weight_0_do_not_change_the_fit_but_have_a_residual():
    points = grid()
    matches = moved(points)
    counts = points[:, 0] < 180
    clean = residual(points[counts], matches[counts])
    matches[~counts] = moved(points[~counts]) + np.array([40, -30])
    found = residual(points, matches, counts)
    np.testing.assert_allclose(found[counts], clean, atol=1e-6)
    np.testing.assert_allclose(found[~counts], 50 * SCALE, rtol=1e-3)


@pytest.mark.parametrize(("count", "some"), [(0, False), (7, False), (8, True)])
def test_too_few_matches_give_residual_0(count, some):
    points = grid()
    rng = np.random.default_rng(2)
    matches = points + rng.normal(0, 20, points.shape)
    counts = np.arange(len(points)) * 97 % len(points) < count
    assert counts.sum() == count
    found = residual(points, matches, counts)
    assert np.isfinite(found).all()
    assert (found > 0).any() == some


def test_views_of_a_batch_are_independent():
    points = grid()
    other = moved(points) + np.random.default_rng(3).normal(0, 4, points.shape)
    both = torch.from_numpy(np.stack([moved(points), other]))
    one = torch.from_numpy(np.stack([points, points]))
    found = homography_residual(one, both, torch.ones(2, len(points)), WIDTH).numpy()
    np.testing.assert_allclose(found[0], residual(points, moved(points)), atol=1e-6)
    np.testing.assert_allclose(found[1], residual(points, other), atol=1e-6)
    assert np.median(found[1]) > 2 * SCALE


def test_residuals_are_in_pixels_of_a_512_px_wide_picture():
    points = grid()
    matches = moved(points) + np.random.default_rng(3).normal(0, 4, points.shape)
    halved = (torch.from_numpy(v / 2)[None] for v in (points, matches))
    found = homography_residual(*halved, torch.ones(1, len(points)), WIDTH // 2)[0].numpy()
    np.testing.assert_allclose(found, residual(points, matches), rtol=1e-6, atol=1e-6)


def test_masked_quantiles_round_down_to_a_value():
    values = torch.tensor([[5.0, 1, 4, 2, 3, 99], [7.0, 8, 9, 1, 1, 1], [3.0, 3, 3, 3, 3, 3]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    found = masked_quantiles(values, mask, (0.0, 0.5, 0.9, 1.0))
    assert found.tolist() == [[1, 3, 4, 5], [7, 7, 7, 8], [0, 0, 0, 0]]
