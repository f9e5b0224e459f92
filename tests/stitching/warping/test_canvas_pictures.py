import dataclasses

import cv2
import numpy as np
import pytest
from synthetic import SIZE, two_planes

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import align
from stitching.geometry.pixel_maps import pixel_grid, rescale
from stitching.io.picture import as_picture, to_grey
from stitching.warping.canvas_pictures import draw, draw_aligned_pair, draw_canvas_pair
from stitching.warping.placement import Placement

SCALE = 0.9  # of the working canvas


@pytest.fixture(scope="module")
def drawn():
    """Pictures, alignment, coarse warp, canvas pair and coarse map of the synthetic scene."""
    scene = two_planes()
    pictures = as_picture(scene.reference), as_picture(scene.target)
    alignment = align(to_grey(scene.target), to_grey(scene.reference))
    coarse = plan_coarse_warp(alignment, SIZE, SIZE)
    return pictures, alignment, coarse, *draw_canvas_pair(*pictures, alignment, coarse, SCALE)


def test_drawn_on_its_own_grid_a_picture_stays_what_it_is():
    scene = two_planes()
    pixels, valid = draw(as_picture(scene.reference), pixel_grid(*scene.reference.shape[:2]), 1.0)
    assert np.array_equal(pixels, scene.reference)
    assert valid.all()


def test_outside_of_a_picture_and_where_it_is_masked_nothing_is_drawn():
    scene = two_planes()
    height, width = scene.reference.shape[:2]
    mask = np.full((height, width), 255, np.uint8)
    mask[100:150, 100:150] = 0
    masked = dataclasses.replace(as_picture(scene.reference), valid=mask)
    pixels, valid = draw(masked, pixel_grid(height, width) - np.float32([50, 0]), 1.0)
    expected = np.zeros((height, width), bool)
    expected[:, 50:] = True
    expected[100:150, 150:200] = False
    assert np.array_equal(valid, expected)
    assert not pixels[~valid].any()


def test_drawn_smaller_a_picture_is_averaged_and_has_8_bits():
    deep = two_planes().reference.astype(np.uint16) * 257
    height, width = deep.shape[:2]
    grid = rescale(pixel_grid(height // 4, width // 4), 4.0)
    pixels, valid = draw(as_picture(deep), grid, 0.25)
    expected = cv2.resize(two_planes().reference, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    assert pixels.dtype == np.uint8
    assert valid.all()
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_on_the_canvas_matched_points_show_the_same(drawn):
    _, alignment, _, pair, coarse_map = drawn
    assert pair.overlap.any()
    assert coarse_map.shape == (*pair.overlap.shape, 2)
    assert 0.9 * len(alignment.matches) < len(pair.reference_points) == len(pair.target_points)
    patches = [
        [cv2.getRectSubPix(to_grey(picture), (9, 9), tuple(point)).ravel() for point in points.astype(np.float32)]
        for picture, points in ((pair.reference, pair.reference_points), (pair.target, pair.target_points))
    ]
    correlations = [np.corrcoef(first, second)[0, 1] for first, second in zip(*patches, strict=True)]
    assert np.median(correlations) > 0.9


def test_after_the_warp_the_target_is_drawn_where_its_placement_covers_the_canvas(drawn):
    pictures, _, coarse, pair, coarse_map = drawn
    covered = pair.target_valid.copy()
    covered[:, :200] = False
    placement = Placement(coarse_map, covered, covered, np.zeros_like(coarse_map), SCALE)
    aligned = draw_aligned_pair(*pictures, coarse.canvas, placement)
    assert np.array_equal(aligned.reference, pair.reference)
    assert np.array_equal(aligned.target_valid, covered)
    assert np.array_equal(aligned.trusted, covered)
    assert np.array_equal(aligned.target, np.where(covered[..., None], pair.target, 0))
    assert not aligned.hidden.any()
