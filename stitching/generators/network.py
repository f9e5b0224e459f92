"""Our trained SIGMo as a generator of the stitched picture."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stitching.fields import Mask
from stitching.network.inputs import PairTensors, padded, to_tensor
from stitching.network.network import StitchedPair, StitchingNetwork
from stitching.splat import SHARPNESS
from stitching.warp import CanvasPair, Warp


@dataclass(frozen=True)
class NetworkGenerator:
    """The stitched picture by SIGMo, at the working size."""

    network: StitchingNetwork

    def __call__(self, pair: CanvasPair, warp: Warp) -> StitchedPair:
        """Weight, gain and fill for a target that moves by `warp`; (1, c, h', w') padded to multiples of 8."""
        planes = (padded(to_tensor(p)) for p in (pair.reference, pair.target, pair.reference_seen, pair.target_seen))
        residual, confidence = padded(to_tensor(warp.residual)), padded(to_tensor(warp.confidence))
        with torch.inference_mode():
            return self.network.stitch(PairTensors(*planes), residual, SHARPNESS * confidence)

    def stitch(self, pair: CanvasPair, warp: Warp) -> tuple[NDArray[np.uint8], Mask]:
        """(h, w, 3) BGR, and where one of the pictures is seen; holes are filled."""
        made = self(pair, warp)
        h, w = pair.target_seen.shape
        pixels = made.generated.stitched[0, :, :h, :w].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)  # (h, w, 3)
        seen = (made.inputs.reference_seen + made.inputs.target_seen)[0, 0, :h, :w] > 0
        return np.ascontiguousarray(pixels.numpy()), np.ascontiguousarray(seen.numpy())
