"""Values of maps between their pixels; pixel (0, 0) is the centre of the first pixel."""

import torch
from kornia.geometry.transform import remap
from torch import Tensor


def sample(maps: Tensor, xy: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear values of maps, the nearest border's value outside.

    Args:
        maps: (b, c, h, w).
        xy: (b, 2, k, l) px, of the type of the maps.

    Returns:
        (b, c, k, l) values and (b, 1, k, l) bool, within the map.
    """
    h, w = maps.shape[-2:]
    x, y = xy.unbind(1)
    values = remap(maps, x, y, mode="bilinear", padding_mode="border", align_corners=True)
    within = (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
    return values, within[:, None]


def sample_points(maps: Tensor, owner: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """As `sample`, for k sets of n points that each belong to one of the maps: no map is copied for each set.

    Args:
        maps: (b, c, h, w).
        owner: (k,) int64, 0 .. b - 1.
        points: (k, n, 2) x, y px.

    Returns:
        (k, n, c) values and (k, n) bool, within the map.
    """
    h, w = maps.shape[-2:]
    x, y = points.unbind(-1)
    left, top = x.detach().floor().clamp(0, w - 2).long(), y.detach().floor().clamp(0, h - 2).long()
    right_weight = (x - left).clamp(0, 1)[..., None]
    lower_weight = (y - top).clamp(0, 1)[..., None]
    image = owner[:, None]

    def row(y_index: Tensor) -> Tensor:
        return torch.lerp(maps[image, :, y_index, left], maps[image, :, y_index, left + 1], right_weight)

    values = torch.lerp(row(top), row(top + 1), lower_weight)
    return values, (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
