"""The warp from a network's matches, and the window that the network sees; the network is made up here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Box, Field
from stitching.network.interface import MULTIPLE
from stitching.network.runtime.onnx_runtime import OUTPUTS, PARTS, Fields, complete
from stitching.network.runtime.window import AREA, NetworkWindow, planes
from stitching.warping.estimators import ESTIMATORS
from stitching.warping.network import SURE, ExtendingEstimator, NetworkEstimator, matched_flows
from stitching.warping.warp import CanvasPair, forward_backward_consistent

W, H = 320, 240  # a canvas that the network sees as it is
SHIFT = 90  # px to the right: far more than a search from nothing finds
LEFT = slice(20, W - SHIFT - 20)  # columns of the target that the reference shows


@dataclass
class MovingAll:
    """A runner that matches every cell to the one `move` px of the window away; doubtful cells anywhere.

    What is extended moves by `beyond` px.
    """

    move: tuple[float, float]
    doubtful: bool = False
    beyond: float = 0.0
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        """As `stitching.network.runtime.onnx_runtime.Runner`."""
        self.asked.append(tuple(outputs))
        h, w = complete(outputs, inputs)["target"].shape[2:]
        cells = np.ones((1, 2, h // MULTIPLE, w // MULTIPLE), np.float32)
        there = cells * np.array(self.move, np.float32)[None, :, None, None]
        sure = cells[:, :1].copy()
        if self.doubtful:
            sure[..., ::2, ::2] = SURE / 2
            there = np.where(sure < 1, 1000, there).astype(np.float32)
        found = {"matches": there, "match_confidence": sure, "back_matches": -there, "back_confidence": sure}
        found |= {
            "free": np.full((1, 2, h, w), self.beyond, np.float32),
            "confidence": np.ones((1, 1, h, w), np.float32),
        }
        return {name: found[name] for name in outputs}


def moved_pair(w: int = W, h: int = H, shift: int = SHIFT) -> CanvasPair:
    """A texture without any large features, and the same `shift` px to the right as the reference."""
    grain = np.random.default_rng(0).integers(0, 256, (h // 2, w // 2, 3), np.uint8)
    target = np.ascontiguousarray(grain.repeat(2, axis=0).repeat(2, axis=1))
    valid, none = np.ones((h, w), bool), np.zeros((0, 2))
    return CanvasPair(np.roll(target, shift, axis=1), target, valid, valid.copy(), none, none)


def whole(pair: CanvasPair) -> Box:
    h, w = pair.target_valid.shape
    return slice(0, h), slice(0, w)


def smooth_field(w: int, h: int) -> Field:
    """(h, w, 2) px, of 40 px more from corner to corner, and waves."""
    x, y = np.meshgrid(np.linspace(0, 1, w), np.linspace(0, 1, h))
    return np.stack([30 * x - 10 * y, 5 * np.sin(3 * x) + 20 * y], axis=-1).astype(np.float32)


# --- the warp ---


def test_a_move_that_no_classical_search_finds_is_found() -> None:
    pair = moved_pair()
    off = {
        name: np.linalg.norm(estimate(pair).residual[20:-20, LEFT] - [SHIFT, 0], axis=2)
        for name, estimate in {"network": NetworkEstimator(MovingAll((SHIFT, 0))), **ESTIMATORS}.items()
    }
    assert np.percentile(off["network"], 95) < 0.2
    assert all(np.median(off[name]) > 20 for name in ESTIMATORS)


def test_matches_need_only_be_nearly_right() -> None:
    warp = NetworkEstimator(MovingAll((SHIFT + 3, -2)))(moved_pair())
    off = np.linalg.norm(warp.residual[20:-20, LEFT] - [SHIFT, 0], axis=2)
    assert np.percentile(off, 90) < 0.2


def test_wrong_matches_do_no_harm_to_what_is_found_without() -> None:
    pair = moved_pair(shift=4)
    off = [
        np.linalg.norm(estimate(pair).residual[20:-20, 30:-30] - [4, 0], axis=2).mean()
        for estimate in (ESTIMATORS["classical"], NetworkEstimator(MovingAll((-70, 30))))
    ]
    assert off[1] < off[0] + 0.2


def test_where_the_move_is_known_and_where_it_is_not() -> None:
    """What the target shows beyond the reference's rim does not come back: it is not trusted."""
    pair = moved_pair()
    trusted = forward_backward_consistent(NetworkEstimator(MovingAll((SHIFT, 0)))(pair), pair)
    assert trusted[20:-20, LEFT].mean() > 0.9
    assert trusted[:, W - SHIFT + 20 : -20].mean() < 0.2


def test_without_an_overlap_the_network_is_not_asked() -> None:
    pair, runner = moved_pair(), MovingAll((SHIFT, 0))
    pair.reference_valid[:], pair.target_valid[:, W // 2 :] = False, False
    assert not NetworkEstimator(runner)(pair).residual.any()
    assert runner.asked == []


def test_only_matching_is_asked_for_the_warp() -> None:
    runner = MovingAll((SHIFT, 0))
    NetworkEstimator(runner)(moved_pair())
    assert {name for names in runner.asked for name in names} == {*PARTS["match"], *PARTS["match_back"]}


def test_pwm_leaves_what_is_sure_and_moves_the_rest() -> None:
    pair = moved_pair()
    begun = NetworkEstimator(MovingAll((SHIFT, 0)))
    warp, start = ExtendingEstimator(MovingAll((0, 0), beyond=7), begun)(pair), begun(pair)
    trusted = forward_backward_consistent(start, pair)
    assert np.array_equal(warp.residual[trusted], start.residual[trusted])
    far = cv2.erode((~trusted).astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    assert far.sum() > 2000
    assert np.abs(warp.residual[far] - 7).max() < 1e-3


# --- matches on the canvas ---


@pytest.mark.parametrize(("w", "h"), [(W, H), (700, 500), (333, 251)])
@pytest.mark.parametrize("doubtful", [False, True])
def test_matches_are_px_of_the_canvas_whatever_its_size(w: int, h: int, doubtful: bool) -> None:
    """Of cells that are not believed nothing remains."""
    pair = moved_pair(w // 2 * 2, h // 2 * 2)
    scale = NetworkWindow.of(pair, whole(pair)).scale
    found = matched_flows(MovingAll((SHIFT * scale[0], 8 * scale[1]), doubtful), pair, whole(pair))
    there, back = found.forward, found.backward
    assert there.shape == back.shape == (*pair.target_valid.shape, 2)
    assert np.abs(there - [SHIFT, 8]).max() < 0.5
    assert np.abs(back - np.array([-SHIFT, -8])).max() < 0.5


def test_no_believed_match_at_all_is_no_error() -> None:
    pair = moved_pair()
    runner = MovingAll((SHIFT, 0))

    def doubting(outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        found = runner(outputs, inputs)
        return {name: 0 * plane if "confidence" in name else plane for name, plane in found.items()}

    found = matched_flows(doubting, pair, whole(pair))
    assert np.isfinite(found.forward).all()
    assert np.isfinite(found.backward).all()


# --- the window ---

BOXES = [
    (slice(0, 240), slice(0, 320)),  # all
    (slice(0, 37), slice(0, 61)),  # a corner, odd
    (slice(201, 240), slice(250, 320)),  # the corner across
    (slice(100, 105), slice(50, 57)),  # tiny
    (slice(7, 8), slice(9, 10)),  # a pixel
    (slice(0, 240), slice(3, 6)),  # a strip
]


@pytest.mark.parametrize("box", BOXES)
def test_every_window_can_be_run(box: Box) -> None:
    window = NetworkWindow.of(moved_pair(), box)
    assert {*complete(OUTPUTS, window.pictures)} >= {*window.pictures}  # refuses what no network can take
    small_w, small_h = window.small
    for name, plane in window.pictures.items():
        assert plane.min() >= 0, name
        assert plane.max() <= 1, name
        assert not plane[..., small_h:, :].any(), name  # padded with what is not seen
        assert not plane[..., small_w:].any(), name


@pytest.mark.parametrize(("w", "h"), [(900, 700), (3000, 100), (1601, 1201)])
def test_a_large_part_is_seen_as_small_as_in_the_training(w: int, h: int) -> None:
    pair = moved_pair(w // 2 * 2, h // 2 * 2)
    window = NetworkWindow.of(pair, whole(pair))
    assert window.small[0] * window.small[1] == pytest.approx(AREA, rel=0.05)
    assert window.scale[0] == pytest.approx(window.scale[1], rel=0.03)


def test_what_is_not_seen_is_black() -> None:
    pair = moved_pair()
    pair.target_valid[:, :100] = False
    pictures = NetworkWindow.of(pair, whole(pair)).pictures
    assert not pictures["target_valid"][..., :100].any()
    assert not pictures["target"][..., :100].any()
    assert pictures["target_valid"][..., 100:].all()


@pytest.mark.parametrize("box", BOXES)
def test_a_field_drawn_on_a_window_comes_back(box: Box) -> None:
    window = NetworkWindow.of(moved_pair(), box)
    w, h = window.size
    residual, everywhere = smooth_field(w, h), np.ones((h, w), bool)
    start = window.start(residual, everywhere)
    assert start["start"].shape[2:] == start["trusted"].shape[2:] == window.pictures["target"].shape[2:]
    back = window.enlarged(start["start"]) / window.scale
    assert back.shape == residual.shape
    step = max(np.abs(np.diff(residual, axis=axis)).max(initial=0) for axis in (0, 1))
    assert np.abs(back - residual).max() < 0.01 + 0.3 * step


@pytest.mark.parametrize(("w", "h"), [(900, 700), (801, 353)])
def test_a_field_comes_back_from_a_smaller_window(w: int, h: int) -> None:
    pair = moved_pair(w // 2 * 2, h // 2 * 2)
    window = NetworkWindow.of(pair, whole(pair))
    residual = smooth_field(*window.size)
    back = window.enlarged(window.start(residual, np.ones(residual.shape[:2], bool))["start"]) / window.scale
    assert np.abs(back - residual)[5:-5, 5:-5].max() < 0.05
    assert np.abs(back - residual).max() < 0.3  # at the rim it goes on as it is


def test_a_field_in_cells_lies_where_the_cells_are() -> None:
    """A cell stands for the middle of its pixels."""
    window = NetworkWindow.of(moved_pair(), whole(moved_pair()))
    x = np.arange(W // MULTIPLE, dtype=np.float32) * MULTIPLE + (MULTIPLE - 1) / 2
    cells = np.broadcast_to(x, (1, 1, H // MULTIPLE, W // MULTIPLE))
    enlarged = window.enlarged(np.ascontiguousarray(cells))
    assert enlarged.shape == (H, W, 1)
    inner = slice(MULTIPLE, W - MULTIPLE)
    assert np.abs(enlarged[:, inner, 0] - np.arange(W)[inner]).max() < 1e-3


def test_what_is_trusted_decides_how_a_start_is_drawn() -> None:
    """Beside trusted pixels lies what is worth nothing: none of it comes into the mean."""
    pair = moved_pair(900, 700)
    window = NetworkWindow.of(pair, whole(pair))
    trusted = np.zeros((700, 900), bool)
    trusted[:, ::2] = True
    residual = np.where(trusted[..., None], [5, 5], 1e4).astype(np.float32)
    start = window.start(residual, trusted)["start"][0, :, : window.small[1], : window.small[0]]
    assert np.abs(start / window.scale[:, None, None] - 5).max() < 0.01


def test_planes_are_padded_to_what_networks_take() -> None:
    for h, w in ((1, 1), (5, 200), (32, 33), (75, 101)):
        plane = planes(np.ones((h, w, 3), np.uint8))
        assert complete([], {"target": plane})["target"][0, :, :h, :w].all()
        assert plane.sum() == 3 * h * w
