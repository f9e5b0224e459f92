"""Recurrent refinement of a displacement from the matches around it, and its learned upsampling."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import SLOPE
from stitching.network.matching.correlation import LEVELS, RADIUS

HIDDEN = 64  # channels of the state
LOOKED_UP = LEVELS * (2 * RADIUS + 1) ** 2


class Update(nn.Module):
    """One step: matches around, a gated recurrent unit, a correction (Teed & Deng 2020, RAFT, section 3.3)."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self.matches = nn.Sequential(
            nn.Conv2d(LOOKED_UP + 2, 96, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(96, 62, 3, 1, 1), nn.LeakyReLU(SLOPE)
        )
        self.gates = nn.Conv2d(HIDDEN + 64 + context, 2 * HIDDEN, 3, 1, 1)
        self.candidate = nn.Conv2d(HIDDEN + 64 + context, HIDDEN, 3, 1, 1)
        self.correct = nn.Sequential(
            nn.Conv2d(HIDDEN, HIDDEN, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(HIDDEN, 2, 3, 1, 1)
        )

    def forward(self, hidden: Tensor, context: Tensor, found: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
        """The next state (b, HIDDEN, rows, columns) and the correction (b, 2, rows, columns), cells.

        Args:
            hidden: (b, HIDDEN, rows, columns) in -1 .. 1.
            context: (b, context, rows, columns).
            found: (b, LOOKED_UP, rows, columns) from `Lookup`.
            displacement: (b, 2, rows, columns), cells.
        """
        scaled = 0.25 * displacement  # all inputs are about as large
        inputs = torch.cat([self.matches(torch.cat([0.2 * found, scaled], dim=1)), scaled, context], dim=1)
        reset, keep = torch.sigmoid(self.gates(torch.cat([hidden, inputs], dim=1))).chunk(2, dim=1)
        new = torch.tanh(self.candidate(torch.cat([reset * hidden, inputs], dim=1)))
        hidden = keep * hidden + (1 - keep) * new
        return hidden, self.correct(hidden)


class Upsampling(nn.Module):
    """Learned upsampling: a pixel is a convex combination of the 3 x 3 cells around (Teed & Deng 2020, section 3.3)."""

    def __init__(self, channels: int, quarter: int, times: int = 8) -> None:
        super().__init__()
        self.times = times
        self.from_quarter = nn.Conv2d(quarter, 32, 2, 2)
        self.weights = nn.Sequential(
            nn.Conv2d(channels + 32, 96, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(96, 9 * times**2, 1)
        )

    def forward(self, field: Tensor, features: Tensor, quarter: Tensor) -> Tensor:
        """(b, c, h, w) of a field (b, c, h / 8, w / 8), weighted by features at 1/8 and 1/4; values are not scaled."""
        b, _, rows, columns = field.shape
        logits = self.weights(torch.cat([features, self.from_quarter(quarter)], dim=1)).float()
        weights = logits.view(b, 1, 9, self.times**2, rows, columns).softmax(2)
        around = functional.pad(field.float(), (1, 1, 1, 1), mode="replicate")
        large = torch.zeros((), device=field.device)
        for k in range(9):  # one at a time: all together take 9 times the memory
            y, x = divmod(k, 3)
            large = large + weights[:, :, k] * around[:, :, None, y : y + rows, x : x + columns]
        # (b, c, times^2, rows, columns) -> (b, c, rows times, columns times)
        return functional.pixel_shuffle(large.flatten(1, 2), self.times)
