"""Pairs on a window: both pictures where they belong, and the truth exact to what a pixel can say."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from worlds import hall_with_a_box

from datasets.examples.windows import (
    MARGIN,
    MAX_RESIDUAL,
    MIN_SCALE,
    PairTruth,
    Window,
    choose_window,
    coarse_alignment,
    draw_pair,
    jittered,
    truth_on_window,
)
from datasets.sample import Visibility
from stitching.geometry.homographies import project
from stitching.warping.estimators.classical import classical
from stitching.warping.warp import forward_backward_consistent

SIZE = (160, 120)
NO_MATCHES = np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)


def grid(size):
    """(h, w, 2) px."""
    return np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), -1).astype(float)


def shifted(x, y):
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


@pytest.fixture(scope="module")
def sample():
    return hall_with_a_box(SIZE)


@pytest.fixture(scope="module")
def truth(sample):
    return PairTruth(
        sample.target.warp, sample.target.mask, sample.stitched, sample.stitched_mask, sample.origin,
        np.array(sample.facts["fundamental"]), sample.segments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(sample):
    """The homography target -> reference that serves the visible pixels best."""
    valid = sample.target.mask == Visibility.VISIBLE
    homography, _ = cv2.findHomography(grid(SIZE)[valid], sample.target.warp[valid], cv2.RANSAC, 3.0)
    return homography


def drawn(sample, window):
    return draw_pair(sample.reference.picture, sample.target.picture, window, NO_MATCHES)


def nearest(window):
    """(rows, columns, 2) the target's pixel that each of the window's shows, and (rows, columns) whether it has one."""
    there = project(np.linalg.inv(window.target_to_window), grid(window.size))
    x, y = np.rint(there[..., 0]), np.rint(there[..., 1])
    inside = (x >= 0) & (x < SIZE[0]) & (y >= 0) & (y < SIZE[1])
    return np.stack([np.clip(x, 0, SIZE[0] - 1), np.clip(y, 0, SIZE[1] - 1)], -1).astype(int), inside


# --- the truth ---


def test_the_residual_is_exact_at_pixel_centres_of_the_target(sample, truth):
    window = choose_window(shifted(17, -5), SIZE, (192, 152))
    assert (window.reference_to_window[0, 0], *(window.target_to_window[:2, 2] % 1)) == (1, 0, 0)
    pair = drawn(sample, window)
    found = truth_on_window(truth, window, pair.target_valid)
    place, inside = nearest(window)
    x, y = place[..., 0], place[..., 1]
    known = found.codes != Visibility.BEHIND
    assert known.sum() == (truth.mask != Visibility.BEHIND).sum()
    assert np.array_equal(found.codes[inside], truth.mask[y, x][inside])
    moved = grid(window.size) + found.residual
    told = project(window.reference_to_window, truth.warp[y, x].astype(float))
    assert np.abs(moved - told)[known].max() < 1e-3
    assert not found.residual[~known].any()
    assert np.array_equal(pair.target[inside], sample.target.picture[y, x][inside])


def test_between_them_its_error_is_at_most_the_change_of_the_warp_within_half_a_pixel(sample, truth, fitted):
    """Along x and along y: from pixel to pixel the warp less the alignment changes by so much, half of it counts."""
    window = choose_window(fitted, SIZE, (128, 96))
    assert window.reference_to_window[0, 0] < 0.75  # smaller than the reference
    found = truth_on_window(truth, window, drawn(sample, window).target_valid)
    field = project(window.reference_to_window, truth.warp.astype(float)) - project(window.target_to_window, grid(SIZE))
    change = 0
    for axis in (0, 1):
        step = np.abs(np.diff(field, axis=axis))
        around = [(0, 0)] * 3
        around[axis] = (1, 1)
        step = np.pad(step, around)
        step = np.maximum(np.take(step, range(SIZE[1 - axis]), axis), np.take(step, range(1, SIZE[1 - axis] + 1), axis))
        change = change + 0.5 * cv2.dilate(step, np.ones((3, 3)))
    place, _ = nearest(window)
    bound = change[place[..., 1], place[..., 0]]
    there = project(np.linalg.inv(window.target_to_window), grid(window.size)).astype(np.float32)
    between = cv2.remap(field.astype(np.float32), there[..., 0], there[..., 1], cv2.INTER_LINEAR)
    known = found.codes != Visibility.BEHIND
    known &= ((there >= 0) & (there <= np.array(SIZE) - 1)).all(-1)
    assert known.mean() > 0.4
    assert (np.abs(found.residual - between) <= bound + 0.05)[known].all()  # remap knows 1/32 px
    assert np.median(bound[known]) < 0.3  # so this says something


def test_the_reference_sampled_at_the_true_position_looks_like_the_target(sample, truth, fitted):
    window = choose_window(fitted, SIZE, (192, 152))
    pair = drawn(sample, window)
    found = truth_on_window(truth, window, pair.target_valid)
    valid = cv2.erode((found.codes == Visibility.VISIBLE).astype(np.uint8), np.ones((5, 5))) > 0

    def difference(residual):
        at = (grid(window.size) + residual).astype(np.float32)
        there = cv2.remap(pair.reference, at[..., 0], at[..., 1], cv2.INTER_LINEAR).astype(float)
        return np.abs(there - pair.target)[valid].mean(-1)

    assert valid.mean() > 0.2
    assert np.median(difference(found.residual)) < 1.5
    assert np.quantile(difference(found.residual), 0.98) < 6
    assert np.mean(difference(found.residual)) < 0.3 * np.mean(difference(0 * found.residual))


def test_true_positions_lie_on_the_epipolar_lines_of_the_window(sample, truth, fitted):
    for homography in (shifted(17, -5), fitted):
        window = choose_window(homography, SIZE, (128, 96))
        found = truth_on_window(truth, window, drawn(sample, window).target_valid)
        known = truth.mask != Visibility.BEHIND
        here = project(window.target_to_window, grid(SIZE))[known]
        there = project(window.reference_to_window, truth.warp.astype(float))[known]
        lines = np.insert(here, 2, 1, axis=1) @ found.fundamental.T
        off = np.abs((np.insert(there, 2, 1, axis=1) * lines).sum(1)) / np.hypot(lines[:, 0], lines[:, 1])
        near = np.abs(there).max(1) < 1000
        assert off[near].max() < 1e-2
        assert np.linalg.norm(found.fundamental) == pytest.approx(1)


def test_segments_lie_on_the_edges_of_the_drawn_target(truth):
    """A white square on black: 2 px to one side of its segments all is white, to the other black."""
    target = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    target[30:90, 40:120] = 255
    corners = np.array([(39.5, 29.5), (119.5, 29.5), (119.5, 89.5), (39.5, 89.5)], np.float32)
    here = np.stack([corners, np.roll(corners, -1, axis=0)], 1)  # (4, 2, 2)
    segments = np.stack([here, 0 * here], 1)  # the reference's are of no use
    homography = np.array([[1.1, 0.1, 4], [-0.05, 0.9, -8], [4e-4, -2e-4, 1]])
    window = choose_window(homography, SIZE, (144, 112))
    pair = draw_pair(target, target, window, NO_MATCHES)
    found = truth_on_window(replace(truth, segments=segments), window, pair.target_valid).segments
    assert found.shape == (4, 2, 2)
    assert found.dtype == np.float32
    for start, end in found:
        along = end - start
        normal = 2 * np.array([-along[1], along[0]]) / np.hypot(*along)  # to the inside: x right, y down
        points = start + np.linspace(0.1, 0.9, 20)[:, None] * along
        inner, outer = (
            cv2.remap(pair.target, *(points + way * normal).astype(np.float32).T, cv2.INTER_LINEAR)[..., 0]
            for way in (1, -1)
        )
        assert inner.min() > 250
        assert outer.max() < 5


def test_the_stitched_picture_lies_where_the_reference_lies(sample, truth):
    window = choose_window(shifted(17, -5), SIZE, (192, 152))
    pair = drawn(sample, window)
    found = truth_on_window(truth, window, pair.target_valid)
    known, mine, others = (found.stitched_valid & bit > 0 for bit in (4, 1, 2))
    assert np.array_equal(found.stitched[pair.reference_valid], pair.reference[pair.reference_valid])
    assert np.array_equal(mine, pair.reference_valid)
    assert known[mine].all()
    assert known[others].all()
    assert not found.stitched[~known].any()
    visible = found.codes == Visibility.VISIBLE
    landed = np.rint(grid(window.size) + found.residual).astype(int)[visible]
    assert others[landed[:, 1], landed[:, 0]].mean() > 0.97


def test_residuals_that_are_too_long_or_undefined_are_unknown(sample, truth):
    """As the classical warp of pixels that the target does not have."""
    window = choose_window(np.eye(3), SIZE, (96, 96))
    warp, mask = grid(SIZE).astype(np.float32), np.full(SIZE[::-1], Visibility.OUTSIDE, np.uint8)
    scale = window.reference_to_window[0, 0]
    warp[:, :40, 0] += 1.01 * MAX_RESIDUAL * 96 / scale
    warp[:, 40:80, 1] -= 0.99 * MAX_RESIDUAL * 96 / scale
    warp[:, 80:100] = np.nan
    mask[:, 100:120] = Visibility.BEHIND
    valid = drawn(sample, window).target_valid
    valid[:5] = False
    found = truth_on_window(replace(truth, warp=warp, mask=mask), window, valid)
    columns = nearest(window)[0][..., 0]
    expected = valid & (columns >= 40) & ~((columns >= 80) & (columns < 120))
    assert np.array_equal(found.codes == Visibility.OUTSIDE, expected)
    assert np.array_equal(found.codes == Visibility.BEHIND, ~expected)
    assert np.isfinite(found.residual).all()
    assert not found.residual[~expected].any()


# --- windows ---


def random_homography(rng):
    """Of a target of SIZE whose corners move by up to a fifth of it, then enlarged and shifted."""
    enlarged = np.diag([*rng.uniform(0.4, 1.6, 2), 1]) @ jittered(np.eye(3), SIZE, 0.2, rng)
    return shifted(*rng.uniform(-200, 200, 2)) @ enlarged


def test_a_window_holds_the_target_centred_with_a_margin():
    rng = np.random.default_rng(0)
    sizes, scales = ((320, 256), (128, 96), (64, 256)), []
    corners = np.array([(-0.5, -0.5), (159.5, -0.5), (159.5, 119.5), (-0.5, 119.5)])
    for number in range(60):
        size = sizes[number % 3]
        window = choose_window(random_homography(rng), SIZE, size)
        scale = window.reference_to_window[0, 0]
        scales.append(scale)
        assert MIN_SCALE <= scale <= 1
        x, y = window.reference_to_window[:2, 2]
        assert np.allclose(window.reference_to_window, [[scale, 0, x], [0, scale, y], [0, 0, 1]])
        places = project(window.target_to_window, corners)
        low, high = places.min(0), places.max(0)
        assert np.allclose((low + high) / 2, (np.array(size) - 1) / 2)
        if scale > MIN_SCALE:
            assert (high - low <= np.array(size) * (1 - 2 * MARGIN) + 1e-6).all()
        if MIN_SCALE < scale < 1:
            assert np.isclose(high - low, np.array(size) * (1 - 2 * MARGIN)).any()  # no smaller than need be
    assert min(scales) == MIN_SCALE
    assert max(scales) == 1


def test_pictures_lie_where_the_window_says(sample):
    """A mark drawn at a place of either picture is found at that place's image; so are the matches."""
    rng = np.random.default_rng(1)
    window = Window((128, 96), np.array([[0.45, 0, 22.3], [0, 0.45, 17.7], [0, 0, 1]]), np.eye(3))
    window = replace(window, target_to_window=window.reference_to_window @ jittered(shifted(10, 6), SIZE, 0.1, rng))
    mark = (70, 50)
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cv2.circle(picture, mark, 8, (255, 255, 255), -1)
    match = np.array([mark], np.float32)
    pair = draw_pair(picture, picture, window, (match, match))
    for pixels, points in ((pair.reference, pair.reference_points), (pair.target, pair.target_points)):
        weights = pixels[..., 0].astype(float)
        found = (weights[..., None] * grid(window.size)).sum((0, 1)) / weights.sum()
        assert np.allclose(found, points[0], atol=0.1)


def test_pixels_outside_the_pictures_are_black_and_not_valid():
    white = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
    for scale in (1.0, 0.55):
        plane = np.diag([scale, scale, 1.0])
        plane[:2, 2] = 10, 20
        window = Window((200, 160), plane, plane)
        pair = draw_pair(white, white, window, NO_MATCHES)
        for pixels, valid in ((pair.reference, pair.reference_valid), (pair.target, pair.target_valid)):
            assert (pixels[valid] == 255).all()  # no dark rim
            assert not pixels[~valid].any()
            rows, columns = np.nonzero(valid)
            assert np.abs(columns.min() - (10 - scale / 2)) <= 1
            assert np.abs(columns.max() - (10 + scale * (SIZE[0] - 0.5))) <= 1
            assert np.abs(rows.max() - (20 + scale * (SIZE[1] - 0.5))) <= 1


def test_a_smaller_window_does_not_alias():
    """Stripes a pixel wide become grey."""
    stripes = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    stripes[:, ::2] = 255
    plane = np.diag([0.5, 0.5, 1.0])
    pair = draw_pair(stripes, stripes, Window((64, 48), plane, plane), NO_MATCHES)
    assert np.abs(pair.reference[2:-2, 2:-2].astype(int) - 127).max() < 10


# --- alignments ---


def test_jitter_moves_corners_by_no_more_than_the_amount():
    rng = np.random.default_rng(0)
    base = random_homography(rng)
    corners = np.array([[0, 0], [SIZE[0], 0], SIZE, [0, SIZE[1]]], float)
    moves = []
    for _ in range(100):
        moves.append((project(jittered(base, SIZE, 0.06, rng), corners) - project(base, corners)) / SIZE)
    assert np.abs(moves).max() <= 0.06 + 1e-5
    assert np.abs(moves).max(axis=0).min() > 0.05  # every corner, in x and y
    assert np.allclose(jittered(base, SIZE, 0.0, rng), base / base[2, 2], atol=1e-4 * np.abs(base).max())


def test_the_same_random_state_jitters_the_same_way():
    first, second = (jittered(np.eye(3), SIZE, 0.06, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)


def test_pictures_that_cannot_be_aligned_get_the_identity():
    blank = np.zeros((120, 160, 3), np.uint8)
    homography, matches = coarse_alignment(blank, blank + 200)
    assert np.array_equal(homography, np.eye(3))
    assert [m.shape for m in matches] == [(0, 2), (0, 2)]
    assert {m.dtype for m in matches} == {np.dtype(np.float32)}


def test_an_alignment_is_found_and_its_matches_agree_with_it():
    rng = np.random.default_rng(2)
    scene = cv2.resize(rng.integers(0, 256, (60, 90, 3), np.uint8), (360, 240), interpolation=cv2.INTER_CUBIC)
    homography, (reference_points, target_points) = coarse_alignment(scene[:, :240], scene[:, 120:])
    places = grid((240, 240))[::40, ::40]
    assert np.allclose(project(homography, places), places + np.array([120, 0]), atol=0.5)
    assert len(reference_points) == len(target_points) > 20
    assert np.median(np.abs(reference_points - target_points - (120, 0))) < 0.5


def test_the_estimate_is_trusted_where_it_is_forward_backward_consistent_in_the_overlap():
    """One painting shifted by more than the alignment says: the estimator finds the rest, but not where none is."""
    rng = np.random.default_rng(3)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (160, 320, 3), np.uint8), (0, 0), 2)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    reference, target = scene[:, :240], scene[:, 80:]
    window = choose_window(shifted(76, 0), (240, 160), (320, 192))
    pair = draw_pair(reference, target, window, NO_MATCHES)
    warp = classical(pair)
    residual, trusted = warp.residual, forward_backward_consistent(warp, pair)
    assert residual.shape == (192, 320, 2)
    assert not trusted[~pair.overlap].any()
    inner = cv2.erode(pair.overlap.astype(np.uint8), np.ones((25, 25))) > 0
    assert trusted[inner].mean() > 0.9
    error = np.abs(residual - np.array([4, 0]) * window.reference_to_window[0, 0])[trusted & inner]
    assert np.median(error) < 0.25
