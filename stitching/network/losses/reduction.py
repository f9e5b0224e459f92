"""From errors at pixels to one number: what all losses share."""

import torch
from torch import Tensor

_LEAST = 1e-6  # summed weight that counts as none


def precise(values: Tensor) -> Tensor:
    """The same in float32; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def weighted_mean(errors: Tensor, weights: Tensor) -> Tensor:
    """Mean () of errors under weights >= 0 that broadcast to them; 0, with gradient 0, where all weights are 0."""
    return (errors * weights).sum() / weights.expand_as(errors).sum().clamp_min(_LEAST)


def rounded_root(squares: Tensor, width: float) -> Tensor:
    """sqrt(s + width^2) - width: the root with its steep start, `width` wide, rounded off; 0 at 0, exactly."""
    return squares / ((squares + width**2).sqrt() + width)


def charbonnier(values: Tensor, width: float) -> Tensor:
    """sqrt(v^2 + width^2) - width: |v| with its tip rounded off (after Charbonnier et al. 1994)."""
    return rounded_root(values.square(), width)
