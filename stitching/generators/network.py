"""Our trained SIGMo as a generator of blend weight, gain and fill."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stitching.blend import Blend
from stitching.network.inputs import PairTensors, padded, to_tensor
from stitching.network.network import StitchingNetwork
from stitching.splat import SHARPNESS
from stitching.warp import CanvasPair, Warp


@dataclass(frozen=True)
class GeneratedBlend:
    """What leaves SIGMo: fields, so that the panorama is as sharp as the pictures that it is drawn from."""

    blend: Blend
    fill: NDArray[np.uint8]  # (h, w, 3) BGR, for what neither picture shows


@dataclass(frozen=True)
class NetworkGenerator:
    """SIGMo at the working size."""

    network: StitchingNetwork

    def __call__(self, pair: CanvasPair, warp: Warp) -> GeneratedBlend:
        """The blend of a pair whose target moves by `warp`."""
        planes = (padded(to_tensor(p)) for p in (pair.reference, pair.target, pair.reference_seen, pair.target_seen))
        residual, confidence = padded(to_tensor(warp.residual)), padded(to_tensor(warp.confidence))
        with torch.inference_mode():
            made = self.network.stitch(PairTensors(*planes), residual, SHARPNESS * confidence).generated
        h, w = pair.target_seen.shape

        def cropped(field: Tensor) -> NDArray[np.float32]:
            """(h, w, c) of (1, c, h', w')."""
            return np.ascontiguousarray(field[0, :, :h, :w].permute(1, 2, 0).numpy(), np.float32)

        fill = np.clip(np.rint(cropped(made.fill) * 255), 0, 255).astype(np.uint8)
        return GeneratedBlend(Blend(cropped(made.weight)[..., 0], cropped(made.gain)), fill)
