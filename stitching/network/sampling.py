"""Reading maps between their pixels. Pixel centres lie at whole numbers."""

import torch
from torch import Tensor
from torch.nn import functional


def pixels(like: Tensor) -> Tensor:
    """Places x, y (1, 2, h, w) px of the pixels of (..., h, w), in its type and on its device."""
    h, w = like.shape[-2:]
    x = torch.arange(w, dtype=like.dtype, device=like.device).expand(h, w)
    y = torch.arange(h, dtype=like.dtype, device=like.device)[:, None].expand(h, w)
    return torch.stack([x, y])[None]


def sample(maps: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear values of maps (b, c, h, w) at places (b, 2, k, l) px, and which of those lie within the maps.

    Both of one floating type. Returns (b, c, k, l), the nearest border's value outside, and (b, 1, k, l) bool.
    """
    h, w = maps.shape[-2:]
    x, y = places.unbind(1)
    grid = torch.stack([x * (2 / (w - 1)) - 1, y * (2 / (h - 1)) - 1], dim=-1)
    values = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=True)
    within = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return values, within[:, None]


def sample_some(maps: Tensor, owner: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """As `sample`, for k sets of n places that each belong to one of the maps: cheap where the places are few.

    Args:
        maps: (b, c, h, w).
        owner: (k,) int64, 0 .. b - 1.
        places: (k, n, 2) x, y px.

    Returns:
        (k, n, c) values and (k, n) bool, within the map.
    """
    h, w = maps.shape[-2:]
    x, y = places.unbind(-1)
    left, top = x.detach().floor().clamp(0, w - 2).long(), y.detach().floor().clamp(0, h - 2).long()
    right_share = (x - left).clamp(0, 1)[..., None]
    lower_share = (y - top).clamp(0, 1)[..., None]
    image = owner[:, None]

    def row(number: Tensor) -> Tensor:
        return torch.lerp(maps[image, :, number, left], maps[image, :, number, left + 1], right_share)

    values = torch.lerp(row(top), row(top + 1), lower_share)
    return values, (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
