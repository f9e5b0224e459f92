"""The classical warp on the synthetic pair: the flow of every pixel is known there."""

import numpy as np
import pytest
from synthetic import SIZE, two_planes

from stitching.alignment.canvas_planning import plan_canvas
from stitching.alignment.coarse import align
from stitching.geometry.pixel_maps import pixel_grid, remap, rescale
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.io.picture import as_picture, to_grey
from stitching.warping.drawing import draw_canvas_pair
from stitching.warping.estimators import ESTIMATORS
from stitching.warping.placement import place_target
from stitching.warping.warp import CanvasPair

SCALE = 0.9  # of the working canvas


@pytest.fixture(scope="module")
def found():
    """The pair on its canvas, the coarse map canvas -> target, and what both estimators say."""
    scene = two_planes()
    alignment = align(to_grey(scene.target), to_grey(scene.reference))
    coarse = plan_canvas(alignment, SIZE, SIZE)
    pair, places = draw_canvas_pair(as_picture(scene.reference), as_picture(scene.target), alignment, coarse, SCALE)
    true_places = remap(scene.places.astype(np.float32), places).astype(np.float64)
    height, width = pair.target_valid.shape
    truth = rescale(coarse.canvas.from_reference(true_places), SCALE) - pixel_grid(height, width)
    visible = (remap(scene.visible.astype(np.uint8), places) > 0) & pair.target_valid
    return pair, places, truth, visible, {name: ESTIMATORS[name](pair) for name in ESTIMATORS}


def errors(found, name):
    _, _, truth, visible, warps = found
    return np.linalg.norm(warps[name].residual - truth, axis=2)[visible]


def test_what_both_pictures_see_is_in_its_place(found):
    error = errors(found, "classical")
    assert np.median(error) < 0.15
    assert error.mean() < 0.4
    assert (error < 1).mean() > 0.97


def test_it_is_far_better_than_the_homography(found):
    assert errors(found, "homography").mean() > 3
    assert errors(found, "classical").mean() < errors(found, "homography").mean() / 10


def test_the_warp_is_defined_everywhere(found):
    pair, _, _, _, warps = found
    for warp in warps.values():
        assert warp.residual.shape == (*pair.target_valid.shape, 2)
        assert warp.residual.dtype == warp.confidence.dtype == np.float32
        assert np.isfinite(warp.residual).all()
        assert warp.confidence.min() >= 0
        assert warp.confidence.max() <= 1


def test_trust_tells_what_is_hidden_from_what_is_seen(found):
    pair, _, _, visible, warps = found
    trusted = warps["classical"].confidence > 0.5
    assert trusted[visible].mean() > 0.95
    assert trusted[pair.overlap & ~visible].mean() < 0.3


def test_what_is_trusted_is_right(found):
    pair, _, truth, visible, warps = found
    trusted = (warps["classical"].confidence > 0.5) & pair.overlap & visible
    error = np.linalg.norm(warps["classical"].residual - truth, axis=2)
    assert np.percentile(error[trusted], 99) < 1.5


def test_the_residual_fades_outside_of_the_overlap():
    """A strip of overlap moves by 9 px; the target goes on far to the right of it."""
    height, width = 120, 1200
    random = np.random.default_rng(0)
    texture = random.integers(0, 256, (height // 2, width // 2, 3), np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    valid = np.arange(width) < 200
    reference_valid = np.broadcast_to(valid, (height, width))
    reference = np.where(reference_valid[..., None], texture, 0).astype(np.uint8)
    target = np.roll(texture, -9, axis=1)
    everywhere = np.ones((height, width), bool)
    none = np.zeros((0, 2))
    warp = ESTIMATORS["classical"](CanvasPair(reference, target, reference_valid, everywhere, none, none))
    lengths = np.linalg.norm(warp.residual, axis=2)
    assert np.median(np.abs(warp.residual[:, 20:180] - [9, 0])) < 0.3
    assert lengths[:, 210].mean() > 6
    assert lengths[:, 1100:].max() < 0.1
    middle = lengths[60, 210:]
    assert (np.diff(middle) < 0.05).all()  # it never grows again


def test_without_an_overlap_there_is_no_residual():
    valid = np.zeros((80, 160), bool)
    valid[:, :80] = True
    picture = np.random.default_rng(0).integers(0, 256, (80, 160, 3), np.uint8)
    none = np.zeros((0, 2))
    warp = ESTIMATORS["classical"](CanvasPair(picture, picture, valid, ~valid, none, none))
    assert not warp.residual.any()


def test_the_same_pair_gives_the_same_warp(found):
    pair, _, _, _, warps = found
    again = ESTIMATORS["classical"](pair)
    assert np.array_equal(again.residual, warps["classical"].residual)
    assert np.array_equal(again.confidence, warps["classical"].confidence)


# --- put on the canvas ---


def test_on_the_canvas_every_trusted_pixel_shows_what_the_reference_sees_there(found):
    scene = two_planes()
    pair, places, _, _, warps = found
    placement = place_target(warps["classical"], pair, places, SIZE, SCALE)
    there = remap(scene.places.astype(np.float32), placement.map_xy)  # reference px of the shown target px
    own = pair.reference_valid & placement.trusted
    height, width = own.shape
    alignment = align(to_grey(scene.target), to_grey(scene.reference))
    canvas = plan_canvas(alignment, SIZE, SIZE).canvas
    expected = canvas.to_reference(rescale(pixel_grid(height, width).astype(np.float64), 1 / SCALE))
    error = np.linalg.norm(there - expected, axis=2)[own]
    assert own.mean() > 0.5
    assert np.median(error) < 0.2
    assert (error < 2).mean() > 0.97


def test_the_map_hardly_folds_and_covers_what_the_target_sees(found):
    pair, places, _, _, warps = found
    placement = place_target(warps["classical"], pair, places, SIZE, SCALE)
    assert placement.covered[pair.target_valid & ~pair.reference_valid].mean() > 0.98
    _, folds = tears_and_folds(np.nan_to_num(placement.residual), placement.trusted)
    assert folds < 0.01
