"""Samples are true: masks and segments tell of the same world as warps, depth and cameras."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sample_views import AROUND, OPTIONS, SIZE, cameras_of, carried, nearest, own_places, three_of_every_recipe
from worlds import bank_of, camera, make_pair, make_scene, meet_all, soft, square

from datasets.sample import Visibility


@pytest.fixture(scope="module")
def samples():
    """Three of every recipe."""
    return three_of_every_recipe()


# --- masks ---


def test_masks_partition_and_tell_what_is_in_the_picture(samples):
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


def test_masks_agree_with_the_depth_of_the_other_picture(samples):
    visible, hidden = [], []
    for sample in samples:
        pair = sample.target, sample.reference
        for view, other, backwards in ((*pair, False), (*pair[::-1], True)):
            depth = view.geometry.depth.astype(float)
            _, ahead = carried(own_places(view), depth, *cameras_of(sample, backwards))
            inverse = np.where(np.isinf(depth), 0, 1 / (depth * ahead))
            there = (1 / other.geometry.depth).astype(np.float32)
            nearer, farther = (
                nearest(cv2.dilate(there, AROUND), view.warp),
                nearest(cv2.erode(there, AROUND), view.warp),
            )
            seen = view.mask == Visibility.VISIBLE
            visible.append(((inverse >= farther * 0.99 - 1e-6) & (inverse <= nearer * 1.01 + 1e-6))[seen])
            hidden.append((nearer > inverse)[view.mask == Visibility.OCCLUDED])
    # A thing thinner than a pixel may lie between the rays of the neighbours.
    assert np.concatenate(visible).mean() > 0.99
    assert np.concatenate(hidden).mean() > 0.98


def check_seen(corners, points, other, picture, seen):
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
    places = on_film[:2] / on_film[2]
    inside = (on_film[2] > 0.05 * np.where(solid, points[3], 1)) & (places >= -0.5).all(0)
    inside &= (places < np.array(picture)[:, None] - 0.5).all(0)
    np.testing.assert_array_equal(seen[sure], (inside & ~hidden)[sure])
    return sure.mean(), (inside & hidden)[sure].mean()


@pytest.mark.parametrize("seed", range(3))
def test_masks_are_what_rays_tried_on_every_triangle_tell(seed):
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
    sure, hidden = check_seen(corners, pictures.target.hits.points.numpy(), reference, size, seen)
    assert sure > 0.8
    assert hidden > 0.03
    seen = (sample.stitched_mask & 2 > 0).ravel()
    sure, hidden = check_seen(corners, pictures.canvas.hits.points.numpy(), target, size, seen)
    assert sure > 0.8
    assert hidden > 0.03


@pytest.mark.parametrize("parts", [1, 30])
def test_the_ground_hides_nothing_of_itself_up_to_the_horizon(parts):
    scene = make_scene(square((0, 1.6, 0), (9000, 0, 0), (0, 0, 9000), parts))
    reference = camera((0, 0, 0), (0, 0.3, 5), 70, SIZE)
    target = camera((0.8, 0.2, 0.5), (1.2, 0.4, 5), 70, SIZE, roll=4)
    _, sample = make_pair(scene, reference, target, bank_of(soft()), OPTIONS)
    for view in (sample.target, sample.reference):
        ground = view.geometry.surfaces > 0
        assert (view.mask[ground] == Visibility.VISIBLE).mean() > 0.5
        assert (view.mask[ground] != Visibility.OCCLUDED).all()


def test_what_one_view_shares_the_other_shares(samples):
    for sample in samples:
        for view, other in ((sample.target, sample.reference), (sample.reference, sample.target)):
            shared = cv2.dilate((other.mask == Visibility.VISIBLE).astype(np.uint8), AROUND)
            assert nearest(shared, view.warp)[view.mask == Visibility.VISIBLE].mean() > 0.99


def test_the_stitched_mask_is_the_reference_picture_and_what_the_target_sees(samples):
    for sample in samples:
        (left, top), (width, height) = sample.origin, SIZE
        rectangle = np.zeros_like(sample.stitched_mask)
        rectangle[-top : height - top, -left : width - left] = 1
        np.testing.assert_array_equal(sample.stitched_mask & 1, rectangle)
        assert sample.stitched_mask.max() <= 3
        seen = sample.stitched_mask[rectangle > 0].reshape(height, width) & 2
        np.testing.assert_array_equal(seen > 0, sample.reference.mask == Visibility.VISIBLE)


def test_the_canvas_holds_the_reference_and_the_target(samples):
    for sample in samples:
        (left, top), (height, width) = sample.origin, sample.stitched.shape[:2]
        assert left <= 0
        assert top <= 0
        assert left + width >= SIZE[0]
        assert top + height >= SIZE[1]
        assert sample.stitched_mask.shape == (height, width)
        reach = np.floor([0.75 * SIZE[0], 0.5 * SIZE[1]])
        lowest, highest = -reach, np.array(SIZE) - 1 + reach
        places = sample.target.warp[(sample.target.mask != Visibility.BEHIND)]
        places = places[((places >= lowest) & (places <= highest)).all(1)]
        assert (places >= np.array([left, top]) - 0.5).all()
        assert (places <= np.array([left + width, top + height]) - 0.5).all()


# --- segments ---


def test_segments_join_the_same_places_in_both_views(samples):
    lengths = [np.linalg.norm(s.segments[:, 0, 1] - s.segments[:, 0, 0], axis=1) for s in samples]
    assert np.concatenate(lengths).min() >= 12 * SIZE[0] / 512 - 1e-3
    assert len(np.concatenate(lengths)) > 500
    for sample in samples:
        matrix = np.array(sample.facts["fundamental"])
        target, reference = (np.insert(sample.segments[:, k].astype(float), 2, 1, axis=2) for k in (0, 1))
        lines = target @ matrix.T
        distance = np.abs((lines * reference).sum(2)) / np.hypot(lines[..., 0], lines[..., 1])
        # Places far outside are known to single precision.
        assert (distance < 1e-3 * (1 + np.abs(reference).max(2) / 1000)).all()
        assert (sample.segments_visible >= 0).all()
        assert (sample.segments_visible <= 1).all()
        assert (sample.segments_visible[:, 0] >= 0.5).all()


def test_segments_lie_where_the_warp_says(samples):
    ends, middles = [], []
    for sample in samples:
        target, reference = np.moveaxis(sample.segments.astype(float), 1, 0)  # (m, end, 2)
        clear = (sample.segments_visible == 1).all(1)
        steps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1)), 2).reshape(-1, 1, 2)

        def carried_by_warp(places, sample=sample, steps=steps):
            """(9, m, 2) where the pixels around places go, moved on by what is missing to the place itself."""
            pixels = np.clip(np.rint(places) + steps, 0, np.array(SIZE) - 1)
            step = np.clip(pixels + 1, 0, np.array(SIZE) - 1)
            here = nearest(sample.target.warp, pixels)
            across = nearest(sample.target.warp, np.stack([step[..., 0], pixels[..., 1]], 2)) - here
            down = nearest(sample.target.warp, np.stack([pixels[..., 0], step[..., 1]], 2)) - here
            rest = places - pixels
            return here + across * rest[..., :1] + down * rest[..., 1:]

        for end in (0, 1):
            found = carried_by_warp(target[clear, end])
            ends.append(np.linalg.norm(found - reference[clear, end], axis=2).min(0))
        along = reference[clear, 1] - reference[clear, 0]
        normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1, keepdims=True)
        found = carried_by_warp(target[clear].mean(1))
        middles.append(np.abs(((found - reference[clear, 0]) * normal).sum(2)).min(0))
    ends, middles = np.concatenate(ends), np.concatenate(middles)
    assert len(middles) > 100
    assert (ends < 0.5).mean() > 0.9
    assert (middles < 0.5).mean() > 0.9
