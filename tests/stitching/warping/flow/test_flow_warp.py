import dataclasses

import numpy as np
import pytest

from stitching.geometry.rectangles import Rectangle
from stitching.warping.flow.flow_warp import FLOW_MARGIN, OUTSIDE_CONFIDENCE, BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, forward_backward_consistent

H, W = 120, 200
NO_POINTS = np.zeros((0, 2))


def pair_of(reference_columns, target_columns=slice(0, W), width=W):
    texture = np.random.default_rng(0).integers(0, 256, (H, width, 3), np.uint8)
    reference_valid, target_valid = np.zeros((2, H, width), bool)
    reference_valid[:, reference_columns], target_valid[:, target_columns] = True, True
    return CanvasPair(texture, texture, reference_valid, target_valid, NO_POINTS, NO_POINTS)


def constant(pair, x, y):
    return np.broadcast_to(np.float32([x, y]), (*pair.target_valid.shape, 2)).copy()


def uniform_flow(x, y):
    return lambda pair: BidirectionalFlow(constant(pair, x, y), constant(pair, -x, -y))


def test_a_flow_that_is_undone_by_the_flow_back_becomes_the_residual():
    pair = pair_of(slice(0, 100))
    warp = warp_from_flow(pair, uniform_flow(6, -2))
    assert np.allclose(warp.residual[pair.overlap], [6, -2], atol=1e-3)
    assert (warp.confidence[pair.overlap] == 1).all()
    assert np.allclose(warp.confidence[~pair.overlap], OUTSIDE_CONFIDENCE)
    assert np.array_equal(forward_backward_consistent(warp, pair), pair.overlap)


def test_pixels_that_do_not_come_back_get_the_residual_of_their_neighbours():
    pair, patch = pair_of(slice(0, W)), (slice(40, 70), slice(80, 110))

    def flow(part):
        forward, backward = constant(part, 6, -2), constant(part, -6, 2)
        forward[patch] = 40
        return BidirectionalFlow(forward, backward)

    warp = warp_from_flow(pair, flow)
    assert np.allclose(warp.residual, [6, -2], atol=0.01)
    assert not warp.confidence[patch].any()
    assert forward_backward_consistent(warp, pair).mean() == 1 - 30 * 30 / (H * W)


def test_what_is_guessed_keeps_its_flow_but_is_not_trusted():
    """Where a thing is hidden, both flows can be guessed alike, and come back."""
    pair, patch = pair_of(slice(0, W)), (slice(40, 70), slice(80, 110))

    def flow(part):
        forward, backward = constant(part, 6, -2), constant(part, -6, 2)
        forward[patch] = [9, 1]
        backward[41:71, 89:119] = [-9, -1]
        guessed = np.zeros((H, W), bool)
        guessed[patch] = True
        return BidirectionalFlow(forward, backward, guessed)

    warp = warp_from_flow(pair, flow)
    assert np.allclose(warp.residual[patch], [9, 1], atol=0.05)
    assert not warp.confidence[patch].any()
    assert warp.confidence[:, :70].all()


def test_the_flow_is_asked_for_around_the_overlap_only():
    pair, parts = pair_of(slice(0, 60)), []

    def flow(part):
        parts.append(part)
        return BidirectionalFlow(constant(part, 0, 0), constant(part, 0, 0))

    warp_from_flow(pair, flow)
    (part,) = parts
    assert np.array_equal(part.target, pair.target[:, : 60 + FLOW_MARGIN])
    assert np.array_equal(part.reference_valid, pair.reference_valid[:, : 60 + FLOW_MARGIN])


def test_matched_points_move_with_a_part_of_the_canvas():
    points = np.array([[70.0, 30.0], [-5.0, 200.0]])
    pair = dataclasses.replace(pair_of(slice(0, W)), reference_points=points, target_points=points + 1)
    part = pair.crop(Rectangle(40, 10, 100, 90))
    assert part.reference.shape == (80, 60, 3)
    assert np.array_equal(part.overlap, pair.overlap[10:90, 40:100])
    assert np.array_equal(part.reference_points, points - [40, 10])
    assert np.array_equal(part.target_points, points + 1 - [40, 10])


def test_without_an_overlap_no_flow_is_asked_for_and_nothing_moves():
    warp = warp_from_flow(pair_of(slice(0, 80), slice(80, W)), lambda pair: pytest.fail("asked"))
    assert not warp.residual.any()


def test_the_residual_fades_outside_the_overlap():
    """A strip of overlap moves by 9 px; the target goes on far to the right of it."""
    pair = pair_of(slice(0, 200), slice(0, 1200), width=1200)
    warp = warp_from_flow(pair, uniform_flow(9, 0))
    lengths = np.linalg.norm(warp.residual, axis=2)
    assert lengths[:, 210].min() > 6
    assert lengths[:, 1100:].max() < 0.1
    assert (np.diff(lengths[60, 210:]) < 1e-3).all()  # it never grows again


def test_a_flat_region_counts_less_than_a_textured_one():
    """In the overlap's flat half the flow says 0, in its textured half 8; between them lie unknown pixels."""
    pair = pair_of(slice(0, W))
    pair.target[:, :100] = 128

    def flow(part):
        forward, backward = constant(part, 8, 0), constant(part, -8, 0)
        forward[:, :80], backward[:, :90] = 0, 0
        forward[:, 80:120] = 50
        return BidirectionalFlow(forward, backward)

    warp = warp_from_flow(pair, flow)
    assert warp.residual[H // 2, 95, 0] > 6
