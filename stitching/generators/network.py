"""Our trained SIGMo as a generator of blend weight and gain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.blend import AlignedPair, Blend
from stitching.estimators.window import planes
from stitching.generators.gain import match_gain
from stitching.running import Runner


@dataclass(frozen=True)
class NetworkGenerator:
    """SIGMo at the working size. Only fields leave it, so that the panorama is as sharp as its pictures."""

    runner: Runner

    def __call__(self, pair: AlignedPair, compensator: str) -> Blend:
        """The blend; with the compensator "gain" the gain is SIGMo's, too."""
        shown = pair.target_seen & ~pair.hidden
        where_they_are = np.ones(shown.shape, np.float32)  # the warp is done: nothing moves
        inputs = {
            "reference": _scaled(pair.reference, pair.reference_seen), "target": _scaled(pair.target, shown),
            "reference_seen": planes(pair.reference_seen), "target_seen": planes(shown),
            "trusted": planes(where_they_are),
        }  # fmt: skip
        found = self.runner(("weight", "gain"), inputs)
        h, w = shown.shape
        fields = found["weight"], found["gain"]
        weight, gain = (np.ascontiguousarray(field[0, :, :h, :w].transpose(1, 2, 0)) for field in fields)
        return Blend(weight[..., 0], gain if compensator == "gain" else match_gain(pair, compensator))


def _scaled(picture: NDArray[np.uint8], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    return planes(picture.astype(np.float32) / 255 * seen[..., None])
