"""The socket of the generators: from two aligned pictures to who shows what, and how bright."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stitching.fields import Mask


@dataclass(frozen=True)
class AlignedPair:
    """Both pictures on the working canvas after the warp, before blending.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR.
        reference_seen, target_seen: (h, w), where each picture has pixels.
        trusted: (h, w), where the target's pixels are known to be in their place.
        hidden: (h, w), where the reference shows what is hidden from the target: the target must not be shown.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    reference_seen: Mask
    target_seen: Mask
    trusted: Mask
    hidden: Mask


@dataclass(frozen=True)
class Blend:
    """How the panorama is made from the two pictures, on the working canvas.

    Attributes:
        weight: (h, w) float32, share of the reference, 0..1.
        gain: (h, w, 3) float32, what the target's BGR values are multiplied with.
    """

    weight: NDArray[np.float32]
    gain: NDArray[np.float32]


class Generator(Protocol):
    """Decides blend weight and gain from an aligned pair."""

    def __call__(self, pair: AlignedPair, compensator: str) -> Blend:
        """`compensator`: see `stitching.generators.gain.match_gain`."""
