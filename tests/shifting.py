"""A pair in which everything moves by one large displacement, and a runtime that says so."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.network.interface import MATCHING, MULTIPLE, Planes
from stitching.warping.warp import CanvasPair

W, H = 320, 240  # px of a canvas that the network sees as it is
SHIFT = 90  # px to the right: far more than a search without a start finds


@dataclass
class ShiftingRuntime:
    """The graph `MATCHING`: every cell matches the one `displacement` px of the window away.

    If `doubtful`, every fourth cell has a wrong match of low confidence, which does not lead back.
    """

    displacement: tuple[float, float]
    doubtful: bool = False
    device: str = "cpu"
    calls: int = 0

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        MATCHING.check(inputs)
        self.calls += 1
        h, w = inputs["target"].shape[2:]
        cells = np.ones((1, 2, h // MULTIPLE, w // MULTIPLE), np.float32)
        forward = cells * np.array(self.displacement, np.float32)[None, :, None, None]
        confidence = cells[:, :1].copy()
        if self.doubtful:
            confidence[..., ::2, ::2] = 0.1
            forward = np.where(confidence < 1, 1000, forward).astype(np.float32)
        return {
            "forward_matches": forward, "forward_confidence": confidence,
            "backward_matches": -forward, "backward_confidence": confidence,
        }  # fmt: skip


def shifted_pair(w: int = W, h: int = H, shift: int = SHIFT) -> CanvasPair:
    """A texture without any large features, and the same `shift` px to the right as the reference."""
    grain = np.random.default_rng(0).integers(0, 256, (h // 2, w // 2, 3), np.uint8)
    target = np.ascontiguousarray(grain.repeat(2, axis=0).repeat(2, axis=1))
    valid, none = np.ones((h, w), bool), np.zeros((0, 2))
    return CanvasPair(np.roll(target, shift, axis=1), target, valid, valid.copy(), none, none)
