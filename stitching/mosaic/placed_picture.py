"""A picture in its place on the working canvas of a panorama."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field
from stitching.geometry.rectangles import Rectangle
from stitching.selection import UsedWarp
from stitching.verification.evidence import Evidence
from stitching.warping.placement import Placement


@dataclass(frozen=True, eq=False)
class PlacedPicture:
    """A picture in its place. Fields lie on its window of the working canvas; what is "before" was placed earlier.

    Attributes:
        picture: its number.
        window: working px; where the canvas wraps, columns may reach beyond its right end: column c is c - width there.
        placement: by the dense warp; what `--save-warp` keeps. Its residual is not kept: NaN.
        shown_map: (h, w, 2) window -> full-size picture px, as the panorama shows the picture.
        weight: (h, w) float32, share 0..1 of the pictures before it; 1 where this one is not shown.
        gain: (h, w, 3) float32, what the picture's BGR values are multiplied with.
        warp: the estimator that placed it; None for the first picture.
        evidence: that it fits those before it; None for the first picture.
    """

    picture: int
    window: Rectangle
    placement: Placement
    shown_map: Field
    weight: NDArray[np.float32]
    gain: NDArray[np.float32]
    warp: UsedWarp | None
    evidence: Evidence | None


def device_of(placed: Sequence[PlacedPicture]) -> str:
    """Where their warps were computed: "cuda" if one of them was computed there, else "cpu"."""
    return "cuda" if any(one.warp and one.warp.device == "cuda" for one in placed) else "cpu"
