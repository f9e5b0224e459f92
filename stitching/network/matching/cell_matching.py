"""Matching all cells with all: how alike the descriptions of the cells of two pictures are."""

from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import EIGHTH, Features
from stitching.network.matching.correlation import CELL, NO_MATCH
from stitching.network.matching.efficientnet_lite import EIGHTH_CHANNELS, SIXTEENTH_CHANNELS, EfficientNetLite
from stitching.network.pair_tensors import PairTensors

_CHANNELS = 128  # of a cell's description
_FIRST_SHARPNESS, _FIRST_DUSTBIN = 14.0, 4.0  # what a cosine is multiplied with; logit of having no match
_MIN_VALID_SHARE = 0.5  # of a cell that may be matched


class CellMatching(nn.Module):
    """Logits of target cells matching reference cells, or none: the dustbin (Sarlin et al. 2020, SuperGlue).

    Cells are described by an encoder of its own and by the shared backbone, to which matching gives no gradient:
    coarse and fine features learn apart, as in RoMa (Edstedt et al. 2024).
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = EfficientNetLite()
        self.from_backbone = _projection(EIGHTH)
        self.from_eighth = _projection(EIGHTH_CHANNELS)
        self.from_sixteenth = _projection(SIXTEENTH_CHANNELS)
        self.mix = nn.Sequential(
            nn.Conv2d(_CHANNELS, _CHANNELS, 3, 1, 1, bias=False), nn.BatchNorm2d(_CHANNELS), nn.ReLU(),
            nn.Conv2d(_CHANNELS, _CHANNELS, 3, 1, 1),
        )  # fmt: skip
        self.describe = nn.Conv2d(_CHANNELS, _CHANNELS, 1)
        self.log_sharpness = nn.Parameter(torch.tensor(log(_FIRST_SHARPNESS)))
        self.dustbin = nn.Parameter(torch.tensor(_FIRST_DUSTBIN))

    def descriptions(self, pictures: Tensor, shared: Tensor) -> Tensor:
        """(b, channels, h / 8, w / 8) descriptions of the cells, of length 1.

        Args:
            pictures: (b, 3, h, w) BGR 0 .. 1; 0 where not valid.
            shared: (b, EIGHTH, h / 8, w / 8) their features from the backbone.
        """
        eighth, sixteenth = self.encoder(pictures)
        rows, columns = eighth.shape[2:]
        enlarged = functional.interpolate(
            self.from_sixteenth(sixteenth), scale_factor=2, mode="bilinear", align_corners=False
        )
        features = self.from_eighth(eighth) + enlarged[..., :rows, :columns] + self.from_backbone(shared.detach())
        described = self.describe(features + self.mix(features))
        return functional.normalize(described.float(), dim=1)

    def logits(self, reference: Tensor, target: Tensor, reference_valid: Tensor) -> Tensor:
        """(b, n, n + 1) logits, n = rows * columns, row by row; the last one says that nothing matches.

        Args:
            reference, target: (b, c, rows, columns) `descriptions`.
            reference_valid: (b, 1, h, w) 0 .. 1; cells of which less than half is valid match nothing.
        """
        with torch.autocast(target.device.type, enabled=False):  # logits in full precision
            cosines = torch.einsum("bdn,bdm->bnm", target.flatten(2), reference.flatten(2))
            volume = cosines * self.log_sharpness.exp()
        valid = functional.avg_pool2d(reference_valid, CELL).flatten(1) >= _MIN_VALID_SHARE  # (b, n)
        volume = volume.masked_fill(~valid[:, None], NO_MATCH)
        return torch.cat([volume, self.dustbin.expand(*volume.shape[:2], 1)], dim=2)

    def describe_pair(self, pair: PairTensors, reference: Features, target: Features) -> tuple[Tensor, Tensor]:
        """`descriptions` of the reference and of the target, from their features of the backbone."""
        pictures = torch.cat([pair.reference * pair.reference_valid, pair.target * pair.target_valid])
        shared = torch.cat([reference.eighth, target.eighth])
        described_reference, described_target = self.descriptions(pictures, shared).chunk(2)
        return described_reference, described_target

    def forward(self, pair: PairTensors, reference: Features, target: Features) -> Tensor:
        """(b, n, n + 1) logits of the target's cells in the reference, as `logits`."""
        return self.logits(*self.describe_pair(pair, reference, target), pair.reference_valid)


def _projection(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, _CHANNELS, 1), nn.BatchNorm2d(_CHANNELS))
