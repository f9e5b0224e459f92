"""Extending a warp from where it is known to where nothing can be matched: NOV and what is hidden."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.network.backbone import SLOPE

LEVELS = 10  # of push-pull: enough for 1024 cells, a window of 4096 px at a quarter of its size


def push_pull(field: Tensor, known: Tensor) -> Tensor:
    """Fill the unknown smoothly from the known: push-pull interpolation (Gortler et al. 1996, section 3.4).

    The number of levels does not depend on the size, so that the graph does not: what lies further than 2^LEVELS
    from anything known, in either direction, becomes 0.

    Args:
        field: (b, c, h, w).
        known: (b, 1, h, w) 0 .. 1; where 1 the field stays as it is.
    """
    levels = []
    for _ in range(LEVELS):
        levels.append((field, known))
        weight = _halved(known)
        field = _halved(field * known) / weight.clamp_min(1e-6)
        known = (4 * weight).clamp_max(1)  # a quarter of known pixels is enough to know the coarse one
    for fine, share in reversed(levels):
        field = share * fine + (1 - share) * _enlarged(field, fine)
    return field


class _Block(nn.Module):
    """Two convolutions, normalised by groups of channels (Wu & He 2018): batches may be of one."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, channels, 3, 1, 1),
            nn.GroupNorm(8, channels),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.GroupNorm(8, channels),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, h, w) -> (b, channels, h, w)."""
        result: Tensor = self.layers(x)
        return result


class Extension(nn.Module):
    """A U-Net (Ronneberger et al. 2015) that looks at the whole window at 1/8 .. 1/64 of its size.

    Call: (b, before, rows, columns) -> (b, channels, rows, columns).
    """

    def __init__(self, before: int, channels: int, wide: int = 128) -> None:
        super().__init__()
        widths = channels, wide, wide, wide
        self.down = nn.ModuleList(_Block(a, b) for a, b in pairwise((before, *widths)))
        self.up = nn.ModuleList(_Block(a + b, a) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Features that know what lies far away."""
        skips = []
        for number, block in enumerate(self.down):
            x = block(_halved(x) if number else x)
            skips.append(x)
        x = skips.pop()
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([skip, _enlarged(x, skip)], dim=1))
        return x


def _halved(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)
