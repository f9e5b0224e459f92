"""Parallax: the residual between two views after the best homography.

kornia's homography fits minimise an algebraic error by one SVD a view; here thousands of candidate views are fitted
at once, robustly, from 8 x 8 normal equations.
"""

import torch
from torch import Tensor

_HUBER = 0.5  # px at 512 px width: residuals below it count squared, above it by their size
_ITERATIONS = 6
_MIN_MATCHES = 8


def homography_residual(points: Tensor, matches: Tensor, weight: Tensor, width: int) -> Tensor:
    """Distance of every match from where the view's best homography maps its point, in px of a 512 px wide picture.

    Arguments as for `fit_homographies`. Returns (v, q) residuals, also where the weight is 0. Views with fewer than 8
    matches get 0.
    """
    _, residual = _fit(points, matches, weight, width)
    return residual


def fit_homographies(points: Tensor, matches: Tensor, weight: Tensor, width: int) -> Tensor:
    """(v, 3, 3) the homographies that map points to matches best, in px; (width / 2, width / 2) has third coordinate 1.

    They minimise the mean distance (iteratively reweighted least squares): where most pixels lie on a plane it fits
    that plane, and the residual of other surfaces is their parallax.

    Args:
        points: (v, q, 2) px in one view.
        matches: (v, q, 2) px in the other.
        weight: (v, q) 1 where the match counts, 0 where not. Fewer than 4 matches determine nothing: such views get
            any homography.
        width: of the pictures, px.
    """
    homographies, _ = _fit(points, matches, weight, width)
    scale = width / 2
    to_px = points.new_tensor([[scale, 0, scale], [0, scale, scale], [0, 0, 1]])
    in_px: Tensor = to_px @ homographies @ torch.linalg.inv(to_px)
    return in_px


def _fit(points: Tensor, matches: Tensor, weight: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The homographies (v, 3, 3) of points and matches divided by half the width, and the residuals (v, q)."""
    scale = width / 2
    a = (points - scale) / scale
    b = (matches - scale) / scale
    weight = weight.to(a)
    too_few = weight.sum(1) < _MIN_MATCHES
    share = weight.clone()
    residual = torch.zeros_like(weight)
    denominator = torch.ones_like(weight)
    first = torch.cat([a, torch.ones_like(a[..., :1])], 2).transpose(1, 2).contiguous()  # (v, 3, q)
    u, v = b.unbind(2)
    for _ in range(_ITERATIONS):
        homographies = _solve(first, u, v, share / denominator.square())
        moved = homographies @ first
        denominator = moved[:, 2].abs().clamp_min(0.05)
        residual = torch.hypot(moved[:, 0] / denominator - u, moved[:, 1] / denominator - v) * 256
        share = weight / residual.clamp_min(_HUBER)
    return homographies, torch.where(too_few[:, None], 0, residual)


def _solve(first: Tensor, u: Tensor, v: Tensor, weight: Tensor) -> Tensor:
    """(n, 3, 3) H with last entry 1: weighted least squares of (u, v, 1) ~ H first, cleared of its denominator.

    first: (n, 3, q) homogeneous; u, v, weight: (n, q).
    """

    def moments(values: Tensor) -> Tensor:
        return (first * values[:, None]) @ first.transpose(1, 2)

    one, by_u, by_v, by_both = (moments(weight * f) for f in (torch.ones_like(u), u, v, u * u + v * v))
    none = torch.zeros_like(one)
    left = torch.cat(
        [
            torch.cat([one, none, -by_u[..., :2]], 2),
            torch.cat([none, one, -by_v[..., :2]], 2),
            torch.cat([-by_u[:, :2], -by_v[:, :2], by_both[:, :2, :2]], 2),
        ],
        1,
    )
    right = torch.cat([by_u[..., 2], by_v[..., 2], -by_both[:, :2, 2]], 1)
    ridge = 1e-9 * left.diagonal(dim1=1, dim2=2).sum(1).clamp_min(1e-9)
    left = left + ridge[:, None, None] * torch.eye(8, dtype=first.dtype, device=first.device)
    solution = torch.linalg.solve(left, right)
    return torch.cat([solution, torch.ones_like(solution[:, :1])], 1).view(-1, 3, 3)  # (n, 9) -> (n, 3, 3)


def masked_quantiles(values: Tensor, mask: Tensor, shares: tuple[float, ...]) -> Tensor:
    """(v, len(shares)) quantiles of values (v, q) where mask, rounded down to a value; 0 where the mask is empty."""
    ordered = torch.where(mask, values, torch.inf).sort(1).values
    count = mask.sum(1, keepdim=True)
    index = ((count - 1).clamp_min(0) * values.new_tensor(shares)).long()
    found = ordered.gather(1, index)
    return torch.where(count > 0, found, 0)
