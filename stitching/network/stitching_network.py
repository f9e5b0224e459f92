"""PWM and SIGMo on one backbone: the network that is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stitching.network.backbone import Backbone, Features
from stitching.network.pair_tensors import PairTensors, Start, check_window
from stitching.network.pixelwise_warping import PixelwiseWarp, PixelwiseWarping
from stitching.network.splatting import splat
from stitching.network.stitched_image_generating import Generated, StitchedImageGenerating

WARP, STITCH = "warp", "stitch"  # the tasks of the backbone's batch norms


@dataclass(frozen=True, eq=False)
class StitchedPair:
    """Inputs and outputs of SIGMo."""

    inputs: PairTensors
    generated: Generated


class StitchingNetwork(nn.Module):
    """PWM and SIGMo on one backbone (Kweon et al. 2023 have the two modules; the shared backbone is ours)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone((WARP, STITCH))
        self.warping = PixelwiseWarping()
        self.generating = StitchedImageGenerating()

    def warp(self, pair: PairTensors, start: Start | None = None) -> PixelwiseWarp:
        """The warp of every target pixel, as `PixelwiseWarping`. Raises InputError for sizes as `check_window`."""
        return self.warping(pair, *self.warp_features(pair), start)  # type: ignore[no-any-return]

    def match(self, pair: PairTensors) -> Tensor:
        """The matching of `warp` alone: logits as of `CellMatching`. Raises InputError for sizes as `check_window`."""
        return self.warping.matching(pair, *self.warp_features(pair))  # type: ignore[no-any-return]

    def stitch(self, pair: PairTensors, residual: Tensor, importance: Tensor) -> StitchedPair:
        """SIGMo's result for pairs whose target moves by `residual`.

        Args:
            pair: as for `warp`.
            residual: (b, 2, h, w) px, displacement of the target's pixels.
            importance: (b, 1, h, w), which of two pixels that land on one position is on top, as for `splat`.
        """
        splatted = splat(pair.target, residual, importance, pair.target_valid)
        inputs = PairTensors(pair.reference, splatted.values, pair.reference_valid, splatted.coverage.clamp_max(1))
        return StitchedPair(inputs, self.generate(inputs))

    def generate(self, inputs: PairTensors) -> Generated:
        """SIGMo on a target that is already warped. Raises InputError for sizes as `check_window`."""
        pictures, valid = (inputs.reference, inputs.target), (inputs.reference_valid, inputs.target_valid)
        return self.generating(inputs, *self._features(pictures, valid, STITCH))  # type: ignore[no-any-return]

    def warp_features(self, pair: PairTensors) -> tuple[Features, Features]:
        """Features of reference and target, normalised for the task `warp`. Raises InputError as `check_window`."""
        check_window(pair.target)
        return self._features((pair.reference, pair.target), (pair.reference_valid, pair.target_valid), WARP)

    def _features(self, pictures: Sequence[Tensor], valid: Sequence[Tensor], task: str) -> tuple[Features, Features]:
        """Features of reference and target, in one batch."""
        features: Features = self.backbone(torch.cat(list(pictures)), torch.cat(list(valid)), task)
        return features.split()
