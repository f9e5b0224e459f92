"""Homographies that place pairs of pictures on windows, as batches of matrices.

Points are px; (0, 0) is the centre of the first pixel. All matrices are (b, 3, 3) float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stitching.geometry.pixel_maps import Size


@dataclass(frozen=True, eq=False)
class WindowTransforms:
    """Where the two pictures of b pairs lie on their windows.

    A matrix maps what its picture shows with a positive third coordinate; what has none is beyond the horizon.
    """

    reference: Tensor  # (b, 3, 3) reference px -> window px
    target: Tensor  # (b, 3, 3) target px -> window px


def move(points: Tensor, matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Points (b, n, 2) under homographies (b, 3, 3), and (b, n) their third coordinate, positive before the horizon."""
    moved = points.to(matrices) @ matrices[:, :, :2].mT + matrices[:, None, :, 2]  # (b, n, 3)
    depth = moved[..., 2]
    return moved[..., :2] / torch.where(depth.abs() > 1e-9, depth, 1e-9)[..., None], depth


def corners_of(size: Size, like: Tensor) -> Tensor:
    """(4, 2) the corners of a picture of (width, height) px: half a pixel beyond the outer pixels' centres."""
    w, h = size
    return like.new_tensor([[0, 0], [w, 0], [w, h], [0, h]]) - 0.5


def translation(shift: Tensor) -> Tensor:
    """(b, 3, 3) that move points by shifts (b, 2) px."""
    matrices = torch.eye(3, dtype=shift.dtype, device=shift.device).repeat(len(shift), 1, 1)
    matrices[:, :2, 2] = shift
    return matrices


def turn_and_scale(angle: Tensor, scale: Tensor) -> Tensor:
    """(b, 3, 3) that turn about (0, 0) by angles (b,) radians, from x to y, and enlarge by scales (b,)."""
    cosine, sine, zero, one = scale * angle.cos(), scale * angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = [cosine, -sine, zero, sine, cosine, zero, zero, zero, one]
    return torch.stack(rows, 1).view(-1, 3, 3)  # (b, 9) -> (b, 3, 3)


def fit_affine(points: Tensor, matches: Tensor, weight: Tensor) -> Tensor:
    """(b, 3, 3) float64, the affine maps of points (b, n, 2) that lie nearest to matches (b, n, 2) on the mean.

    weight: (b, n) >= 0. Least squares of the distances; where nothing has a weight, everything goes to (0, 0).
    """
    ones = torch.ones_like(points[..., :1])
    middle = points.double().mean(1, keepdim=True)
    left = torch.cat([(points.double() - middle) / 100, ones.double()], 2)  # (b, n, 3)
    weighted = left.mT * weight.double()[:, None]
    ridge = 1e-9 * torch.eye(3, dtype=left.dtype, device=left.device)
    linear = torch.linalg.solve(weighted @ left + ridge, weighted @ matches.double()).mT  # (b, 2, 3)
    affine = torch.eye(3, dtype=left.dtype, device=left.device).repeat(len(left), 1, 1)
    affine[:, :2, :2] = linear[:, :, :2] / 100
    affine[:, :2, 2] = linear[:, :, 2] - (affine[:, :2, :2] @ middle.mT)[:, :, 0]
    return affine


def is_sane(homographies: Tensor, size: Size) -> Tensor:
    """(b,) whether a picture of (width, height) px stays convex, in front of the horizon, and within 5 x its area."""
    moved, depth = move(corners_of(size, homographies).expand(len(homographies), 4, 2), homographies)
    sides = moved.roll(-1, 1) - moved
    turned = sides[..., 0] * sides.roll(-1, 1)[..., 1] - sides[..., 1] * sides.roll(-1, 1)[..., 0]
    x, y = moved.unbind(2)
    area = (x * y.roll(-1, 1) - x.roll(-1, 1) * y).sum(1) / 2 / (size[0] * size[1])
    return (depth > 0.2).all(1) & (turned > 0).all(1) & (area > 0.2) & (area < 5)


def from_corners(corners: Tensor, moved: Tensor) -> Tensor:
    """The homographies (b, 3, 3) that move four corners (b, 4, 2) to others exactly; their last entry is 1."""
    (x, y), (u, v) = corners.unbind(2), moved.unbind(2)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    first = torch.stack([x, y, one, zero, zero, zero, -x * u, -y * u], 2)
    second = torch.stack([zero, zero, zero, x, y, one, -x * v, -y * v], 2)
    solution = torch.linalg.solve(torch.cat([first, second], 1), torch.cat([u, v], 1))
    return torch.cat([solution, torch.ones_like(solution[:, :1])], 1).view(-1, 3, 3)  # (b, 9) -> (b, 3, 3)
