"""Both modules on one backbone: the network that is trained, and that makes panoramas."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stitching.network.backbone import Backbone, Features
from stitching.network.inputs import PairTensors, Start, check_window
from stitching.network.pixelwise_warping import PixelwiseWarp, PixelwiseWarping
from stitching.network.splatting import splat
from stitching.network.stitched_image_generating import Generated, StitchedImageGenerating, StitchInputs

WARP, STITCH = "warp", "stitch"  # the backbone's normalisations


@dataclass(frozen=True, eq=False)
class StitchedPair:
    """What SIGMo saw and what it made of it."""

    inputs: StitchInputs
    generated: Generated


class StitchingNetwork(nn.Module):
    """PWM and SIGMo on one backbone (Kweon et al. 2023 have the two modules; the shared backbone is ours)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone((WARP, STITCH))
        self.warping = PixelwiseWarping()
        self.generating = StitchedImageGenerating()

    def warp(self, pair: PairTensors, start: Start | None = None, steps: int | None = None) -> PixelwiseWarp:
        """The warp of every target pixel; arguments as for PixelwiseWarping. Raises InputError for odd sizes."""
        return self.warping(pair, *self.warp_features(pair), start, steps)  # type: ignore[no-any-return]

    def match(self, pair: PairTensors) -> Tensor:
        """The first part of `warp` alone: how cells match, as `matching.Correlation` says it."""
        return self.warping.match(pair, *self.warp_features(pair))

    def stitch(self, pair: PairTensors, residual: Tensor, importance: Tensor) -> StitchedPair:
        """The stitched picture of pairs whose target moves by `residual` (b, 2, h, w), px.

        Args:
            pair: as for `warp`.
            residual: where the target's pixels go.
            importance: (b, 1, h, w) of pixels that land on one place, as `splat`.
        """
        splatted = splat(pair.target, residual, importance, pair.target_valid)
        inputs = StitchInputs(pair.reference, splatted.values, pair.reference_valid, splatted.coverage.clamp_max(1))
        return StitchedPair(inputs, self.generate(inputs))

    def generate(self, inputs: StitchInputs) -> Generated:
        """SIGMo on pictures that are in their places. Raises InputError for sizes that it cannot work on."""
        pictures, valid = (inputs.reference, inputs.target), (inputs.reference_valid, inputs.target_valid)
        return self.generating(inputs, *self._features(pictures, valid, STITCH))  # type: ignore[no-any-return]

    def warp_features(self, pair: PairTensors) -> tuple[Features, Features]:
        """Of reference and target, as `warp` uses them."""
        check_window(pair.target)
        return self._features((pair.reference, pair.target), (pair.reference_valid, pair.target_valid), WARP)

    def _features(self, pictures: Sequence[Tensor], valid: Sequence[Tensor], task: str) -> tuple[Features, Features]:
        """Of reference and target, normalised together."""
        features: Features = self.backbone(torch.cat(list(pictures)), torch.cat(list(valid)), task)
        return features.split()
