"""Forward warping in torch, with gradients: pixels are put where the warp says, the most important on top.

`stitching.warping.splat` is the same interpolation in numpy, with another limit for holes.
kornia has no forward warping.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MIN_COVERAGE = 0.01  # of a pixel; where less has landed, the pixel is not valid
_MAX_IMPORTANCE_GAP = 40.0  # below the largest of a picture; e^-40 of a footprint is still a normal float32


@dataclass(frozen=True, eq=False)
class Splatted:
    """Splatted values on the pixels of the canvas, float32 (float64 where both values and displacement are)."""

    values: Tensor  # (b, c, h, w) weighted mean of what landed; 0 where coverage is below MIN_COVERAGE
    coverage: Tensor  # (b, 1, h, w) >= 0, sum of bilinear weights: 1 where pixels stay side by side, 0 in holes


def splat(values: Tensor, displacement: Tensor, importance: Tensor, valid: Tensor) -> Splatted:
    """Softmax splatting with bilinear footprints (Niklaus & Liu 2020, eq. 4-6).

    What lands on a canvas pixel weighs (bilinear footprint) * e^importance: of surfaces that meet, the one more
    important by d outweighs the other e^d times. Footprints on a pixel that sum to less than MIN_COVERAGE count
    as nothing, else the gradients, which go with 1 / coverage, would explode on the rims of holes.

    The importance counts from the largest of the picture's valid pixels, and what is more than 40 below it counts
    as 40 below: so a pixel that lands alone shows its own value whatever its importance.

    Args:
        values: (b, c, h, w), finite.
        displacement: (b, 2, h, w) px, x and y, finite; what lands outside the canvas is dropped.
        importance: (b, 1, h, w) finite, larger = nearer or more trusted = on top; only differences within a
            picture matter.
        valid: (b, 1, h, w) 0 or 1; pixels of 0 land nowhere.

    Everything but `valid` gets gradients. The result is the same each time on the CPU; on CUDA sums vary by rounding.
    """
    dtype = torch.promote_types(torch.promote_types(values.dtype, displacement.dtype), torch.float32)
    values, displacement = values.to(dtype), displacement.to(dtype)
    importance, valid = importance.to(dtype), valid.to(dtype)
    c = values.shape[1]
    largest = importance.detach().masked_fill(valid == 0, torch.finfo(dtype).min).amax((2, 3), keepdim=True)
    weight = (importance - largest).clamp(-_MAX_IMPORTANCE_GAP, 0.0).exp() * valid
    # Contribution of each pixel: its weighted values, its weight, its share of the coverage.
    contribution = torch.cat([values * weight, weight, valid], 1).flatten(2)  # (b, c + 2, h, w) -> (b, c + 2, h w)

    landed = _scatter(contribution, displacement)
    sums, total, coverage = landed[:, :c], landed[:, c : c + 1], landed[:, c + 1 :]
    covered = coverage >= MIN_COVERAGE
    mean = sums / torch.where(covered, total, 1)  # no gradient through what is not covered
    return Splatted(torch.where(covered, mean, 0), coverage)


def _scatter(contribution: Tensor, displacement: Tensor) -> Tensor:
    """Sums (b, c, h, w) of what lands on each pixel.

    Args:
        contribution: (b, c, h w) of each pixel, shared out over the four pixels around its new position.
        displacement: (b, 2, h, w) px.
    """
    (b, c, _), (h, w) = contribution.shape, displacement.shape[2:]
    wide = w + 3  # a frame, one pixel before and two after, takes in what lands outside
    columns = torch.arange(w, dtype=displacement.dtype, device=displacement.device)
    rows = torch.arange(h, dtype=displacement.dtype, device=displacement.device)[:, None]
    x = (displacement[:, 0] + columns).clamp(-1, w) + 1  # (b, h, w), of the framed canvas
    y = (displacement[:, 1] + rows).clamp(-1, h) + 1
    left, top = x.detach().floor(), y.detach().floor()
    right, lower = (x - left).flatten(1)[:, None], (y - top).flatten(1)[:, None]  # (b, h, w) -> (b, 1, h w), 0 .. 1
    cell = (top.long() * wide + left.long()).flatten(1)[:, None]  # (b, h, w) -> (b, 1, h w)
    landed = contribution.new_zeros(b, c, (h + 3) * wide)
    for step, footprint in (
        (0, (1 - lower) * (1 - right)),
        (1, (1 - lower) * right),
        (wide, lower * (1 - right)),
        (wide + 1, lower * right),
    ):
        landed = landed.scatter_add(2, (cell + step).expand(-1, c, -1), contribution * footprint)
    # (b, c, (h + 3) (w + 3)) -> (b, c, h, w), without the frame
    return landed.view(b, c, h + 3, wide)[:, :, 1 : h + 1, 1 : w + 1]
