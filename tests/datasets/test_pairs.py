"""Samples are true: pictures, warps, masks, depth, cameras and segments all tell of one world."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from worlds import CPU, bank_of, box, camera, gentle_bank, make_pair, make_scene, meet_all, soft, square

from datasets.making import Maker
from datasets.options import SCENES, SampleOptions
from datasets.sample import Seen

SIZE = (160, 120)
OPTIONS = SampleOptions(size=SIZE, photometry=False, geometry=True)
CAP = 4 * np.hypot(*SIZE) * 0.999  # px; places farther out are cut off
AROUND = np.ones((3, 3), np.uint8)


@pytest.fixture(scope="module")
def samples():
    """Three of every recipe."""
    makers = [Maker(replace(OPTIONS, scenes=(name,)), 7, CPU, gentle_bank()) for name in SCENES]
    return [make(index) for make in makers for index in range(3)]


@pytest.fixture(scope="module")
def hall():
    """A hall seen from inside, nothing in the way of either camera, softly painted, evenly lit: pictures and sample."""
    scene = make_scene(box((-3, -1.5, -2), (3, 1.5, 6)), repeats=0.2)
    reference = camera((-0.4, 0, 0), (-0.8, 0.1, 6), 70, SIZE)
    target = camera((0.5, 0.2, -0.3), (1.6, 0, 6), 70, SIZE, roll=5)
    return make_pair(scene, reference, target, bank_of(soft(64, 2)), OPTIONS)


# --- what the tests see by ---


def own_places(view):
    """(h, w, 2) px."""
    height, width = view.mask.shape
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2).astype(float)


def at(field, places):
    """(..., c) bilinear values of a field (h, w, c) at places (..., 2), in double precision."""
    field = field.reshape(*field.shape[:2], -1).astype(float)
    left, top = (np.clip(np.floor(places[..., k]).astype(int), 0, field.shape[1 - k] - 2) for k in (0, 1))
    x, y = places[..., :1] - left[..., None], places[..., 1:] - top[..., None]
    upper = (1 - x) * field[top, left] + x * field[top, left + 1]
    lower = (1 - x) * field[top + 1, left] + x * field[top + 1, left + 1]
    return (1 - y) * upper + y * lower


def nearest(field, places):
    """Values of a field (h, w, ...) at the pixels nearest to places (..., 2)."""
    x, y = (np.clip(np.rint(places[..., k]).astype(int), 0, field.shape[1 - k] - 1) for k in (0, 1))
    return field[y, x]


def cameras_of(sample, backwards=False):
    """(K, K of the other, R, t) from the facts: x_other = R x + t; target to reference, or backwards."""
    known = {name: np.array(value) for name, value in sample.facts["cameras"].items()}
    rotation, translation = known["rotation"], known["translation"]
    if backwards:
        return known["reference"], known["target"], rotation.T, -rotation.T @ translation
    return known["target"], known["reference"], rotation, translation


def carried(places, depth, own, other, rotation, translation):
    """Places (..., 2) at depths (...), infinite too, on the other camera's film, and the depth there over the own."""
    rays = np.concatenate([places, np.ones_like(places[..., :1])], -1) @ np.linalg.inv(own).T
    points = rays @ rotation.T + translation / depth[..., None]
    on_film = points @ other.T
    return on_film[..., :2] / on_film[..., 2:], points[..., 2]


def placed(view):
    """Pixels whose place on the other plane is told, not cut off."""
    return (view.mask != Seen.BEHIND) & (np.abs(view.warp) < CAP).all(2)


def away_from_edges(sample):
    """Pixels of the reference around which both pictures show the same and no edge of a thing."""

    def disturbed(view):
        unlike = (view.geometry.edges > 0) | (view.mask != Seen.VISIBLE)
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


def same_surface(view, places, label):
    """Whether the four pixels of a view around places (q, 2) show the object `label` (q,) and no edge."""
    geometry = view.geometry
    corner = np.floor(places)
    good = ((corner >= 0) & (corner + 1 < np.array(view.mask.shape[::-1]))).all(1)
    for step in ((0, 0), (1, 0), (0, 1), (1, 1)):
        good &= (nearest(geometry.surfaces, corner + step) == label) & (nearest(geometry.edges, corner + step) == 0)
    return good


# --- pictures ---


def test_the_reference_is_a_part_of_the_stitch(samples):
    for sample in samples:
        (left, top), (width, height) = sample.origin, SIZE
        part = sample.stitched[-top : height - top, -left : width - left]
        np.testing.assert_array_equal(sample.reference.clean, part)
        np.testing.assert_array_equal(sample.reference.picture, part)
        np.testing.assert_array_equal(sample.clean_stitched, sample.stitched)


def test_the_warped_target_is_the_stitch(samples):
    # Bilinear interpolation errs by at most an eighth of the second derivative along each axis; that a pixel is
    # the mean of other areas in the two pictures changes it by as much again, and both are rounded.
    errors, softly = [], []
    for sample in samples:
        found = at(sample.target.clean, sample.reference.warp)
        error = np.abs(found - sample.reference.clean).max(2)
        inner = away_from_edges(sample)
        there = at(bend(sample.target.clean)[..., None], sample.reference.warp)[..., 0]
        bends = bend(sample.reference.clean) + there
        covisible = sample.reference.mask == Seen.VISIBLE
        assert (error < bends / 2 + 3)[inner].mean() > 0.999
        assert (error < bends / 2 + 3)[covisible].mean() > 0.98  # the soft borders of shadows and of things are left
        errors.append(error[inner])
        softly.append(error[inner & (bends < 24)])
    assert np.median(np.concatenate(errors)) < 1
    assert psnr(np.concatenate(softly)) > 48


def test_the_warp_moves_the_target_onto_the_stitch_to_a_hundredth_of_a_pixel(hall):
    _, sample = hall
    inner = away_from_edges(sample)
    found = at(sample.target.clean, sample.reference.warp)
    assert inner.mean() > 0.3
    assert psnr((found - sample.reference.clean)[inner]) > 50
    assert np.abs(displacement(found, sample.reference.clean, inner)).max() < 0.01


def test_beyond_the_reference_the_stitch_shows_what_the_target_shows(hall):
    pictures, sample = hall
    canvas = pictures.canvas
    width, height = canvas.sizes[0]
    on_film = pictures.target.cameras.projection[0].numpy() @ canvas.hits.points.numpy()
    places = (on_film[:2] / on_film[2]).T.reshape(height, width, 2)
    shown = (on_film[2].reshape(height, width) > 0) & (places >= -0.5).all(2) & (places < np.array(SIZE) - 0.5).all(2)
    np.testing.assert_array_equal(sample.stitched_mask & 2 > 0, shown)
    beyond = (sample.stitched_mask == 2) & (places > 1).all(2) & (places < np.array(SIZE) - 2).all(2)
    assert beyond.mean() > 0.1
    error = (at(sample.target.clean, places) - sample.stitched)[beyond]
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


def test_warps_are_what_depth_and_cameras_say(samples):
    for sample in samples:
        for view, backwards in ((sample.target, False), (sample.reference, True)):
            depth = view.geometry.depth.astype(float)
            expected, ahead = carried(own_places(view), depth, *cameras_of(sample, backwards))
            known = placed(view)
            assert known.mean() > 0.5
            assert np.abs(expected - view.warp)[known].max() < 1e-3
            assert (ahead[known] > 0).all()


def test_the_sky_follows_the_infinite_homography(samples):
    skies = 0
    for sample in samples:
        sky = np.isinf(sample.target.geometry.depth) & placed(sample.target)
        own, other, rotation, _ = cameras_of(sample)
        matrix = other @ rotation @ np.linalg.inv(own)
        expected = cv2.perspectiveTransform(own_places(sample.target)[sky][None], matrix) if sky.any() else []
        skies += sky.sum()
        np.testing.assert_allclose(sample.target.warp[sky], np.reshape(expected, (-1, 2)), atol=1e-3)
    assert skies > 1000


def test_matches_lie_on_their_epipolar_lines(samples):
    worst = 0.0
    for sample in samples:
        matrix = np.array(sample.facts["fundamental"])
        assert np.linalg.norm(matrix) == pytest.approx(1)
        for view, forwards in ((sample.target, matrix), (sample.reference, matrix.T)):
            places, matches = (np.insert(p.astype(float), 2, 1, axis=2) for p in (own_places(view), view.warp))
            lines = places @ forwards.T
            distance = np.abs((lines * matches).sum(2)) / np.hypot(lines[..., 0], lines[..., 1])
            worst = max(worst, distance[placed(view)].max())
    assert worst < 1e-3


def test_there_and_back_again_is_where_it_began(samples):
    errors = []
    for sample in samples:
        for view, other in ((sample.target, sample.reference), (sample.reference, sample.target)):
            seen = view.mask == Seen.VISIBLE
            places, matches = own_places(view)[seen], view.warp[seen].astype(float)
            good = same_surface(other, matches, view.geometry.surfaces[seen])
            errors.append(np.linalg.norm(at(other.warp, matches[good]) - places[good], axis=1))
    found = np.concatenate(errors)
    assert len(found) > 50_000
    # Between pixels the warp of a plane seen at a slant is not linear: that is all that is left.
    assert np.quantile(found, 0.5) < 0.001
    assert np.quantile(found, 0.99) < 0.05


def test_on_planes_there_and_back_again_is_exact(hall, samples):
    for sample in (hall[1], *samples):
        target, reference = sample.target, sample.reference
        seen = (target.mask == Seen.VISIBLE) & np.isfinite(target.geometry.depth)
        places, matches = own_places(target)[seen], target.warp[seen].astype(float)
        good = same_surface(reference, matches, target.geometry.surfaces[seen])
        # Inverse depth is affine over a plane; where it bends in the reference there is more than one.
        inverse = 1 / reference.geometry.depth.astype(float)
        padded = np.pad(inverse, 1, mode="edge")
        bends = np.abs(np.diff(padded, 2, axis=0))[:, 1:-1] + np.abs(np.diff(padded, 2, axis=1))[1:-1]
        flat = cv2.dilate((bends > 1e-6 * inverse).astype(np.uint8), AROUND)
        good &= at(flat, matches)[:, 0] == 0
        depth = 1 / at(inverse[..., None], matches[good])[:, 0]
        back, _ = carried(matches[good], depth, *cameras_of(sample, backwards=True))
        assert good.sum() > 200
        assert np.abs(back - places[good]).max() < 1e-3


# --- masks ---


def test_masks_partition_and_tell_what_is_in_the_picture(samples):
    for sample in samples:
        for view in (sample.reference, sample.target):
            assert set(np.unique(view.mask)) <= set(Seen)
            within = (view.warp >= -0.5).all(2) & (view.warp < np.array(SIZE) - 0.5).all(2)
            inside = np.isin(view.mask, (Seen.VISIBLE, Seen.OCCLUDED))
            np.testing.assert_array_equal(inside, within & (view.mask != Seen.BEHIND))
        achieved = sample.facts["achieved"]
        for name, code in (("overlap", Seen.VISIBLE), ("occluded", Seen.OCCLUDED), ("behind", Seen.BEHIND)):
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
            seen = view.mask == Seen.VISIBLE
            visible.append(((inverse >= farther * 0.99 - 1e-6) & (inverse <= nearer * 1.01 + 1e-6))[seen])
            hidden.append((nearer > inverse)[view.mask == Seen.OCCLUDED])
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
    seen = (sample.target.mask == Seen.VISIBLE).ravel()
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
        assert (view.mask[ground] == Seen.VISIBLE).mean() > 0.5
        assert (view.mask[ground] != Seen.OCCLUDED).all()


def test_what_one_view_shares_the_other_shares(samples):
    for sample in samples:
        for view, other in ((sample.target, sample.reference), (sample.reference, sample.target)):
            shared = cv2.dilate((other.mask == Seen.VISIBLE).astype(np.uint8), AROUND)
            assert nearest(shared, view.warp)[view.mask == Seen.VISIBLE].mean() > 0.99


def test_the_stitched_mask_is_the_reference_picture_and_what_the_target_sees(samples):
    for sample in samples:
        (left, top), (width, height) = sample.origin, SIZE
        rectangle = np.zeros_like(sample.stitched_mask)
        rectangle[-top : height - top, -left : width - left] = 1
        np.testing.assert_array_equal(sample.stitched_mask & 1, rectangle)
        assert sample.stitched_mask.max() <= 3
        seen = sample.stitched_mask[rectangle > 0].reshape(height, width) & 2
        np.testing.assert_array_equal(seen > 0, sample.reference.mask == Seen.VISIBLE)


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
        places = sample.target.warp[(sample.target.mask != Seen.BEHIND)]
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
