"""`auto`: which warp a pair gets.

The classical warp. Where the coarse alignment is uncertain, the trained network's matches join it as one more
candidate: that is the warp `matches`. The homography only where almost nothing of the dense warp is forward-backward
consistent.

The limits were chosen on 67 photographed pairs with verified places: docs/results.md.
"""

from dataclasses import dataclass

from stitching.alignment.coarse_alignment import Alignment
from stitching.geometry.pixel_maps import Mask
from stitching.warping.placement import Placement

DENSE_WARPS = ("classical", "matches")
MIN_CONFIDENCE, MIN_MATCHES = 0.9, 100  # of the coarse alignment; above, the network's matches add nothing
MIN_USABLE_SHARE = 0.05  # consistent share of the overlap; pictures that share nothing reach 0.01 by chance


@dataclass(frozen=True)
class UsedWarp:
    """The warp that placed the target.

    Attributes:
        name: of its estimator, or "loaded".
        consistent_share: share 0..1 of the overlap that is forward-backward consistent; None where nothing was checked
            (homography, loaded warp, no overlap). Where `auto` fell back to the homography, that of the dense warp.
        device: where it was computed, "cpu" or "cuda".
    """

    name: str
    consistent_share: float | None = None
    device: str = "cpu"

    @property
    def is_unusable(self) -> bool:
        """Whether almost nothing of it is consistent."""
        return self.consistent_share is not None and self.consistent_share < MIN_USABLE_SHARE


def dense_warp_for(alignment: Alignment) -> str:
    """One of `DENSE_WARPS`, by the coarse alignment alone, so that no flow is computed twice."""
    certain = alignment.confidence >= MIN_CONFIDENCE and len(alignment.matches) >= MIN_MATCHES
    return "classical" if certain else "matches"


def consistent_share(placement: Placement, reference_valid: Mask) -> float | None:
    """Share 0..1 of the overlap where the placement is trusted; None without an overlap."""
    overlap = placement.covered & reference_valid
    return float(placement.trusted[overlap].mean()) if overlap.any() else None
