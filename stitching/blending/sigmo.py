"""Our trained SIGMo as a generator of blend weight and gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.gain import match_gain
from stitching.network.runtime.onnx_runtime import Runner
from stitching.network.runtime.window import planes
from stitching.warping.warp import AlignedPair


@dataclass(frozen=True)
class NetworkGenerator:
    """SIGMo at the working size. Only fields leave it, so that the panorama is as sharp as its pictures."""

    runner: Runner

    def __call__(self, pair: AlignedPair, compensator: str) -> Blend:
        """The blend; with the compensator "gain" the gain is SIGMo's, too."""
        shown = pair.target_valid & ~pair.hidden
        where_they_are = np.ones(shown.shape, np.float32)  # the warp is done: nothing moves
        inputs = {
            "reference": _scaled(pair.reference, pair.reference_valid), "target": _scaled(pair.target, shown),
            "reference_valid": planes(pair.reference_valid), "target_valid": planes(shown),
            "trusted": planes(where_they_are),
        }  # fmt: skip
        found = self.runner(("weight", "gain"), inputs)
        h, w = shown.shape
        fields = found["weight"], found["gain"]
        weight, gain = (np.ascontiguousarray(field[0, :, :h, :w].transpose(1, 2, 0)) for field in fields)
        return Blend(weight[..., 0], gain if compensator == "gain" else match_gain(pair, compensator))


def _scaled(picture: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    return planes(picture.astype(np.float32) / 255 * valid[..., None])
