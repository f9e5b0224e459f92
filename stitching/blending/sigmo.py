"""SIGMo as a generator of blend weight and gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.gain import match_gain
from stitching.geometry.distances import distance_to
from stitching.geometry.pixel_maps import smoothstep
from stitching.network.interface import Runtime
from stitching.network.runtime.window import planes
from stitching.warping.warp import AlignedPair, KeptParts

TRANSITION = 0.02  # of the diagonal: beside a kept part the weight passes over within it


@dataclass(frozen=True)
class SigmoGenerator:
    """A `stitching.blending.blend.Generator` at the working size. Only fields leave it: the panorama stays sharp."""

    sigmo: Runtime  # of `stitching.network.interface.SIGMO`

    def __call__(self, pair: AlignedPair, compensator: str, overall: NDArray[np.float32] | None = None) -> Blend:
        """The blend; with the compensator "gain" the gain is SIGMo's, too."""
        target_valid = pair.target_valid & ~pair.hidden
        found = self.sigmo({
            "reference": _unit_range(pair.reference, pair.reference_valid),
            "target": _unit_range(pair.target, target_valid),
            "reference_valid": planes(pair.reference_valid),
            "target_valid": planes(target_valid),
        })  # fmt: skip
        h, w = target_valid.shape
        weight = _with_kept_parts(np.ascontiguousarray(found["weight"][0, 0, :h, :w]), pair.kept)
        if compensator == "gain":
            gain = np.ascontiguousarray(found["gain"][0, :, :h, :w].transpose(1, 2, 0))  # (1, 3, h', w') -> (h, w, 3)
        else:
            gain = match_gain(pair, compensator, weight, overall)
        return Blend(weight, gain, device=self.sigmo.device)


def _with_kept_parts(weight: NDArray[np.float32], kept: KeptParts | None) -> NDArray[np.float32]:
    """A weight (h, w) that is 1 or 0 in the kept parts, and passes over softly beside them."""
    if kept is None:
        return weight
    width = TRANSITION * float(np.hypot(*weight.shape))
    to_reference, to_target = (
        smoothstep(np.minimum(distance_to(part) / np.float32(width), 1)) for part in (kept.reference, kept.target)
    )
    return np.where(kept.reference, np.float32(1), (1 - (1 - weight) * to_reference) * to_target).astype(np.float32)


def _unit_range(picture: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A picture as planes 0 .. 1, 0 where not valid."""
    return planes(picture.astype(np.float32) / 255 * valid[..., None])
