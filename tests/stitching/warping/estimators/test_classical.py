"""The classical warp on the synthetic pair: the flow of every pixel is known there."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from synthetic import SIZE, two_planes

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import align
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, pixel_grid, remap, rescale
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.io.picture import as_picture, to_grey
from stitching.warping.canvas_pictures import draw_canvas_pair
from stitching.warping.estimators.classical import classical, classical_flow, fill_outside
from stitching.warping.estimators.registry import ESTIMATORS
from stitching.warping.flow.flow_warp import BidirectionalFlow
from stitching.warping.placement import place_target
from stitching.warping.warp import CanvasPair, Warp, forward_backward_consistent

SCALE = 0.9  # of the working canvas


@dataclass(frozen=True)
class Estimated:
    """The pair on its canvas, the true residual (h, w, 2) of the pixels that both see, and the estimated warps."""

    canvas: Canvas
    pair: CanvasPair
    coarse_map: Field
    truth: Field
    visible: Mask
    warps: dict[str, Warp]

    def errors(self, name):
        return np.linalg.norm(self.warps[name].residual - self.truth, axis=2)


@pytest.fixture(scope="module")
def estimated():
    scene = two_planes()
    alignment = align(to_grey(scene.target), to_grey(scene.reference))
    coarse = plan_coarse_warp(alignment, SIZE, SIZE)
    pair, coarse_map = draw_canvas_pair(as_picture(scene.reference), as_picture(scene.target), alignment, coarse, SCALE)
    in_reference = remap(scene.map_xy.astype(np.float32), coarse_map).astype(np.float64)
    height, width = pair.target_valid.shape
    truth = rescale(coarse.canvas.from_reference(in_reference), SCALE) - pixel_grid(height, width)
    visible = (remap(scene.visible.astype(np.uint8), coarse_map) > 0) & pair.target_valid
    return Estimated(
        coarse.canvas,
        pair,
        coarse_map,
        truth,
        visible,
        {name: ESTIMATORS[name](pair) for name in ("classical", "homography")},
    )


def test_pixels_that_both_pictures_see_are_in_their_places(estimated):
    error = estimated.errors("classical")[estimated.visible]
    assert np.median(error) < 0.15
    assert error.mean() < 0.4
    assert (error < 1).mean() > 0.97


def test_it_is_far_better_than_the_homography(estimated):
    classical, homography = (estimated.errors(name)[estimated.visible].mean() for name in ("classical", "homography"))
    assert homography > 3
    assert classical < homography / 10


def test_the_warp_is_defined_everywhere(estimated):
    for warp in estimated.warps.values():
        assert warp.residual.shape == (*estimated.pair.target_valid.shape, 2)
        assert warp.residual.dtype == warp.confidence.dtype == np.float32
        assert np.isfinite(warp.residual).all()
        assert warp.confidence.min() >= 0
        assert warp.confidence.max() <= 1


def test_consistent_pixels_are_visible_and_right(estimated):
    consistent = forward_backward_consistent(estimated.warps["classical"], estimated.pair)
    assert consistent[estimated.visible].mean() > 0.95
    assert consistent[estimated.pair.overlap & ~estimated.visible].mean() < 0.3
    assert np.percentile(estimated.errors("classical")[consistent & estimated.visible], 99) < 1.5


def test_placed_on_the_canvas_trusted_pixels_show_what_the_reference_sees_there(estimated):
    scene = two_planes()
    placement = place_target(estimated.warps["classical"], estimated.pair, estimated.coarse_map, SIZE, SCALE)
    shown = remap(scene.map_xy.astype(np.float32), placement.map_xy)  # as reference px
    both = estimated.pair.reference_valid & placement.trusted
    expected = estimated.canvas.to_reference(rescale(pixel_grid(*both.shape).astype(np.float64), 1 / SCALE))
    error = np.linalg.norm(shown - expected, axis=2)[both]
    assert both.mean() > 0.5
    assert np.median(error) < 0.2
    assert (error < 2).mean() > 0.97
    assert placement.covered[estimated.pair.target_valid & ~estimated.pair.reference_valid].mean() > 0.98
    assert tears_and_folds(np.nan_to_num(placement.residual), placement.trusted)[1] < 0.01


def test_the_same_pair_gives_the_same_warp(estimated):
    again = classical(estimated.pair)
    assert np.array_equal(again.residual, estimated.warps["classical"].residual)
    assert np.array_equal(again.confidence, estimated.warps["classical"].confidence)


def test_epipolar_lines_of_the_consistent_flow_find_what_few_matches_cannot(estimated, monkeypatch):
    """The near surface, which no search from no displacement finds, without a sparse match."""
    monkeypatch.setattr("stitching.warping.estimators.classical.UNSURE_SHARE", -1)
    none = np.zeros((0, 2))
    pair = replace(estimated.pair, target_points=none, reference_points=none)
    where = estimated.visible & (np.linalg.norm(estimated.truth, axis=2) > 15)

    def right():
        return (np.linalg.norm(classical_flow(pair).forward - estimated.truth, axis=2)[where] < 2).mean()

    with_lines = right()
    monkeypatch.setattr("stitching.warping.estimators.classical.MAX_POINT_ERROR", -1)  # no point tells of the lines
    assert with_lines > 0.9
    assert right() < 0.8


def test_narrow_pictures_have_a_flow():
    random = np.random.default_rng(0).integers(0, 256, (2, 40, 9, 3), np.uint8)
    everywhere, no_points = np.ones((40, 9), bool), np.zeros((0, 2))
    flow = classical_flow(CanvasPair(random[0], random[1], everywhere, everywhere, no_points, no_points))
    assert np.isfinite(flow.forward).all()


def test_an_initial_flow_brings_displacements_that_no_search_finds():
    """Noise moved by 60 px, without sparse matches: the search alone fails."""
    texture = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.0)
    everywhere, no_points = np.ones((120, 200), bool), np.zeros((0, 2))
    pair = CanvasPair(np.roll(texture, 60, axis=1), texture, everywhere, everywhere, no_points, no_points)
    near = np.broadcast_to(np.float32([57, 2]), (120, 200, 2)).copy()
    alone, started = classical_flow(pair), classical_flow(pair, lambda _: BidirectionalFlow(near, -near))
    errors = [np.abs(flow.forward - np.float32([60, 0]))[20:-20, 20:110].mean() for flow in (alone, started)]
    assert errors[0] > 20
    assert errors[1] < 0.3


def test_pictures_are_filled_with_each_other_and_equally_bright():
    scene = np.random.default_rng(0).integers(40, 200, (60, 90, 3), np.uint8)
    reference_valid, target_valid = np.arange(90) < 60, np.arange(90) >= 30
    reference_valid, target_valid = (np.broadcast_to(valid, (60, 90)) for valid in (reference_valid, target_valid))
    no_points = np.zeros((0, 2))
    pair = CanvasPair(
        np.where(reference_valid[..., None], scene, 0), np.where(target_valid[..., None], scene // 2, 0),
        reference_valid, target_valid, no_points, no_points,
    )  # fmt: skip
    reference, target = fill_outside(pair)
    assert np.array_equal(reference[:, :60], scene[:, :60])
    assert np.array_equal(target[:, :30], scene[:, :30])
    assert np.abs(target[:, 30:].astype(int) - scene[:, 30:]).max() <= 4
    assert np.array_equal(reference[:, 60:], target[:, 60:])
