"""PWM, the pixel-wise warping module: the displacement of every pixel of the target, with or without a match."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import EIGHTH, QUARTER, SLOPE, Features
from stitching.network.context_unet import ContextUNet
from stitching.network.matching.cell_matching import CellMatching
from stitching.network.matching.correlation import CELL, Lookup, best_match
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.refinement import HIDDEN, Update, Upsampling
from stitching.network.tensor_maps import pixel_xy, push_pull, resize_like

CONTEXT = 64  # channels that describe the target to every refinement step
STEPS = 4  # of refinement


@dataclass(frozen=True, eq=False)
class PixelwiseWarp:
    """The warp of coarsely aligned targets, b at once.

    Attributes:
        sequence: (b, 2, h, w) residuals, px, successively refined; the last one is the result.
        extrapolated: (b, 2, h, w) px, the residual before a given start was put back where it is trusted.
        visibility: (b, 1, h, w) logit: the reference shows the pixel; None of a network of optical flow, which neither
            predicts it nor extrapolates.
        matching: (b, n, n + 1) logits as `CellMatching` gives them; None if the warp began from a given start.
    """

    sequence: tuple[Tensor, ...]
    extrapolated: Tensor
    visibility: Tensor | None
    matching: Tensor | None

    @property
    def residual(self) -> Tensor:
        """(b, 2, h, w) px, the result."""
        return self.sequence[-1]


@dataclass(frozen=True, eq=False)
class _CellWarp:
    """A warp on the cells of the target, and what the modules know about them; all (b, ..., rows, columns)."""

    displacement: Tensor  # 2 channels, cells
    confidence: Tensor  # 1 channel, 0 .. 1
    context: Tensor  # CONTEXT + 3 channels
    hidden: Tensor  # HIDDEN channels, state of the refinement


class PixelwiseWarping(nn.Module):
    """Matches all cells with all, refines step by step, then extrapolates the warp to what has no match.

    Built like an optical-flow network, as Kweon et al. 2023 do; the extrapolation and the use of a given start are
    ours. A given start is only extrapolated: it is finer than what the network matches.
    """

    def __init__(self) -> None:
        super().__init__()
        # The attribute names are the keys of weight files: renaming one breaks published weights.
        self.matching = CellMatching()
        self.context = nn.Conv2d(EIGHTH, CONTEXT, 1)
        self.first = nn.Conv2d(CONTEXT + 3, HIDDEN, 3, 1, 1)  # the first hidden state
        self.update = Update(CONTEXT + 3)
        self.extension = ContextUNet(HIDDEN + 2 * CONTEXT + 11, HIDDEN + 32)  # extrapolates
        self.move = nn.Conv2d(HIDDEN + 32, 2, 3, 1, 1)  # head: displacement
        self.see = nn.Conv2d(HIDDEN + 32, 1, 3, 1, 1)  # head: visibility
        self.upsampling = Upsampling(HIDDEN + 32, QUARTER)

    def forward(
        self, pair: PairTensors, reference: Features, target: Features, start: Start | None = None
    ) -> PixelwiseWarp:
        """The warp of every pixel.

        Args:
            pair: the pictures, (b, 3, h, w), sides multiples of 8.
            reference, target: their features from the backbone.
            start: a warp to extrapolate in the place of the best matches; where it is trusted it stays as it is.
        """
        if start is None:
            return self._from_matches(pair, reference, target)
        cells = self._cell_warp(pair, target, *_start_on_cells(start))
        residual, visibility = self._extrapolate(cells, reference, target)
        return PixelwiseWarp((residual, keep_trusted(start, residual)), residual, visibility, None)

    def _from_matches(self, pair: PairTensors, reference: Features, target: Features) -> PixelwiseWarp:
        logits = self.matching(pair, reference, target)
        rows, columns = target.eighth.shape[2:]
        found = logits.detach()  # coarse and fine parts learn apart
        cells = self._cell_warp(pair, target, *best_match(found, rows, columns))
        look_up = Lookup(found, rows, columns)
        sequence = []
        for _ in range(STEPS):
            displacement = cells.displacement.detach()  # no gradient from later steps
            hidden, correction = self.update(cells.hidden, cells.context, look_up(displacement), displacement)
            cells = replace(cells, displacement=displacement + correction.float(), hidden=hidden)
            sequence.append(CELL * resize_like(cells.displacement, pair.target))
        residual, visibility = self._extrapolate(cells, reference, target, replace_unmatched=True)
        return PixelwiseWarp((*sequence, residual), residual, visibility, logits)

    def _cell_warp(self, pair: PairTensors, target: Features, displacement: Tensor, confidence: Tensor) -> _CellWarp:
        valid = [functional.avg_pool2d(mask, CELL) for mask in (pair.reference_valid, pair.target_valid)]
        features = functional.leaky_relu(self.context(target.eighth), SLOPE)
        context = torch.cat([features, *valid, confidence], dim=1)
        return _CellWarp(displacement, confidence, context, torch.tanh(self.first(context)))

    def _extrapolate(
        self, cells: _CellWarp, reference: Features, target: Features, replace_unmatched: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Residual (b, 2, h, w) px and visibility (b, 1, h, w), logit, of every pixel.

        Args:
            cells: the warp where it is known.
            reference, target: features.
            replace_unmatched: what the network corrects is the warp's smooth continuation where the confidence is low,
                in the place of the last step's guess; a given start has values everywhere.
        """
        reference_context = self.context(reference.eighth)
        displacement = cells.displacement.detach()
        filled = push_pull(displacement, cells.confidence)
        xy = pixel_xy(displacement)
        centred = (xy / (xy.amax((1, 2, 3)) + 1) - 0.5).expand(len(displacement), -1, -1, -1)  # by the longer side
        fields = [0.25 * field for field in (displacement, filled, filled - displacement)]
        features = self.extension(torch.cat([cells.hidden, cells.context, reference_context, *fields, centred], dim=1))
        if replace_unmatched:
            displacement = cells.confidence * displacement + (1 - cells.confidence) * filled
        displacement = displacement + self.move(features).float()
        fine = self.upsampling(torch.cat([displacement, self.see(features).float()], 1), features, target.quarter)
        return CELL * fine[:, :2], fine[:, 2:]


def keep_trusted(start: Start, residual: Tensor) -> Tensor:
    """(b, 2, h, w): the start where it is trusted, the residual elsewhere, with a transition of four pixels between.

    `stitching.warping.estimators.pwm.keep_trusted` is the same in numpy, but for 4 px at the border.
    """
    near = functional.avg_pool2d(start.trusted, 9, 1, 4, count_include_pad=False)
    keep = torch.maximum(start.trusted, (2 * near).clamp_max(1))  # falls to 0 within four pixels: nothing tears
    return keep * start.residual + (1 - keep) * residual


def _start_on_cells(start: Start) -> tuple[Tensor, Tensor]:
    """A start's displacement in cells, the mean of its trusted pixels where there are any, and the trusted share."""
    share = functional.avg_pool2d(start.trusted, CELL)
    trusted_mean = functional.avg_pool2d(start.residual * start.trusted, CELL) / share.clamp_min(1e-3)
    mean = functional.avg_pool2d(start.residual, CELL)
    return torch.where(share > 0.1, trusted_mean, mean) / CELL, share
