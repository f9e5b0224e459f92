"""A second coarse alignment from a network's matches; the network is made up here."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid
from stitching.network.interface import MATCHING, MULTIPLE, Planes
from stitching.warping.estimators.homography import homography as no_residual
from stitching.warping.estimators.realignment import (
    MAX_ITERATIONS,
    MIN_MATCHES,
    RealigningEstimator,
    compose_warp,
    move_target,
    second_alignment,
)
from stitching.warping.warp import CanvasPair, Warp

W, H = 320, 240
TRUE = np.array([[1.02, -0.03, 60], [0.02, 0.98, -12], [0, 0, 1]])  # what the target's alignment is off by


def pair_of(off: NDArray[np.float64] = TRUE) -> CanvasPair:
    grain = np.random.default_rng(0).integers(0, 256, (H // 4, W // 4, 3), np.uint8)
    reference = cv2.resize(grain, (W, H), interpolation=cv2.INTER_CUBIC)
    everywhere = np.ones((H, W), np.uint8)
    target, valid = (cv2.warpPerspective(p, np.linalg.inv(off), (W, H)) for p in (reference, everywhere))
    none = np.zeros((0, 2))
    return CanvasPair(reference, target, everywhere > 0, valid > 0, none, none)


@dataclass
class Matching:
    """A runtime that matches cells as `homography` says, whatever the pictures show."""

    homography: NDArray[np.float64]
    noise: float = 0.0  # px
    confident: int | None = None  # cells that have a match; None = all
    calls: int = 0
    device: str = "cuda"

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        MATCHING.check(inputs)
        self.calls += 1
        h, w = (side // MULTIPLE for side in inputs["target"].shape[2:])
        points = (pixel_grid(h, w) + 0.5) * MULTIPLE - 0.5
        matches = project(self.homography, points.astype(np.float64)) - points
        matches += np.random.default_rng(1).normal(0, self.noise, matches.shape)
        confidence = np.ones(h * w, np.float32)
        confidence[self.confident :] = 0 if self.confident is not None else 1
        return {
            "forward_matches": matches.transpose(2, 0, 1)[None].astype(np.float32),
            "forward_confidence": confidence.reshape(1, 1, h, w),
        }


def distance(found: NDArray[np.float64] | None, true: NDArray[np.float64]) -> float:
    """Largest one on the canvas, px."""
    assert found is not None
    grid = pixel_grid(H, W).astype(np.float64)
    return float(np.abs(project(found, grid) - project(true, grid)).max())


@pytest.mark.parametrize("noise", [0, 2])
def test_what_most_matches_agree_on_is_found(noise: float) -> None:
    assert distance(second_alignment(Matching(TRUE, noise), pair_of()), TRUE) < 0.1 + 2 * noise


@pytest.mark.parametrize(
    "runtime",
    [
        Matching(np.eye(3)),  # it is where it should be
        Matching(np.eye(3), noise=2),
        Matching(TRUE, noise=500),  # they agree on nothing
        Matching(TRUE, confident=MIN_MATCHES - 1),
        Matching(np.diag([-1.0, 1, 1])),  # a mirror is no camera
    ],
)
def test_otherwise_the_pair_stays_as_it_is(runtime: Matching) -> None:
    pair = pair_of()
    assert second_alignment(runtime, pair) is None
    warp = RealigningEstimator(runtime, no_residual)(pair)
    assert not warp.residual.any()


def test_a_moved_target_lies_on_the_reference() -> None:
    pair = move_target(pair_of(), TRUE)
    assert pair.target.dtype == np.uint8
    inner = cv2.erode(pair.target_valid.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    assert inner.mean() > 0.5
    assert cv2.absdiff(pair.target, pair.reference)[inner].mean() < 12
    assert not pair.target[~pair.target_valid].any()


def test_the_warp_of_the_moved_target_is_one_of_the_target() -> None:
    """First the homography, then the residual at the place where that leads."""
    grid = pixel_grid(H, W).astype(np.float64)
    residual = (0.05 * (pixel_grid(H, W) - 100)).astype(np.float32)
    warp = compose_warp(Warp(residual, np.ones((H, W), np.float32)), TRUE)
    places = project(TRUE, grid)
    inside = ((places > 0) & (places < [W - 1, H - 1])).all(axis=2)
    expected = places + 0.05 * (places - 100) - grid
    assert np.abs(warp.residual - expected)[inside].max() < 0.05
    assert np.isfinite(warp.residual).all()


def test_every_move_counts_and_there_are_not_many() -> None:
    """A network that always asks for the same move gets it `MAX_ITERATIONS` times."""
    step, whole = np.eye(3), np.eye(3)
    step[0, 2], whole[0, 2] = 20, 20 * MAX_ITERATIONS
    runtime = Matching(step)
    warp = RealigningEstimator(runtime, no_residual)(pair_of(whole))
    assert runtime.calls == MAX_ITERATIONS
    assert np.abs(warp.residual - [20 * MAX_ITERATIONS, 0]).max() < 0.5


def test_matches_that_agree_on_a_wrong_place_move_nothing() -> None:
    """The pictures have the last word."""
    warp = RealigningEstimator(Matching(TRUE), no_residual)(pair_of(np.eye(3)))
    assert not warp.residual.any()
