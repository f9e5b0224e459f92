"""A part of a canvas as the networks take it, and their outputs back on the canvas."""

import numpy as np
import pytest

from stitching.geometry.pixel_maps import Field
from stitching.geometry.rectangles import Rectangle
from stitching.network.interface import MATCHING, MULTIPLE
from stitching.network.runtime.window import AREA, NetworkWindow, planes

W, H = 320, 240  # a canvas that the network sees as it is


def window(w: int = W, h: int = H, rectangle: Rectangle | None = None, valid_from: int = 0) -> NetworkWindow:
    """Of a part of a canvas with random pictures; the target is valid from that column on."""
    reference, target = np.random.default_rng(0).integers(0, 256, (2, h, w, 3), np.uint8)
    valid = np.ones((h, w), bool)
    target_valid = valid & (np.arange(w) >= valid_from)
    slices = (rectangle or Rectangle(0, 0, w, h)).slices
    return NetworkWindow.of(reference[slices], target[slices], valid[slices], target_valid[slices])


def smooth_field(w: int, h: int) -> Field:
    """(h, w, 2) px, of 40 px more from corner to corner, and waves."""
    x, y = np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h))
    return np.stack([30 * x - 10 * y, 5 * np.sin(3 * x) + 20 * y], axis=-1).astype(np.float32)


RECTANGLES = [
    Rectangle(0, 0, 320, 240),  # all
    Rectangle(0, 0, 61, 37),  # a corner, odd
    Rectangle(250, 201, 320, 240),  # the corner across
    Rectangle(50, 100, 57, 105),  # tiny
    Rectangle(9, 7, 10, 8),  # a pixel
    Rectangle(3, 0, 6, 240),  # a strip
]


@pytest.mark.parametrize("rectangle", RECTANGLES)
def test_every_window_can_be_run(rectangle: Rectangle) -> None:
    part = window(rectangle=rectangle)
    MATCHING.check(part.pictures)
    small_w, small_h = part.small
    for name, plane in part.pictures.items():
        assert plane.min() >= 0, name
        assert plane.max() <= 1, name
        assert not plane[..., small_h:, :].any(), name  # padded with pixels that are not valid
        assert not plane[..., small_w:].any(), name


@pytest.mark.parametrize(("w", "h"), [(900, 700), (3000, 100), (1601, 1201)])
def test_a_large_part_is_seen_as_small_as_in_the_training(w: int, h: int) -> None:
    part = window(w, h)
    assert part.small[0] * part.small[1] == pytest.approx(AREA, rel=0.05)
    assert part.scale[0] == pytest.approx(part.scale[1], rel=0.03)


def test_what_is_not_seen_is_black() -> None:
    pictures = window(valid_from=100).pictures
    assert not pictures["target_valid"][..., :100].any()
    assert not pictures["target"][..., :100].any()
    assert pictures["target_valid"][..., 100:].all()


@pytest.mark.parametrize("rectangle", RECTANGLES)
def test_a_field_drawn_on_a_window_comes_back(rectangle: Rectangle) -> None:
    part = window(rectangle=rectangle)
    w, h = part.size
    residual, everywhere = smooth_field(w, h), np.ones((h, w), bool)
    start = part.start_planes(residual, everywhere)
    assert start["start"].shape[2:] == start["trusted"].shape[2:] == part.pictures["target"].shape[2:]
    back = part.displacement_to_canvas(start["start"])
    assert back.shape == residual.shape
    step = max(np.abs(np.diff(residual, axis=axis)).max(initial=0) for axis in (0, 1))
    assert np.abs(back - residual).max() < 0.01 + 0.3 * step


@pytest.mark.parametrize(("w", "h"), [(900, 700), (801, 353)])
def test_a_field_comes_back_from_a_smaller_window(w: int, h: int) -> None:
    part = window(w, h)
    residual = smooth_field(*part.size)
    back = part.displacement_to_canvas(part.start_planes(residual, np.ones(residual.shape[:2], bool))["start"])
    assert np.abs(back - residual)[5:-5, 5:-5].max() < 0.05
    assert np.abs(back - residual).max() < 0.3  # at the rim it goes on as it is


def test_a_field_in_cells_lies_where_the_cells_are() -> None:
    """A cell stands for the middle of its pixels."""
    part = window()
    x = np.arange(W // MULTIPLE, dtype=np.float32) * MULTIPLE + (MULTIPLE - 1) / 2
    cells = np.broadcast_to(x, (1, 1, H // MULTIPLE, W // MULTIPLE))
    enlarged = part.to_canvas(np.ascontiguousarray(cells))
    assert enlarged.shape == (H, W, 1)
    inner = slice(MULTIPLE, W - MULTIPLE)
    assert np.abs(enlarged[:, inner, 0] - np.arange(W)[inner]).max() < 1e-3


def test_what_is_trusted_decides_how_a_start_is_drawn() -> None:
    """Beside trusted pixels lies what is worth nothing: none of it comes into the mean."""
    part = window(900, 700)
    trusted = np.zeros((700, 900), bool)
    trusted[:, ::2] = True
    residual = np.where(trusted[..., None], [5, 5], 1e4).astype(np.float32)
    start = part.start_planes(residual, trusted)["start"][0, :, : part.small[1], : part.small[0]]
    assert np.abs(start / part.scale[:, None, None] - 5).max() < 0.01


def test_planes_are_padded_to_what_networks_take() -> None:
    for h, w in ((1, 1), (5, 200), (32, 33), (75, 101)):
        plane = planes(np.ones((h, w, 3), np.uint8))
        MATCHING.check(dict.fromkeys(MATCHING.inputs, plane[:, :1]) | {"reference": plane, "target": plane})
        assert plane[0, :, :h, :w].all()
        assert plane.sum() == 3 * h * w
