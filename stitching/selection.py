"""`auto`: which of several candidate stitches of a pair is taken.

The rules, with the limits below:

1. The candidates are tried in the order classical, matches, homography. A candidate is accepted, and no further one
   is tried, if its cost is at most `MAX_ACCEPTED_COST` and `MIN_CONSISTENT_SHARE` of the overlap is forward-backward
   consistent. An unchecked warp (a homography, a loaded warp) needs the cost alone.
2. A later candidate replaces the best one so far if its cost is below `REPLACING_COST_RATIO` of that one's.
3. It also replaces a best one of which less than `MIN_CONSISTENT_SHARE` is consistent, if it is at least as
   consistent and the best one's cost is not below `REPLACING_COST_RATIO` of its own.
4. Once rule 3 was applied the coarse alignment is in doubt: an unchecked warp, which is the coarse alignment alone,
   does not replace anything any more.

The limits were chosen on 22 photographed pairs: docs/results.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.seam_cost import seam_cost
from stitching.geometry.local_correlation import local_correlation, local_moments
from stitching.geometry.pixel_maps import Field, Mask, push_pull
from stitching.io.picture import channel_mean
from stitching.warping.picture_agreement import MIN_DEVIATION, WINDOW
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

MAX_ACCEPTED_COST = 100.0
REPLACING_COST_RATIO = 0.6
MIN_CONSISTENT_SHARE = 0.5  # of the overlap; warps with less were wrong by 13 px and more

DISTORTION_WEIGHT = 6.0  # cost of a thousandth of the squared diagonal that looks like neither picture
RIM_WIDTH = 8.0  # px beside the end of a picture in which the pyramid bands have no room to blend
RIM_WEIGHT = 4.0  # how many times as much a difference costs there
MIN_CORRELATION = 0.8  # of two pictures that show the same
NATURAL_SIGMA = 0.02  # of the diagonal; a warp that is as smooth keeps the shapes of things
MIN_TRUSTED_WEIGHT = 0.02  # share of the neighbourhood that must be trusted to take its mean


@dataclass(frozen=True)
class VisibleCost:
    """How visible a stitch is.

    Attributes:
        seam: difference of the two pictures (grey levels) times the change of the blend weight, summed over the
            overlap's pixels and divided by the canvas diagonal in px.
        distortion: textured area of the overlap that resembles neither the reference nor the target in its natural
            shape, in thousandths of the squared canvas diagonal.
    """

    seam: float
    distortion: float

    @property
    def total(self) -> float:
        """Both in the unit of `seam`."""
        return self.seam + DISTORTION_WEIGHT * self.distortion


@dataclass(frozen=True, eq=False)
class Candidate:
    """A stitch of the pair on the working canvas, with one warp and one blend.

    Attributes:
        warp_name, blend_name: the methods.
        placement: where the warp puts the target.
        aligned: both pictures after the warp.
        blend: weight and gain.
        cost: how visible it is.
        consistent_share: share 0..1 of the overlap that is forward-backward consistent; None where the warp was not
            checked that way (homography, loaded from a file).
        device: where it was computed, "cpu" or "cuda".
    """

    warp_name: str
    blend_name: str
    placement: Placement
    aligned: AlignedPair
    blend: Blend
    cost: VisibleCost
    consistent_share: float | None = None
    device: str = "cpu"

    @property
    def is_doubtful(self) -> bool:
        """Whether the warp may be wrong, however little is visible."""
        return self.consistent_share is not None and self.consistent_share < MIN_CONSISTENT_SHARE

    @property
    def is_acceptable(self) -> bool:
        """Rule 1."""
        return self.cost.total <= MAX_ACCEPTED_COST and not self.is_doubtful


def best_candidate(tried: Sequence[Candidate]) -> Candidate:
    """Rules 2 to 4 applied to candidates (at least one) in the order in which they were tried."""
    best, alignment_in_doubt = tried[0], False
    for candidate in tried[1:]:
        safer = _is_safer(candidate, best)
        alignment_in_doubt |= safer
        unchecked = candidate.consistent_share is None
        cheaper = candidate.cost.total < REPLACING_COST_RATIO * best.cost.total
        if safer or (cheaper and not (unchecked and alignment_in_doubt)):
            best = candidate
    return best


def _is_safer(candidate: Candidate, best: Candidate) -> bool:
    """Rule 3."""
    if best.consistent_share is None or candidate.consistent_share is None or not best.is_doubtful:
        return False
    affordable = REPLACING_COST_RATIO * candidate.cost.total <= best.cost.total
    return affordable and candidate.consistent_share >= best.consistent_share


def explain_choice(tried: Sequence[Candidate], chosen: Candidate) -> str:
    """One sentence for the summary: what was taken, and the cost of all that was tried."""
    costs = ", ".join(_cost_in_words(one) + (": chosen" if one is chosen and len(tried) > 1 else "") for one in tried)
    return f"{chosen.warp_name} warp, {chosen.blend_name} blend; visible-seam cost: {costs}"


def _cost_in_words(candidate: Candidate) -> str:
    share = f" ({candidate.consistent_share:.0%} of the overlap consistent)" if candidate.is_doubtful else ""
    return f"{candidate.warp_name} {candidate.cost.total:.0f}{share}"


def visible_cost(pair: AlignedPair, blend: Blend, natural_target: NDArray[np.uint8]) -> VisibleCost:
    """How visible a stitch is: along its seam, and where the warp has torn or bent things.

    Args:
        pair: both pictures after the warp.
        blend: weight and gain.
        natural_target: (h, w, 3) the target drawn by `natural_map_xy`.
    """
    overlap = pair.overlap
    reference, target, natural = _comparable_pictures(pair, overlap, blend.gain, natural_target)
    weight = blend.weight[..., None]
    shown = weight * reference + (1 - weight) * target
    diagonal = float(np.hypot(*overlap.shape))
    return VisibleCost(
        seam=_seam_difference(reference, target, blend.weight, overlap) / diagonal,
        distortion=1000 * _distorted_pixels(shown, reference, natural, overlap) / diagonal**2,
    )


def _comparable_pictures(
    pair: AlignedPair, overlap: Mask, gain: NDArray[np.float32], natural_target: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Reference, target and natural target, (h, w, 3) float32; alike where only one picture is valid.

    The black beyond a picture's rim must not count as a difference.
    """
    reference, target, natural = (
        np.clip(p, 0, 255).astype(np.float32) for p in (pair.reference, pair.target * gain, natural_target * gain)
    )
    reference_only, target_only = ((valid & ~overlap)[..., None] for valid in (pair.reference_valid, pair.target_valid))
    target, natural = np.where(reference_only, reference, target), np.where(reference_only, reference, natural)
    return np.where(target_only, target, reference), target, natural


def _seam_difference(
    reference: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.float32], overlap: Mask
) -> float:
    """Difference of the pictures where the blend weight (h, w) changes, grey levels times px."""
    change = cv2.morphologyEx(weight, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    rim_weight = np.where(_distance_to_rim(overlap) < RIM_WIDTH, RIM_WEIGHT, 1)
    along_seam = rim_weight * change * seam_cost(reference, target, np.ones_like(overlap))
    return float(along_seam[overlap].sum())


def _distorted_pixels(
    shown: NDArray[np.float32], reference: NDArray[np.float32], natural: NDArray[np.float32], overlap: Mask
) -> float:
    """How many textured pixels of the overlap resemble neither the reference nor the natural target."""
    shown, reference, natural = (channel_mean(picture) for picture in (shown, reference, natural))
    correlation = np.maximum(local_correlation(shown, reference, WINDOW), local_correlation(shown, natural, WINDOW))
    inner = cv2.erode(overlap.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    textured = local_moments(shown, WINDOW)[1] > MIN_DEVIATION**2
    return float((inner & textured & (correlation < MIN_CORRELATION)).sum())


def _distance_to_rim(overlap: Mask) -> NDArray[np.float32]:
    """(h, w) px from where one of the pictures ends; the canvas's own border is no rim."""
    padded = cv2.copyMakeBorder(overlap.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def natural_map_xy(placement: Placement) -> Field:
    """(h, w, 2) canvas -> full-size target px: the placement so smooth that things keep their natural shape."""
    trusted = placement.trusted.astype(np.float32)
    sigma = NATURAL_SIGMA * float(np.hypot(*trusted.shape))
    weight = cv2.GaussianBlur(trusted, (0, 0), sigma)[..., None]
    mean = cv2.GaussianBlur(placement.map_xy * trusted[..., None], (0, 0), sigma) / np.maximum(weight, 1e-6)
    return np.asarray(np.where(weight > MIN_TRUSTED_WEIGHT, mean, push_pull(placement.map_xy, trusted)), np.float32)
