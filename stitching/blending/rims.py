"""Rims: where a picture ends inside the panorama, and the other one goes on. A seam along them shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.distances import distance_to
from stitching.geometry.pixel_maps import Mask
from stitching.warping.warp import AlignedPair

MARGIN = 0.035  # of the canvas diagonal: as far from both rims a seam stays where the overlap is wide enough
NARROW_SHARE = 0.4  # of the distance from rim to rim: the most that a margin takes, so that a seam finds its way
ISLAND_AREA = 1e-3  # of the squared canvas diagonal: less of the reference amid the target is not worth a seam
HOLE_WIDTH = 0.02  # of the canvas diagonal: what the target does not cover and is no wider is a hole, and has no rim


@dataclass(frozen=True)
class RimDistances:
    """How far the rims are, working px; h + w, more than any distance, where there is none.

    Attributes:
        reference: (h, w) float32, to the nearest pixel that the target alone shows: the reference's rim lies there.
        target: (h, w) float32, to the nearest pixel that the reference alone shows.
    """

    reference: NDArray[np.float32]
    target: NDArray[np.float32]


def rim_distances(pair: AlignedPair) -> RimDistances:
    """Distances to both rims. The border of the canvas, where both pictures end, is none; nor is that of a hole."""
    only_target = pair.target_valid & ~pair.reference_valid
    only_reference = pair.reference_valid & _without_holes(~pair.target_valid)
    return RimDistances(distance_to(only_target), distance_to(only_reference))


def sides(pair: AlignedPair) -> tuple[Mask, Mask]:
    """Which picture may be shown where, so that the seam between them is far from both rims.

    A margin beside each rim belongs to the picture that goes on there; it is `MARGIN` wide, or `NARROW_SHARE` of the
    way from rim to rim where that is less. Elsewhere in the overlap the reference may be shown anywhere, and the target
    where it is not hidden. A reference within the target, taken from farther away or with a wider lens, is shown but
    for its rim: no seam at all would cost less, and leave the reference out. What is kept goes before all that.

    Returns:
        (h, w) where the reference, and (h, w) where the target may be shown: at least one wherever there are pixels.
    """
    distances = rim_distances(pair)
    margin = MARGIN * float(np.hypot(*pair.trusted.shape))
    width = np.minimum(margin, NARROW_SHARE * (distances.reference + distances.target))
    beside_reference_rim = pair.overlap & (distances.reference < width)
    beside_target_rim = pair.overlap & (distances.target < width)
    usable = beside_reference_rim | ~pair.hidden
    if distances.target.min() == sum(pair.trusted.shape):  # it has no rim: the target shows all of the reference
        usable &= distances.reference < 2 * margin
    of_reference = pair.reference_valid & ~beside_reference_rim
    of_target = pair.target_valid & ~beside_target_rim & usable
    if pair.kept:
        of_reference = of_reference & ~pair.kept.target | pair.kept.reference
        of_target = of_target & ~pair.kept.reference | pair.kept.target
    return of_reference, of_target


def without_islands(weight: NDArray[np.float32], pair: AlignedPair) -> NDArray[np.float32]:
    """A weight (h, w) without parts of the target amid the reference, and without small ones of the reference amid it.

    Amid means: not connected to where that picture is alone, or kept.
    """
    of_reference, overlap = weight >= 0.5, pair.overlap
    alone, target_alone = pair.reference_valid & ~pair.target_valid, pair.target_valid & ~pair.reference_valid
    if pair.kept:
        alone, target_alone = alone | pair.kept.reference, target_alone | pair.kept.target
    target_island = _unconnected(~of_reference & pair.target_valid, target_alone, np.inf)
    filled = np.where(target_island & overlap, np.float32(1), weight)
    least_area = ISLAND_AREA * (weight.shape[0] ** 2 + weight.shape[1] ** 2)
    reference_island = _unconnected((filled >= 0.5) & pair.reference_valid, alone, least_area)
    return np.where(reference_island & overlap, np.float32(0), filled).astype(np.float32)


def _unconnected(mask: Mask, mainland: Mask, area: float) -> Mask:
    """The connected parts of a mask (h, w) that are smaller than `area` px and hold no pixel of `mainland`."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    island = statistics[:, cv2.CC_STAT_AREA] < area
    island[0] = False
    island[np.unique(labels[mainland & mask])] = False
    return np.asarray(island[labels])


def _without_holes(uncovered: Mask) -> Mask:
    """A mask (h, w) without its parts narrower than `HOLE_WIDTH` (morphological opening); the canvas border is wide."""
    radius = max(1.0, HOLE_WIDTH * float(np.hypot(*uncovered.shape)) / 2)
    pad = int(radius) + 2
    padded = np.pad(uncovered, pad, constant_values=True)
    core = distance_to(~padded) > radius
    return (distance_to(core) <= radius)[pad:-pad, pad:-pad] & uncovered
