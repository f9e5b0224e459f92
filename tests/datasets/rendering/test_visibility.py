"""Masks agree with warps, depth, cameras and a brute-force ray caster."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sample_views import AROUND, OPTIONS, SIZE, cameras_of, nearest, pixel_grid, reprojected, three_of_every_recipe
from worlds import bank_of, camera, make_pair, make_scene, meet_all, soft, square

from datasets.sample import Visibility


@pytest.fixture(scope="module")
def samples():
    """Three of every recipe."""
    return three_of_every_recipe()


def test_masks_say_which_warps_end_in_the_picture(samples):
    for sample in samples:
        for view in (sample.reference, sample.target):
            assert set(np.unique(view.mask)) <= set(Visibility)
            within = (view.warp >= -0.5).all(2) & (view.warp < np.array(SIZE) - 0.5).all(2)
            inside = np.isin(view.mask, (Visibility.VISIBLE, Visibility.OCCLUDED))
            np.testing.assert_array_equal(inside, within & (view.mask != Visibility.BEHIND))
        achieved = sample.facts["achieved"]
        for name, code in (
            ("overlap", Visibility.VISIBLE),
            ("occluded", Visibility.OCCLUDED),
            ("behind", Visibility.BEHIND),
        ):
            assert achieved[name] == pytest.approx((sample.target.mask == code).mean(), abs=1e-6)


def test_masks_agree_with_the_depth_of_the_other_view(samples):
    visible, hidden = [], []
    for sample in samples:
        pair = sample.target, sample.reference
        for view, other, backwards in ((*pair, False), (*pair[::-1], True)):
            depth = view.geometry.depth.astype(float)
            _, ahead = reprojected(pixel_grid(view), depth, *cameras_of(sample, backwards))
            inverse = np.where(np.isinf(depth), 0, 1 / (depth * ahead))
            nearness = (1 / other.geometry.depth).astype(np.float32)
            nearer, farther = (
                nearest(cv2.dilate(nearness, AROUND), view.warp),
                nearest(cv2.erode(nearness, AROUND), view.warp),
            )
            seen = view.mask == Visibility.VISIBLE
            visible.append(((inverse >= farther * 0.99 - 1e-6) & (inverse <= nearer * 1.01 + 1e-6))[seen])
            hidden.append((nearer > inverse)[view.mask == Visibility.OCCLUDED])
    # A thing thinner than a pixel may lie between the rays of the neighbours.
    assert np.concatenate(visible).mean() > 0.99
    assert np.concatenate(hidden).mean() > 0.98


def check_visible(corners, points, other, picture, seen):
    """Compare what a camera sees of points (4, q) with rays tried on all triangles; shares of sure and hidden ones."""
    solid = points[3] > 0
    centre = other.centre[0].numpy()
    to_points = np.where(solid, points[:3] / np.where(solid, points[3], 1) - centre[:, None], points[:3]).T
    distances, border = meet_all(corners, np.broadcast_to(centre, to_points.shape), to_points)
    end = np.where(solid, 1, np.inf)
    hidden = (distances < end[:, None] * 0.999).any(1)
    # The point's own triangle is met at 1; where others are as near, or a border is in the way, either is right.
    sure = ~(border & ~np.isclose(distances, end[:, None], rtol=1e-6)).any(1)
    sure &= ((distances > 0.999) & (distances < 0.9999)).sum(1) == 0
    on_film = other.projection[0].numpy() @ points
    pixels = on_film[:2] / on_film[2]
    inside = (on_film[2] > 0.05 * np.where(solid, points[3], 1)) & (pixels >= -0.5).all(0)
    inside &= (pixels < np.array(picture)[:, None] - 0.5).all(0)
    np.testing.assert_array_equal(seen[sure], (inside & ~hidden)[sure])
    return sure.mean(), (inside & hidden)[sure].mean()


@pytest.mark.parametrize("seed", range(3))
def test_masks_agree_with_brute_force_ray_casting(seed):
    rng = np.random.default_rng(seed)
    soup = rng.uniform((-3, -2, 2), (3, 2, 8), (60, 1, 3)) + rng.normal(0, 0.5, (60, 3, 3))
    scene = make_scene(soup, square((0, 0, 9), (9, 0, 2), (0, 2, 0)))
    size = (64, 48)
    reference, target = (
        camera((-0.3, 0, 0), (-0.5, 0, 5), 70, size),
        camera((0.5, 0.3, 0.4), (1, 0, 5), 70, size, roll=9),
    )
    pictures, sample = make_pair(scene, reference, target, bank_of(soft()), replace(OPTIONS, size=size))
    corners = scene.corners.astype(float)
    seen = (sample.target.mask == Visibility.VISIBLE).ravel()
    sure, hidden = check_visible(corners, pictures.target.hits.points.numpy(), reference, size, seen)
    assert sure > 0.8
    assert hidden > 0.03
    seen = (sample.stitched_mask & 2 > 0).ravel()
    sure, hidden = check_visible(corners, pictures.canvas.hits.points.numpy(), target, size, seen)
    assert sure > 0.8
    assert hidden > 0.03


@pytest.mark.parametrize("parts", [1, 30])
def test_a_plane_does_not_occlude_itself_up_to_the_horizon(parts):
    scene = make_scene(square((0, 1.6, 0), (9000, 0, 0), (0, 0, 9000), parts))
    reference = camera((0, 0, 0), (0, 0.3, 5), 70, SIZE)
    target = camera((0.8, 0.2, 0.5), (1.2, 0.4, 5), 70, SIZE, roll=4)
    _, sample = make_pair(scene, reference, target, bank_of(soft()), OPTIONS)
    for view in (sample.target, sample.reference):
        ground = view.geometry.surfaces > 0
        assert (view.mask[ground] == Visibility.VISIBLE).mean() > 0.5
        assert (view.mask[ground] != Visibility.OCCLUDED).all()


def test_what_one_view_sees_the_other_sees(samples):
    for sample in samples:
        for view, other in ((sample.target, sample.reference), (sample.reference, sample.target)):
            shared = cv2.dilate((other.mask == Visibility.VISIBLE).astype(np.uint8), AROUND)
            assert nearest(shared, view.warp)[view.mask == Visibility.VISIBLE].mean() > 0.99


def test_bits_of_the_stitched_mask(samples):
    for sample in samples:
        (left, top), (width, height) = sample.origin, SIZE
        rectangle = np.zeros_like(sample.stitched_mask)
        rectangle[-top : height - top, -left : width - left] = 1
        np.testing.assert_array_equal(sample.stitched_mask & 1, rectangle)
        assert sample.stitched_mask.max() <= 3
        seen = sample.stitched_mask[rectangle > 0].reshape(height, width) & 2
        np.testing.assert_array_equal(seen > 0, sample.reference.mask == Visibility.VISIBLE)


def test_the_canvas_contains_reference_and_target(samples):
    for sample in samples:
        (left, top), (height, width) = sample.origin, sample.stitched.shape[:2]
        assert left <= 0
        assert top <= 0
        assert left + width >= SIZE[0]
        assert top + height >= SIZE[1]
        assert sample.stitched_mask.shape == (height, width)
        reach = np.floor([0.75 * SIZE[0], 0.5 * SIZE[1]])
        lowest, highest = -reach, np.array(SIZE) - 1 + reach
        points = sample.target.warp[(sample.target.mask != Visibility.BEHIND)]
        points = points[((points >= lowest) & (points <= highest)).all(1)]
        assert (points >= np.array([left, top]) - 0.5).all()
        assert (points <= np.array([left + width, top + height]) - 0.5).all()
