"""The share of the target that is shown twice, of stitches of a wall with a box in front of it."""

import numpy as np
import pytest
import synthetic
from numpy.typing import NDArray

from apps.evaluation.measures.shown_twice import ShownTarget, shown_twice
from apps.evaluation.true_places import TrueMap
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Field, inside, pixel_grid, remap

W, H = synthetic.SIZE
ON_CANVAS = (2 * W, 2 * H)  # size of the canvas, px
ORIGIN = -W // 2, -H // 2


def canvas_places() -> NDArray[np.float64]:
    """(h, w, 2): what canvas pixels are in the reference's plane."""
    return pixel_grid(*ON_CANVAS[::-1]).astype(np.float64) + ORIGIN


def wall_map() -> Field:
    """The homography of the wall: canvas px -> target px."""
    return project(synthetic.two_planes().wall, canvas_places()).astype(np.float32)


def box_in_reference() -> NDArray[np.bool_]:
    left, top, right, bottom = synthetic.BOX_CORNERS
    x, y = np.moveaxis(canvas_places(), -1, 0)
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom))


def measured(map_xy: Field, weight: NDArray[np.bool_]) -> float:
    scene = synthetic.two_planes()
    canvas = Canvas(Surface(None, ((W - 1) / 2, (H - 1) / 2)), ORIGIN, ON_CANVAS)
    shown = ShownTarget(map_xy, weight.astype(np.float32), canvas, 1.0)
    share = shown_twice(shown, TrueMap(scene.map_xy, scene.visible), W)
    assert share is not None
    return share


def doubled_share(map_xy: Field, weight: NDArray[np.bool_]) -> float:
    """What of the box's pixels a map shows beside the box's true place, as a share of the target."""
    shows_box = remap(synthetic.two_planes().on_box.astype(np.uint8), map_xy, 0) > 0
    covered = inside(map_xy, (W, H))
    return float((covered & shows_box & ~weight & ~box_in_reference()).sum() / covered.sum())


def test_the_true_stitch_shows_nothing_twice() -> None:
    """The reference where it has pixels, the wall beyond."""
    assert measured(wall_map(), inside(canvas_places(), (W, H))) == 0


def test_a_homography_stitch_shows_the_box_twice() -> None:
    weight = box_in_reference()
    expected = doubled_share(wall_map(), weight)
    assert expected > 0.02
    assert measured(wall_map(), weight) == pytest.approx(expected, rel=0.1)


def test_what_the_target_itself_shows_twice_counts() -> None:
    """The box's pixels at their true place, and left where the wall's homography puts them."""
    scene = synthetic.two_planes()
    on_box = scene.on_box
    design = np.hstack([scene.map_xy[on_box], np.ones((on_box.sum(), 1))])  # (n, 3): nearly affine on so small a box
    to_target, *_ = np.linalg.lstsq(design, pixel_grid(H, W)[on_box].astype(np.float64), rcond=None)
    box_map = canvas_places() @ to_target[:2] + to_target[2]
    map_xy = np.where(box_in_reference()[..., None], box_map, wall_map()).astype(np.float32)
    nowhere = np.zeros(ON_CANVAS[::-1], bool)
    assert measured(map_xy, nowhere) == pytest.approx(doubled_share(map_xy, nowhere), rel=0.1)


def test_what_is_shown_once_at_a_wrong_place_does_not_count() -> None:
    assert measured(wall_map(), np.zeros(ON_CANVAS[::-1], bool)) < 0.001


def test_outside_of_the_target_the_map_may_be_nan() -> None:
    weight, map_xy = box_in_reference(), wall_map()
    outside_is_nan = np.where(inside(map_xy, (W, H))[..., None], map_xy, np.float32(np.nan))
    assert measured(outside_is_nan, weight) == measured(map_xy, weight)


def test_the_scale_of_the_map_does_not_matter() -> None:
    scene, weight = synthetic.two_planes(), box_in_reference()
    canvas = Canvas(Surface(None, ((W - 1) / 2, (H - 1) / 2)), ORIGIN, ON_CANVAS)
    half = ShownTarget(
        (wall_map()[::2, ::2] + wall_map()[1::2, 1::2]) / 2, weight[::2, ::2].astype(np.float32), canvas, 0.5
    )
    share = shown_twice(half, TrueMap(scene.map_xy, scene.visible), W)
    assert share == pytest.approx(measured(wall_map(), weight), rel=0.1)
