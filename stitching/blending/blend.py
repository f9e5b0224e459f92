"""What a generator gives: the share of each picture at each pixel of the panorama, and the gain of the target."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stitching.warping.warp import AlignedPair, KeptParts


@dataclass(frozen=True)
class Blend:
    """How the panorama is made from the two pictures; fields of the working canvas.

    Attributes:
        weight: (h, w) float32, share of the reference, 0..1.
        gain: (h, w, 3) float32, what the target's BGR values are multiplied with.
        device: where it was computed, "cpu" or "cuda".
        kept: where the panorama must show one of the pictures, so that nothing of the other bleeds in; None = nowhere.
    """

    weight: NDArray[np.float32]
    gain: NDArray[np.float32]
    device: str = "cpu"
    kept: KeptParts | None = None


class Generator(Protocol):
    """Generates blend weight and gain from an aligned pair."""

    def __call__(self, pair: AlignedPair, compensator: str, overall: NDArray[np.float32] | None = None) -> Blend:
        """The blend of `pair`; `compensator`, `overall`: see `stitching.blending.gain.match_gain`."""
