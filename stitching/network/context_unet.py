"""The U-Net that extrapolates a warp to where nothing can be matched: outside the overlap and occluded pixels."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from stitching.network.backbone import SLOPE
from stitching.network.tensor_maps import halve, resize_like


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


class ContextUNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) whose receptive field is the whole window: 1/8 .. 1/64 of its size.

    Call: (b, before, rows, columns) -> (b, channels, rows, columns).
    """

    def __init__(self, before: int, channels: int, wide: int = 128) -> None:
        super().__init__()
        widths = channels, wide, wide, wide
        self.down = nn.ModuleList(_Block(a, b) for a, b in pairwise((before, *widths)))
        self.up = nn.ModuleList(_Block(a + b, a) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, rows, columns) -> (b, channels, rows, columns)."""
        skips = []
        for level, block in enumerate(self.down):
            x = block(halve(x) if level else x)
            skips.append(x)
        x = skips.pop()
        for block, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = block(torch.cat([skip, resize_like(x, skip)], dim=1))
        return x
