"""Pixel maps as tensors (b, c, h, w); pixel (0, 0) is the centre of the first pixel.

Exported graphs contain these functions, so none may make a constant of the size that was traced (kornia's
create_meshgrid does).
"""

import torch
from torch import Tensor
from torch.nn import functional

PUSH_PULL_LEVELS = 10  # enough for 1024 cells, a window of 4096 px at a quarter of its size


def pixel_xy(like: Tensor) -> Tensor:
    """Positions x, y (1, 2, h, w) px of the pixels of (..., h, w), in its type and on its device."""
    h, w = like.shape[-2:]
    x = torch.arange(w, dtype=like.dtype, device=like.device).expand(h, w)
    y = torch.arange(h, dtype=like.dtype, device=like.device)[:, None].expand(h, w)
    return torch.stack([x, y])[None]


def halve(x: Tensor) -> Tensor:
    """(b, c, ceil(h / 2), ceil(w / 2)): means of 2 x 2 pixels."""
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def resize_like(x: Tensor, like: Tensor) -> Tensor:
    """Interpolate (b, c, h, w) linearly to the size of `like`; values are not scaled."""
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def push_pull(field: Tensor, known: Tensor) -> Tensor:
    """Fill unknown values smoothly from known ones: push-pull interpolation (Gortler et al. 1996, section 3.4).

    As `stitching.geometry.pixel_maps.push_pull`, with means of 2 x 2 pixels in the place of a Gaussian pyramid, which
    the networks were trained with, and with gradients. The number of levels is fixed, so that exported graphs do not
    depend on the size: pixels further than 2^PUSH_PULL_LEVELS from any known one become 0.

    Args:
        field: (b, c, h, w).
        known: (b, 1, h, w) weights 0 .. 1; where 1 the field does not change.
    """
    levels = []
    for _ in range(PUSH_PULL_LEVELS):
        levels.append((field, known))
        weight = halve(known)
        field = halve(field * known) / weight.clamp_min(1e-6)
        known = (4 * weight).clamp_max(1)  # a coarse pixel is known where a quarter of its fine pixels are
    for fine, weight in reversed(levels):
        field = weight * fine + (1 - weight) * resize_like(field, fine)
    return field
