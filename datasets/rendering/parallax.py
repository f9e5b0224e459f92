"""Parallax: what is left between two views when the best homography has moved one onto the other."""

import torch
from torch import Tensor

_SHARP = 0.5  # px at 512 px width: residuals below it count squared, above it by their size
_ROUNDS = 6


def homography_residual(places: Tensor, matches: Tensor, weight: Tensor, width: int) -> Tensor:
    """Distance of every match from where the pair's best homography puts it, in px of a 512 px wide picture.

    The homography minimises the mean distance (iteratively reweighted least squares), so a plane that most
    pixels lie on is met and what stands off it sticks out.

    Args:
        places: (v, q, 2) px in one view.
        matches: (v, q, 2) px in the other.
        weight: (v, q) 1 where the match counts, 0 where not.
        width: of the pictures, px.

    Returns:
        (v, q) residuals, of the uncounted too. Views with fewer than 8 matches get 0.
    """
    scale = width / 2
    a = (places - scale) / scale
    b = (matches - scale) / scale
    weight = weight.to(a)
    few = weight.sum(1) < 8
    share = weight.clone()
    residual = torch.zeros_like(weight)
    denominator = torch.ones_like(weight)
    first = torch.cat([a, torch.ones_like(a[..., :1])], 2).transpose(1, 2).contiguous()  # (v, 3, q)
    u, v = b.unbind(2)
    for _ in range(_ROUNDS):
        moved = _solve(first, u, v, share / denominator.square()) @ first
        denominator = moved[:, 2].abs().clamp_min(0.05)
        residual = torch.hypot(moved[:, 0] / denominator - u, moved[:, 1] / denominator - v) * 256
        share = weight / residual.clamp_min(_SHARP)
    return torch.where(few[:, None], 0, residual)


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
    """(v, len(shares)) quantiles of values (v, q) where mask, the nearest value below; 0 where none counts."""
    ordered = torch.where(mask, values, torch.inf).sort(1).values
    count = mask.sum(1, keepdim=True)
    at = ((count - 1).clamp_min(0) * values.new_tensor(shares)).long()
    found = ordered.gather(1, at)
    return torch.where(count > 0, found, 0)
