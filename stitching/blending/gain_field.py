"""A gain of the target that varies smoothly, so that at the seam it is as bright as the reference."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.distances import distance_to
from stitching.geometry.membrane import fit_membrane
from stitching.geometry.pixel_maps import Mask
from stitching.warping.warp import AlignedPair

CELLS = 96  # along the longer side: the gain is fitted to means of so many
STIFFNESS = 1.0  # of the membrane, against cells full of pixels that can be compared
REACH = 0.3  # of the diagonal: so far from the seam the gain comes back to the overall one
SEAM_WIDTH = 0.02  # of the diagonal: how far from the seam pixels still count fully
OFF_SEAM = 0.05  # weight of the overlap away from the seam: there the target need not match to look right
UNTRUSTED = 0.2  # weight of pixels where the warp is not trusted
TRUST_SIGMA = 0.01  # of the diagonal, of the Gaussian that gives the share of trusted pixels around a pixel
SOFTENING = 3.0  # grey levels added to the target, and as much to the reference, where dark ratios would be noise
SPREAD = 0.1  # of the log ratio within a cell, at which the cell counts half: then it shows different things
MAX_DEVIATION = 1.5  # ratio to the overall gain, either way; what differs more is not the same thing
MIN_BURNT_OUT = 100  # px of the overlap; with fewer, what is burnt out gets the overall gain
BURNT_OUT_SIGMA = 4.0  # cells: small things that are burnt out hardly change the gain, and no border of it is seen
MAX_BRIGHTENING = 1.25  # ratio to the overall gain, of what is burnt out; more would make it glow


def gain_field(
    pair: AlignedPair, weight: NDArray[np.float32], overall: NDArray[np.float32], well_exposed: Mask, burnt_out: Mask
) -> NDArray[np.float32]:
    """Fit the gain to the ratio of the pictures, above all where the seam is.

    The logarithm of reference / target is averaged in cells, and a membrane is fitted to it (`fit_membrane`): at the
    seam it takes up differences of brightness of any cause (vignetting, the sun, skies that one picture has burnt out),
    and goes on smoothly into the target, as in cloning by gradients (Perez et al. 2003, "Poisson image editing").
    Cells count the less the less their pixels agree. Far from the seam the field comes back to the overall gain, and
    where the target is burnt out, to what makes its white that of the reference: an overall gain below 1 would make
    a white sky grey.

    Args:
        pair: the aligned pair.
        weight: (h, w) share of the reference: the seam is where it changes.
        overall: (3,) gain of what is well exposed.
        well_exposed: (h, w) where both pictures are neither black nor burnt out; what is not counts at the seam only.
        burnt_out: (h, w) where the target is white.

    Returns:
        (h, w, 3), factors of the target's BGR values.
    """
    h, w = weight.shape
    size = max(2, round(CELLS * w / max(h, w))), max(2, round(CELLS * h / max(h, w)))

    def in_cells(field: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)

    reference, target = pair.reference + SOFTENING * overall, pair.target + np.float32(SOFTENING)
    ratio = np.asarray(cv2.log(reference / target), np.float32)
    importance = _importance(pair, weight, well_exposed)[..., None]
    share = in_cells(importance)
    total = np.maximum(share, 1e-6)[..., None]
    mean = in_cells(ratio * importance) / total
    variance = np.maximum(in_cells(ratio * ratio * importance) / total - mean * mean, 0).mean(axis=2)
    white = np.log(_gain_of_white(pair, overall, burnt_out) / overall)
    burnt_share = cv2.GaussianBlur(in_cells(burnt_out.astype(np.float32)), (0, 0), BURNT_OUT_SIGMA)[..., None]
    rest, most = np.log(overall) + burnt_share * white, np.float32(np.log(MAX_DEVIATION))
    field = fit_membrane(
        np.clip(mean, rest - most, rest + most),
        share * SPREAD**2 / (SPREAD**2 + variance),
        rest, STIFFNESS, REACH * float(np.hypot(*size)),
    )  # fmt: skip
    return np.asarray(cv2.exp(cv2.resize(field, (w, h), interpolation=cv2.INTER_CUBIC)), np.float32)


def _gain_of_white(pair: AlignedPair, overall: NDArray[np.float32], burnt_out: Mask) -> NDArray[np.float32]:
    """(3,): the median of reference / target where the target is burnt out, kept between the overall gain and 1."""
    where = np.flatnonzero(pair.overlap & burnt_out & ~pair.hidden)
    if len(where) < MIN_BURNT_OUT:
        return overall
    ratios = [
        np.median(reference.ravel()[where] / target.ravel()[where].astype(np.float32))
        for reference, target in zip(cv2.split(pair.reference), cv2.split(pair.target), strict=True)
    ]
    most = np.clip(np.float32(1), overall, np.float32(MAX_BRIGHTENING) * overall)
    return np.clip(np.asarray(ratios, np.float32), overall, most)


def _importance(pair: AlignedPair, weight: NDArray[np.float32], well_exposed: Mask) -> NDArray[np.float32]:
    """(h, w): how much each pixel of the overlap counts, 0..1."""
    diagonal = float(np.hypot(*weight.shape))
    kernel = np.ones((3, 3), np.uint8)
    seam = (cv2.dilate(weight, kernel) > cv2.erode(weight, kernel)) & pair.overlap
    near = np.exp(-np.square(distance_to(seam) / (SEAM_WIDTH * diagonal)))
    trusted = (pair.overlap & pair.trusted).astype(np.float32)
    away = np.float32(OFF_SEAM) * trusted * well_exposed
    around = [
        cv2.GaussianBlur(mask, (0, 0), TRUST_SIGMA * diagonal) for mask in (trusted, pair.overlap.astype(np.float32))
    ]
    reliable = around[0] / np.maximum(around[1], 1e-3)
    same = pair.overlap & ~pair.hidden
    if pair.kept:  # what is kept and has no match is a thing that one picture alone shows
        same = same & (pair.trusted | ~(pair.kept.reference | pair.kept.target))
    compared = np.where(pair.trusted, np.float32(1), np.float32(UNTRUSTED)) * same
    return np.asarray(compared * np.maximum(near, away) * reliable**2, np.float32)
