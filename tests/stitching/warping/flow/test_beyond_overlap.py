"""Near things that the coarse alignment puts outside the overlap, although both pictures show them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stitching.warping.estimators.classical import classical
from stitching.warping.flow.beyond_overlap import found_beyond_overlap, led_into_reference
from stitching.warping.warp import CanvasPair

H, W = 160, 320
BOX_ROWS, BOX_COLUMNS = slice(50, 110), slice(40, 100)  # of the target
FIRST = 120  # column of the reference
MOVE = 110  # px that the box moves to the right


def noise(seed: int, height: int = H, width: int = W) -> NDArray[np.uint8]:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def box_pair() -> CanvasPair:
    """A wall that does not move, and a box left of the reference's first column that the reference shows farther right.

    Matches of both, with the box's corners among them.
    """
    target = noise(0)
    reference, box = target.copy(), noise(1, 60, 60)
    target[BOX_ROWS, BOX_COLUMNS] = box
    reference[BOX_ROWS, BOX_COLUMNS.start + MOVE : BOX_COLUMNS.stop + MOVE] = box
    reference_valid = np.broadcast_to(np.arange(W) >= FIRST, (H, W)).copy()
    reference[~reference_valid] = 0
    x, y = np.meshgrid(np.arange(42, 100, 8), np.arange(52, 110, 8))
    on_box = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)  # (n, 2)
    x, y = np.meshgrid(np.arange(130, 320, 12), np.arange(6, 160, 12))
    on_wall = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    hidden = (abs(on_wall[:, 0] - 180) < 34) & (abs(on_wall[:, 1] - 80) < 34)
    on_wall = on_wall[~hidden]
    reference_points = np.concatenate([on_wall, on_box + np.array([MOVE, 0.0])])
    return CanvasPair(
        reference, target, reference_valid, np.ones((H, W), bool), reference_points, np.concatenate([on_wall, on_box])
    )


def test_what_its_nearest_match_leads_into_the_reference_is_searched() -> None:
    led = led_into_reference(box_pair())
    assert led[BOX_ROWS, BOX_COLUMNS].mean() > 0.9
    assert not led[:, FIRST:].any()  # that is the overlap
    pair = box_pair()
    nothing = CanvasPair(
        pair.reference, pair.target, pair.reference_valid, pair.target_valid, np.zeros((0, 2)), np.zeros((0, 2))
    )
    assert not led_into_reference(nothing).any()


def test_a_box_beyond_the_overlap_gets_its_true_place() -> None:
    warp = classical(box_pair())
    inner = slice(BOX_ROWS.start + 4, BOX_ROWS.stop - 4), slice(BOX_COLUMNS.start + 4, BOX_COLUMNS.stop - 4)
    off = np.linalg.norm(warp.residual[inner] - [MOVE, 0], axis=2)
    assert (off < 1).mean() > 0.6
    assert (warp.confidence[inner] == 1).mean() > 0.6
    wall = warp.residual[:, : BOX_COLUMNS.start - 8]
    assert np.linalg.norm(wall, axis=2).max() < 3  # what is around it stays


@pytest.mark.parametrize("spoilt", ["flat", "unlike", "inconsistent", "landing outside"])
def test_only_what_looks_alike_and_comes_back_is_found(spoilt: str) -> None:
    pair, box = box_pair(), (BOX_ROWS, BOX_COLUMNS)
    residual = np.zeros((H, W, 2), np.float32)
    residual[box] = MOVE, 0
    consistent, texture = np.ones((H, W), bool), np.ones((H, W), np.float32)
    assert found_beyond_overlap(pair, residual, consistent, texture)[box].mean() > 0.7  # all but its rim
    if spoilt == "flat":
        texture[:] = 0
    elif spoilt == "unlike":
        pair.reference[:] = noise(2)
    elif spoilt == "inconsistent":
        consistent[:] = False
    else:
        residual[box] = 10, 0
    assert found_beyond_overlap(pair, residual, consistent, texture).mean() < 0.01
