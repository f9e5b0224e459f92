"""PWM, the pixel-wise warping module: a place on the canvas for every pixel of the target, matched or not."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import EIGHTH, QUARTER, SLOPE, Features
from stitching.network.context_unet import Extension, push_pull
from stitching.network.correlation import CELL, Correlation, Lookup, best_match
from stitching.network.inputs import PairTensors, Start
from stitching.network.refinement import HIDDEN, Update, Upsampling
from stitching.network.sampling import pixels

CONTEXT = 64  # channels that describe the target to every step


@dataclass(frozen=True, eq=False)
class PixelwiseWarp:
    """The warp of coarsely aligned targets, b at once."""

    sequence: tuple[Tensor, ...]  # (b, 2, h, w) residuals, px, ever better; the last one is the answer
    free: Tensor  # (b, 2, h, w) the answer before a given start was put back where it is trusted
    visibility: Tensor  # (b, 1, h, w) logit: the reference sees the pixel
    matching: Tensor | None  # (b, n, n + 1) as matching.Correlation; None where nothing was matched

    @property
    def residual(self) -> Tensor:
        """(b, 2, h, w) the answer."""
        return self.sequence[-1]


class PixelwiseWarping(nn.Module):
    """Matches all with all, refines step by step, then extends the warp to what has no match.

    Built like an optical-flow network, as Kweon et al. 2023 do; the extension, and what becomes of a given start, are
    ours. A given start is only extended, unless steps are asked for: it is finer than what the network matches.
    """

    def __init__(self, steps: int = 4) -> None:
        super().__init__()
        self.steps = steps
        self.correlation = Correlation(EIGHTH)
        self.context = nn.Conv2d(EIGHTH, CONTEXT, 1)
        self.first = nn.Conv2d(CONTEXT + 3, HIDDEN, 3, 1, 1)
        self.update = Update(CONTEXT + 3)
        self.extension = Extension(HIDDEN + 2 * CONTEXT + 11, HIDDEN + 32)
        self.move = nn.Conv2d(HIDDEN + 32, 2, 3, 1, 1)
        self.see = nn.Conv2d(HIDDEN + 32, 1, 3, 1, 1)
        self.upsampling = Upsampling(HIDDEN + 32, QUARTER)

    def match(self, pair: PairTensors, reference: Features, target: Features) -> Tensor:
        """(b, n, n + 1) logits of every target cell matching every reference cell or none, as `Correlation`."""
        valid = functional.avg_pool2d(pair.reference_valid, CELL)
        logits: Tensor = self.correlation(reference.eighth, target.eighth, valid)
        return logits

    def forward(
        self,
        pair: PairTensors,
        reference: Features,
        target: Features,
        start: Start | None = None,
        steps: int | None = None,
    ) -> PixelwiseWarp:
        """The warp of every pixel.

        Args:
            pair: the pictures, (b, 3, h, w), sides multiples of 8.
            reference, target: their features from the backbone.
            start: a warp to extend instead of the best matches; where it is trusted it stays as it is.
            steps: of refinement; None: as many as the module has, none from a given start.
        """
        steps = steps if steps is not None else self.steps if start is None else 0
        size = tuple(pair.target.shape[2:])
        rows, columns = target.eighth.shape[2:]
        valid = [functional.avg_pool2d(mask, CELL) for mask in (pair.reference_valid, pair.target_valid)]
        logits = self.match(pair, reference, target) if start is None or steps else None
        if start is not None:
            move, sure = _on_cells(start)
        elif logits is not None:
            move, sure = best_match(logits, rows, columns)
        context = functional.leaky_relu(self.context(target.eighth), SLOPE)
        known = torch.cat([context, *valid, sure], dim=1)
        hidden = torch.tanh(self.first(known))
        sequence = []
        if logits is not None:
            remap = Lookup(logits, rows, columns)
            for _ in range(steps):
                move = move.detach()  # each step answers for its own correction alone
                hidden, correction = self.update(hidden, known, remap(move), move)
                move = move + correction.float()
                sequence.append(CELL * functional.interpolate(move, size, mode="bilinear", align_corners=False))
        move, features = self._extended(move.detach(), sure, hidden, known, self.context(reference.eighth), start)
        fine = self.upsampling(torch.cat([move, self.see(features).float()], dim=1), features, target.quarter)
        residual, visibility = CELL * fine[:, :2], fine[:, 2:]
        sequence.append(residual)
        if start is not None:
            sequence.append(kept(start, residual))
        return PixelwiseWarp(tuple(sequence), residual, visibility, logits)

    def _extended(
        self, move: Tensor, sure: Tensor, hidden: Tensor, known: Tensor, there: Tensor, start: Start | None
    ) -> tuple[Tensor, Tensor]:
        """The displacement (b, 2, rows, columns), cells, that looks right as a whole, and its features."""
        filled = push_pull(move, sure)
        places = pixels(move)
        centred = places / (places.amax((1, 2, 3)) + 1) - 0.5  # by the longer side
        scaled = [0.25 * field for field in (move, filled, filled - move)]
        inputs = [hidden, known, there, *scaled, centred.expand(move.shape[0], -1, -1, -1)]
        features = self.extension(torch.cat(inputs, dim=1))
        # Where nothing was matched, the smooth continuation is a better beginning than the last step's guess; a given
        # start brings a continuation of its own.
        begun = sure * move + (1 - sure) * filled if start is None else move
        return begun + self.move(features).float(), features


def _on_cells(start: Start) -> tuple[Tensor, Tensor]:
    """A start's displacement in cells, the mean of its trusted pixels where there are any, and the trusted share."""
    share = functional.avg_pool2d(start.trusted, CELL)
    mean = functional.avg_pool2d(start.residual * start.trusted, CELL) / share.clamp_min(1e-3)
    everywhere = functional.avg_pool2d(start.residual, CELL)
    return torch.where(share > 0.1, mean, everywhere) / CELL, share


def kept(start: Start, residual: Tensor) -> Tensor:
    """(b, 2, h, w): the start where it is trusted, the residual elsewhere; beside what is trusted it passes over."""
    near = functional.avg_pool2d(start.trusted, 9, 1, 4, count_include_pad=False)
    keep = torch.maximum(start.trusted, (2 * near).clamp_max(1))  # falls to 0 within four pixels, so that nothing tears
    return keep * start.residual + (1 - keep) * residual
