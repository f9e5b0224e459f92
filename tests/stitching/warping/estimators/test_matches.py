"""The warp from a network's matches; the network is made up here."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from shifting import SHIFT, H, ShiftingRuntime, W, shifted_pair

from stitching.network.interface import Planes
from stitching.warping.estimators.matches import (
    MATCHING_AREA,
    MatchesEstimator,
    matched_flow,
    window_of,
)
from stitching.warping.estimators.registry import ESTIMATORS
from stitching.warping.warp import forward_backward_consistent

LEFT = slice(20, W - SHIFT - 20)  # columns of the target that the reference shows


# --- the warp ---


def test_a_move_that_no_classical_search_finds_is_found() -> None:
    pair = shifted_pair()
    off = {
        name: np.linalg.norm(estimate(pair).residual[20:-20, LEFT] - [SHIFT, 0], axis=2)
        for name, estimate in {"matches": MatchesEstimator(lambda: ShiftingRuntime((SHIFT, 0))), **ESTIMATORS}.items()
    }
    assert np.percentile(off["matches"], 95) < 0.2
    assert all(np.median(off[name]) > 20 for name in ESTIMATORS)


def test_matches_need_only_be_nearly_right() -> None:
    warp = MatchesEstimator(lambda: ShiftingRuntime((SHIFT + 3, -2)))(shifted_pair())
    off = np.linalg.norm(warp.residual[20:-20, LEFT] - [SHIFT, 0], axis=2)
    assert np.percentile(off, 90) < 0.2


def test_wrong_matches_do_no_harm_to_what_is_found_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stitching.warping.estimators.classical.UNSURE_SHARE", -1)  # the network is always asked
    pair = shifted_pair(shift=4)
    off = [
        np.linalg.norm(estimate(pair).residual[20:-20, 30:-30] - [4, 0], axis=2).mean()
        for estimate in (ESTIMATORS["classical"], MatchesEstimator(lambda: ShiftingRuntime((-70, 30))))
    ]
    assert off[1] < off[0] + 0.2


def test_where_the_move_is_known_and_where_it_is_not() -> None:
    """What the target shows beyond the reference's rim does not come back: it is not trusted."""
    pair = shifted_pair()
    trusted = forward_backward_consistent(MatchesEstimator(lambda: ShiftingRuntime((SHIFT, 0)))(pair), pair)
    assert trusted[20:-20, LEFT].mean() > 0.9
    assert trusted[:, W - SHIFT + 20 : -20].mean() < 0.2


def test_without_an_overlap_the_network_is_not_asked() -> None:
    pair, runtime = shifted_pair(), ShiftingRuntime((SHIFT, 0))
    pair.reference_valid[:], pair.target_valid[:, W // 2 :] = False, False
    assert not MatchesEstimator(lambda: runtime)(pair).residual.any()
    assert runtime.calls == 0


def test_the_network_is_asked_only_where_much_is_unsure_and_the_warp_says_so() -> None:
    runtime = ShiftingRuntime((SHIFT, 0))
    estimate = MatchesEstimator(lambda: runtime)
    assert not estimate(shifted_pair(shift=4)).by_network
    assert runtime.calls == 0
    assert estimate(shifted_pair()).by_network
    assert runtime.calls == 1


def test_the_warp_says_where_the_network_computed() -> None:
    assert MatchesEstimator(lambda: ShiftingRuntime((SHIFT, 0), device="cuda"))(shifted_pair()).device == "cuda"


# --- matches on the canvas ---


@pytest.mark.parametrize(("w", "h"), [(W, H), (700, 500), (333, 251)])
@pytest.mark.parametrize("doubtful", [False, True])
def test_matches_are_px_of_the_canvas_whatever_its_size(w: int, h: int, doubtful: bool) -> None:
    """Of cells that are not believed nothing remains."""
    pair = shifted_pair(w // 2 * 2, h // 2 * 2)
    scale = window_of(pair, MATCHING_AREA).scale
    found = matched_flow(ShiftingRuntime((SHIFT * scale[0], 8 * scale[1]), doubtful), pair)
    there, back = found.forward, found.backward
    assert there.shape == back.shape == (*pair.target_valid.shape, 2)
    assert np.abs(there - [SHIFT, 8]).max() < 0.5
    assert np.abs(back - np.array([-SHIFT, -8])).max() < 0.5


def test_no_confident_match_at_all_is_no_error() -> None:
    pair = shifted_pair()

    @dataclass
    class Doubting(ShiftingRuntime):
        def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
            return {
                name: 0 * plane if "confidence" in name else plane for name, plane in super().__call__(inputs).items()
            }

    found = matched_flow(Doubting((SHIFT, 0)), pair)
    assert np.isfinite(found.forward).all()
    assert np.isfinite(found.backward).all()
