"""`auto`: which warp a pair gets.

The warp `matches`: the classical searches, joined by the trained network's matches where they leave much of the overlap
without consistent flow. The homography only where almost nothing of that is forward-backward consistent.
"""

from dataclasses import dataclass

from stitching.geometry.pixel_maps import Mask
from stitching.warping.placement import Placement
from stitching.warping.warp import Warp

AUTO_WARP = "matches"
MIN_USABLE_SHARE = 0.05  # consistent share of the overlap; pictures that share nothing reach 0.01 by chance


@dataclass(frozen=True)
class UsedWarp:
    """The warp that placed the target.

    Attributes:
        name: of its estimator, or "loaded"; "classical" where the network of `matches` was not asked.
        consistent_share: share 0..1 of the overlap that is forward-backward consistent; None where nothing was checked
            (homography, loaded warp, no overlap). Where `auto` fell back to the homography, that of the dense warp.
        device: where it was computed, "cpu" or "cuda".
    """

    name: str
    consistent_share: float | None = None
    device: str = "cpu"

    @classmethod
    def of(cls, name: str, warp: Warp, placement: Placement, reference_valid: Mask) -> "UsedWarp":
        """That of the estimator `name`, which gave `warp`; `reference_valid`: (h, w), of the working canvas."""
        checked = name != "homography"  # which is not estimated in both directions
        share = consistent_share(placement, reference_valid) if checked else None
        not_asked = name.partition(":")[0] == "matches" and not warp.by_network
        return cls("classical" if not_asked else name, share, warp.device)

    @property
    def is_unusable(self) -> bool:
        """Whether almost nothing of it is consistent."""
        return self.consistent_share is not None and self.consistent_share < MIN_USABLE_SHARE


def consistent_share(placement: Placement, reference_valid: Mask) -> float | None:
    """Share 0..1 of the overlap where the placement is trusted; None without an overlap."""
    overlap = placement.covered & reference_valid
    return float(placement.trusted[overlap].mean()) if overlap.any() else None
