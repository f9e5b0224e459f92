"""The volume of logits of all cells matching all: its best matches, and looking up its values."""

import torch
from torch import Tensor
from torch.nn import functional

from stitching.network.tensor_maps import pixel_xy

CELL = 8  # px of the window, side of a cell of the volume
RADIUS = 4  # cells around a position that are looked up
LEVELS = 2  # of looking up: cells, and twice as large ones
BEST_RADIUS = 2  # cells around the best match over which its position is averaged
NO_MATCH = -1e4  # logit of what cannot be a match; finite in half precision


def best_match(logits: Tensor, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """The best match of every target cell.

    Args:
        logits: (b, n, n + 1) as `CellMatching` gives them.
        rows, columns: of the cells; n = rows * columns.

    Returns:
        Displacement (b, 2, rows, columns), cells, times the confidence; confidence (b, 1, rows, columns) 0 .. 1, the
        probability within `BEST_RADIUS` cells of the most probable one. The position is the mean over these cells, to
        a fraction of a cell.
    """
    probability = logits.float().softmax(2)[..., :-1]  # (b, n, n)
    cells = pixel_xy(probability.new_empty(rows, columns)).flatten(2)[0].T  # (n, 2)
    best = cells[probability.argmax(2)]  # (b, n, 2)
    x, y = (torch.arange(length, device=best.device) for length in (columns, rows))
    near_x = (x - best[..., :1]).abs() <= BEST_RADIUS  # (b, n, columns)
    near_y = (y - best[..., 1:]).abs() <= BEST_RADIUS  # (b, n, rows)
    # (b, n, n) -> (b, n, rows, columns); no matrix product, which mixed precision would round to half a pixel
    probability = probability.reshape(*probability.shape[:2], rows, columns)
    probability = probability * (near_y[..., :, None] & near_x[..., None, :])
    confidence = probability.sum((2, 3))[..., None]  # (b, n, 1)
    sums = torch.stack([(probability.sum(2) * x).sum(2), (probability.sum(3) * y).sum(2)], dim=2)  # (b, n, 2)
    displacement = (sums / confidence.clamp_min(1e-6) - cells) * confidence
    as_grid = (logits.shape[0], -1, rows, columns)  # (b, n, c) -> (b, c, rows, columns)
    return displacement.transpose(1, 2).reshape(as_grid), confidence.transpose(1, 2).reshape(as_grid)


class Lookup:
    """Logits around the positions that a displacement leads to (Teed & Deng 2020, RAFT, section 3.2)."""

    def __init__(self, logits: Tensor, rows: int, columns: int) -> None:
        """`logits` as `CellMatching` gives them."""
        self._size = len(logits), rows, columns
        volume = logits[..., :-1].clamp_min(-20).reshape(-1, 1, rows, columns)  # (b, n, n) -> (b n, 1, rows, columns)
        self._levels = [volume]
        for _ in range(LEVELS - 1):
            self._levels.append(functional.avg_pool2d(self._levels[-1], 2, ceil_mode=True))
        side = torch.arange(-RADIUS, RADIUS + 1, device=logits.device, dtype=torch.float32)
        self._offsets = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1)  # (2 r + 1, 2 r + 1, 2)

    def __call__(self, displacement: Tensor) -> Tensor:
        """(b, LEVELS (2 RADIUS + 1)^2, rows, columns) of displacements (b, 2, rows, columns), cells."""
        b, rows, columns = self._size
        displacement = displacement.float()
        positions = pixel_xy(displacement) + displacement
        positions = positions.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)  # (b, 2, rows, columns) -> (b n, 1, 1, 2)
        found = []
        for level, volume in enumerate(self._levels):
            half_size = positions.new_tensor([volume.shape[3], volume.shape[2]]) / 2
            # grid_sample without align_corners: -1 and 1 are the outer edges of the first and last cell
            grid = ((positions + 0.5) / 2**level + self._offsets) / half_size - 1
            sampled = functional.grid_sample(volume, grid, align_corners=False)
            found.append(sampled.reshape(b, rows, columns, -1))  # (b n, 1, k, k) -> (b, rows, columns, k k)
        return torch.cat(found, dim=3).permute(0, 3, 1, 2)
