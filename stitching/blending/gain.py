"""Gain matching: what the target's colours are multiplied with to look like the reference's, which never change."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.gain_field import gain_field
from stitching.geometry.pixel_maps import Mask
from stitching.io.picture import to_grey
from stitching.warping.warp import AlignedPair

COMPENSATORS = ("field", "gain", "none")
MAX_GAIN = 4.0  # and 1 / MAX_GAIN is the least
MIN_LEVEL, MAX_LEVEL = 8, 247  # grey levels: outside of them a pixel is too dark or burnt out to compare
MAX_GREY_SPREAD = 4.0  # levels between the channels of a grey pixel: rounding, JPEG
MIN_PIXELS = 100  # well exposed, valid in both and trusted; with fewer no gain is measured


def match_gain(
    pair: AlignedPair, compensator: str, weight: NDArray[np.float32], overall: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Measure the gain of the target where both pictures show the same.

    Args:
        pair: the aligned pair.
        compensator: "none" (ones), "gain" (one factor a channel), or "field" (a factor that varies smoothly, so that
            both are equally bright at the seam, and comes back to the overall one far from it; see `gain_field`).
        weight: (h, w) share of the reference: the seam is where it changes.
        overall: (3,) gain of all of the target where it is known; None = it is measured.

    Returns:
        (h, w, 3), factors of the target's BGR values; ones where too little can be compared.
    """
    pair = of_one_hue(pair)
    overall = overall_gain(pair, compensator) if overall is None else overall
    if compensator == "field":
        return gain_field(pair, weight, overall, _well_exposed(pair), _burnt_out(pair))
    return np.broadcast_to(overall, (*weight.shape, 3)).astype(np.float32)


def overall_gain(pair: AlignedPair, compensator: str) -> NDArray[np.float32]:
    """(3,) median of reference / target: things that one picture alone shows hardly move it. Ones for "none"."""
    pair = of_one_hue(pair)
    where = np.flatnonzero(pair.overlap & pair.trusted & _well_exposed(pair))
    if compensator == "none" or len(where) < MIN_PIXELS:
        return np.ones(3, np.float32)
    references, targets = (
        [channel.ravel()[where] for channel in cv2.split(picture)] for picture in (pair.reference, pair.target)
    )
    ratios = [np.median(r / t.astype(np.float32)) for r, t in zip(references, targets, strict=True)]
    return np.clip(ratios, 1 / MAX_GAIN, MAX_GAIN).astype(np.float32)


def of_one_hue(pair: AlignedPair) -> AlignedPair:
    """A pair of which one picture is grey and the other is not, both in grey: no gain may take the colour out."""
    grey = [is_grey(pixels[pair.overlap]) for pixels in (pair.reference, pair.target)]
    if grey[0] == grey[1]:
        return pair
    return replace(pair, reference=_in_grey(pair.reference), target=_in_grey(pair.target))


def is_grey(pixels: NDArray[np.uint8]) -> bool:
    """Whether BGR pixels (n, 3) have no colour."""
    if not len(pixels):
        return True
    spread = pixels.max(axis=1).astype(np.float32) - pixels.min(axis=1)
    return float(np.percentile(spread, 95)) < MAX_GREY_SPREAD


def _in_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(to_grey(pixels)[..., None], 3, axis=2)


def _well_exposed(pair: AlignedPair) -> Mask:
    low, high = np.full(3, MIN_LEVEL + 1.0), np.full(3, MAX_LEVEL - 1.0)
    reference, target = (cv2.inRange(picture, low, high) for picture in (pair.reference, pair.target))
    return np.asarray(cv2.min(reference, target) > 0)


def _burnt_out(pair: AlignedPair) -> Mask:
    white = cv2.inRange(pair.target, np.full(3, float(MAX_LEVEL)), np.full(3, 255.0))
    return np.asarray(white > 0) & pair.target_valid
