"""Choosing among several warps and blends of one pair: the passage from picture to picture that shows least."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.local_correlation import local_correlation, local_moments
from stitching.blending.blend import Blend
from stitching.blending.seam_cost import seam_cost
from stitching.geometry.pixel_maps import Field, push_pull
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

# Chosen on 22 photographed pairs: docs/results.md.
ENOUGH = 100.0  # cost up to which a stitch is taken as it is
CLEARLY = 0.6  # of the cost of what was tried before: so much less another one must cost
DOUBTFUL = 0.5  # share of the overlap: warps that are sure of less were wrong by 13 px and more
BROKEN = 6.0  # cost of a thousandth of the squared diagonal that looks like neither picture
RIM, ROOM = 4.0, 8.0  # times as much shows within so many px of a picture's rim, where bands have no room to pass
WINDOW = 15  # px over which pictures are compared
ALIKE, TEXTURED = 0.8, 6.0  # correlation of what is the same; grey levels of deviation from which on that says anything
SMOOTH = 0.02  # of the diagonal, sigma: a warp that is as smooth keeps the shapes of things
FEW = 0.02  # share of what is around that must be trusted, to take its mean


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pair as one warp places it and one generator blends it, on the working canvas.

    Attributes:
        warp, blend: their names.
        placement, aligned, made: what they gave.
        cost: how much of it shows, see `visible_cost`.
        sure: share of the overlap in which the warp found its way back, 0..1; None where that was not asked for.
    """

    warp: str
    blend: str
    placement: Placement
    aligned: AlignedPair
    made: Blend
    cost: float
    sure: float | None = None


def visible_cost(pair: AlignedPair, blend: Blend, natural: NDArray[np.uint8]) -> float:
    """How much of a stitch shows: of its passages from picture to picture, and of what a warp has torn or bent.

    The change of the blend weight times how the pictures differ there, grey levels, summed and divided by the
    diagonal, `RIM` times that near a rim; and `BROKEN` times the textured part of the overlap, thousandths of the
    squared diagonal, that looks neither like the reference nor like the target in its natural shape.

    Args:
        pair: both pictures in their places.
        blend: what is made of them.
        natural: (h, w, 3) the target placed by `smooth_map_xy`.
    """
    both = pair.reference_valid & pair.target_valid
    diagonal = float(np.hypot(*both.shape))
    reference, target, unbent = (
        np.clip(p, 0, 255).astype(np.float32) for p in (pair.reference, pair.target * blend.gain, natural * blend.gain)
    )
    # Where one alone is seen all show it: the black beyond a picture's rim differs from nothing.
    here, there = ((valid & ~both)[..., None] for valid in (pair.reference_valid, pair.target_valid))
    target, unbent = np.where(here, reference, target), np.where(here, reference, unbent)
    reference = np.where(there, target, reference)
    change = cv2.morphologyEx(blend.weight, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    along = np.where(_from_rim(both) < ROOM, RIM, 1) * change * seam_cost(reference, target, np.ones_like(both))
    passage = float(along[both].sum()) / diagonal
    share = blend.weight[..., None]
    shown, one, other = (_grey(p) for p in (share * reference + (1 - share) * target, reference, unbent))
    alike = np.maximum(local_correlation(shown, one, WINDOW), local_correlation(shown, other, WINDOW))
    inner = cv2.erode(both.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    broken = inner & (local_moments(shown, WINDOW)[1] > TEXTURED**2) & (alike < ALIKE)
    return passage + BROKEN * 1000 * float(broken.sum()) / diagonal**2


def smooth_map_xy(placement: Placement) -> Field:
    """(h, w, 2) canvas -> full-size target px: a placement without what bends things, from where it is trusted."""
    known = placement.trusted.astype(np.float32)
    sigma = SMOOTH * float(np.hypot(*known.shape))
    share = cv2.GaussianBlur(known, (0, 0), sigma)[..., None]
    mean = cv2.GaussianBlur(placement.map_xy * known[..., None], (0, 0), sigma) / np.maximum(share, 1e-6)
    return np.asarray(np.where(share > FEW, mean, push_pull(placement.map_xy, known)), np.float32)


def choose(candidates: Iterator[Candidate]) -> tuple[Candidate, str]:
    """The first one that is good enough, of which clearly less shows or that is surer than what came before.

    Returns: it, and why, in words.
    """
    best, misaligned = next(candidates), False
    told = [_told(best)]
    while (best.cost > ENOUGH or is_doubtful(best)) and (other := next(candidates, None)) is not None:
        told.append(_told(other))
        surer = _is_surer(other, best)
        misaligned |= surer  # what is not checked stands and falls with the coarse alignment
        if surer or (other.cost < CLEARLY * best.cost and not (misaligned and other.sure is None)):
            best = other
    return best, f"{best.warp} warp, {best.blend} blend: what shows of the passage is {', '.join(told)}"


def _is_surer(other: Candidate, best: Candidate) -> bool:
    """Whether a warp is to stand in for a doubtful one: as sure at least, and not clearly more of it shows."""
    if best.sure is None or best.sure >= DOUBTFUL or other.sure is None:
        return False
    return other.sure >= best.sure and CLEARLY * other.cost <= best.cost


def is_doubtful(candidate: Candidate) -> bool:
    """Whether the warp may be wrong, whatever shows."""
    return candidate.sure is not None and candidate.sure < DOUBTFUL


def _told(candidate: Candidate) -> str:
    sure = f", sure of {candidate.sure:.0%}" if is_doubtful(candidate) else ""
    return f"{candidate.cost:.0f} ({candidate.warp}, {candidate.blend}{sure})"


def _from_rim(both: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(h, w) px from where one of the pictures ends; the canvas's own border is no rim."""
    wide = cv2.copyMakeBorder(both.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(wide, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def _grey(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.transform(picture, np.full((1, 3), 1 / 3, np.float32)), np.float32)
