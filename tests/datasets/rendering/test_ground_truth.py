"""Pictures, warps, depth and cameras of a sample agree with each other."""

import cv2
import numpy as np
import pytest
from sample_views import (
    AROUND,
    OPTIONS,
    SIZE,
    at,
    cameras_of,
    known_warp,
    nearest,
    pixel_grid,
    reprojected,
    three_of_every_recipe,
)
from worlds import bank_of, box, camera, make_pair, make_scene, soft

from datasets.sample import Visibility


@pytest.fixture(scope="module")
def samples():
    """Three of every recipe."""
    return three_of_every_recipe()


@pytest.fixture(scope="module")
def hall():
    """A hall seen from inside, without occlusion, with soft textures and even light: rendered pair and sample."""
    scene = make_scene(box((-3, -1.5, -2), (3, 1.5, 6)), repeats=0.2)
    reference = camera((-0.4, 0, 0), (-0.8, 0.1, 6), 70, SIZE)
    target = camera((0.5, 0.2, -0.3), (1.6, 0, 6), 70, SIZE, roll=5)
    return make_pair(scene, reference, target, bank_of(soft(64, 2)), OPTIONS)


def away_from_edges(sample):
    """Pixels of the reference around which both pictures show the same and no edge of a thing."""

    def disturbed(view):
        unlike = (view.geometry.edges > 0) | (view.mask != Visibility.VISIBLE)
        return cv2.dilate(unlike.astype(np.uint8), AROUND)

    return (disturbed(sample.reference) == 0) & (at(disturbed(sample.target), sample.reference.warp)[..., 0] == 0)


def bend(picture):
    """(h, w) largest sum of second differences, across and down, of the pixel and its neighbours."""
    padded = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_REPLICATE).astype(float)
    middle = padded[1:-1, 1:-1]
    across = np.abs(padded[1:-1, 2:] + padded[1:-1, :-2] - 2 * middle)
    down = np.abs(padded[2:, 1:-1] + padded[:-2, 1:-1] - 2 * middle)
    return cv2.dilate((across + down).max(2), AROUND)


def psnr(errors):
    """dB of errors of 8-bit values."""
    return 10 * np.log10(255**2 / np.mean(np.square(errors)))


def displacement(found, expected, chosen):
    """(x, y) px by which the one picture lies beside the other, least squares over the chosen pixels."""
    expected = expected.astype(float)
    down, across = np.gradient(expected, axis=(0, 1))
    slopes = np.stack([across[chosen].ravel(), down[chosen].ravel()], 1)
    return -np.linalg.lstsq(slopes, (found - expected)[chosen].ravel(), rcond=None)[0]


def same_surface(view, points, label):
    """Whether the four pixels of a view around points (q, 2) show the object `label` (q,) and no edge."""
    geometry = view.geometry
    corner = np.floor(points)
    good = ((corner >= 0) & (corner + 1 < np.array(view.mask.shape[::-1]))).all(1)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        good &= (nearest(geometry.surfaces, corner + step) == label) & (nearest(geometry.edges, corner + step) == 0)
    return good


# --- pictures ---


def test_the_reference_is_a_part_of_the_stitched_picture(samples):
    for sample in samples:
        (left, top), (width, height) = sample.origin, SIZE
        part = sample.stitched[-top : height - top, -left : width - left]
        np.testing.assert_array_equal(sample.reference.clean, part)
        np.testing.assert_array_equal(sample.reference.picture, part)
        np.testing.assert_array_equal(sample.clean_stitched, sample.stitched)


def test_the_warped_target_matches_the_stitched_picture(samples):
    # Bilinear interpolation errs by at most an eighth of the second derivative along each axis; that a pixel is
    # the mean of other areas in the two pictures changes it by as much again, and both are rounded.
    errors, softly = [], []
    for sample in samples:
        found = at(sample.target.clean, sample.reference.warp)
        error = np.abs(found - sample.reference.clean).max(2)
        inner = away_from_edges(sample)
        there = at(bend(sample.target.clean)[..., None], sample.reference.warp)[..., 0]
        bends = bend(sample.reference.clean) + there
        covisible = sample.reference.mask == Visibility.VISIBLE
        assert (error < bends / 2 + 3)[inner].mean() > 0.999
        assert (error < bends / 2 + 3)[covisible].mean() > 0.98  # the soft borders of shadows and of things are left
        errors.append(error[inner])
        softly.append(error[inner & (bends < 24)])
    assert np.median(np.concatenate(errors)) < 1
    assert psnr(np.concatenate(softly)) > 48


def test_the_warped_target_is_within_a_hundredth_of_a_pixel(hall):
    _, sample = hall
    inner = away_from_edges(sample)
    found = at(sample.target.clean, sample.reference.warp)
    assert inner.mean() > 0.3
    assert psnr((found - sample.reference.clean)[inner]) > 50
    assert np.abs(displacement(found, sample.reference.clean, inner)).max() < 0.01


def test_beyond_the_reference_the_canvas_matches_the_target(hall):
    pictures, sample = hall
    canvas = pictures.canvas
    width, height = canvas.sizes[0]
    on_film = pictures.target.cameras.projection[0].numpy() @ canvas.hits.points.numpy()
    points = (on_film[:2] / on_film[2]).T.reshape(height, width, 2)
    shown = (on_film[2].reshape(height, width) > 0) & (points >= -0.5).all(2) & (points < np.array(SIZE) - 0.5).all(2)
    np.testing.assert_array_equal(sample.stitched_mask & 2 > 0, shown)
    beyond = (sample.stitched_mask == 2) & (points > 1).all(2) & (points < np.array(SIZE) - 2).all(2)
    assert beyond.mean() > 0.1
    error = (at(sample.target.clean, points) - sample.stitched)[beyond]
    assert np.median(np.abs(error)) < 1
    assert psnr(error) > 40


# --- warps ---


def test_all_numbers_are_finite(samples):
    for sample in samples:
        for view in (sample.reference, sample.target):
            assert np.isfinite(view.warp).all()
            assert np.isfinite(view.geometry.normals).all()
            assert not np.isnan(view.geometry.depth).any()
            assert (view.geometry.depth > 0).all()
        assert np.isfinite(sample.segments).all()
        assert np.isfinite(sample.segments_visible).all()


def test_warps_agree_with_depth_and_cameras(samples):
    for sample in samples:
        for view, backwards in ((sample.target, False), (sample.reference, True)):
            depth = view.geometry.depth.astype(float)
            expected, ahead = reprojected(pixel_grid(view), depth, *cameras_of(sample, backwards))
            known = known_warp(view)
            assert known.mean() > 0.5
            assert np.abs(expected - view.warp)[known].max() < 1e-3
            assert (ahead[known] > 0).all()


def test_the_sky_follows_the_infinite_homography(samples):
    skies = 0
    for sample in samples:
        sky = np.isinf(sample.target.geometry.depth) & known_warp(sample.target)
        own, other, rotation, _ = cameras_of(sample)
        matrix = other @ rotation @ np.linalg.inv(own)
        expected = cv2.perspectiveTransform(pixel_grid(sample.target)[sky][None], matrix) if sky.any() else []
        skies += sky.sum()
        np.testing.assert_allclose(sample.target.warp[sky], np.reshape(expected, (-1, 2)), atol=1e-3)
    assert skies > 1000


def test_matches_lie_on_their_epipolar_lines(samples):
    worst = 0.0
    for sample in samples:
        matrix = np.array(sample.facts["fundamental"])
        assert np.linalg.norm(matrix) == pytest.approx(1)
        for view, forwards in ((sample.target, matrix), (sample.reference, matrix.T)):
            points, matches = (np.insert(p.astype(float), 2, 1, axis=2) for p in (pixel_grid(view), view.warp))
            lines = points @ forwards.T
            distance = np.abs((lines * matches).sum(2)) / np.hypot(lines[..., 0], lines[..., 1])
            worst = max(worst, distance[known_warp(view)].max())
    assert worst < 1e-3


def test_warps_are_forward_backward_consistent(samples):
    errors = []
    for sample in samples:
        for view, other in ((sample.target, sample.reference), (sample.reference, sample.target)):
            visible = view.mask == Visibility.VISIBLE
            points, matches = pixel_grid(view)[visible], view.warp[visible].astype(float)
            good = same_surface(other, matches, view.geometry.surfaces[visible])
            errors.append(np.linalg.norm(at(other.warp, matches[good]) - points[good], axis=1))
    found = np.concatenate(errors)
    assert len(found) > 50_000
    # Between pixels the warp of a slanted plane is not linear: that is the only error.
    assert np.quantile(found, 0.5) < 0.001
    assert np.quantile(found, 0.99) < 0.05


def near_bends(view):
    """(h, w) 1 within a pixel of where inverse depth, affine over a plane, bends: there is more than one plane."""
    inverse = 1 / view.geometry.depth.astype(float)
    padded = np.pad(inverse, 1, mode="edge")
    bends = np.abs(np.diff(padded, 2, axis=0))[:, 1:-1] + np.abs(np.diff(padded, 2, axis=1))[1:-1]
    return cv2.dilate((bends > 1e-6 * inverse).astype(np.uint8), AROUND)


def test_on_planes_forward_backward_consistency_is_exact(hall, samples):
    for sample in (hall[1], *samples):
        target, reference = sample.target, sample.reference
        visible = (target.mask == Visibility.VISIBLE) & np.isfinite(target.geometry.depth) & (near_bends(target) == 0)
        points, matches = pixel_grid(target)[visible], target.warp[visible].astype(float)
        good = same_surface(reference, matches, target.geometry.surfaces[visible])
        good &= at(near_bends(reference), matches)[:, 0] == 0
        inverse = 1 / reference.geometry.depth.astype(float)
        depth = 1 / at(inverse[..., None], matches[good])[:, 0]
        back, _ = reprojected(matches[good], depth, *cameras_of(sample, backwards=True))
        assert good.sum() > 100
        assert np.abs(back - points[good]).max() < 1e-3
