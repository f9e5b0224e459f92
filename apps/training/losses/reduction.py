"""From errors at pixels to a scalar loss."""

import torch
from torch import Tensor

_MIN_WEIGHT = 1e-6  # summed weight below which the mean goes to 0

Terms = dict[str, Tensor]  # name of a loss -> (); losses of each example alone: (b,)


def precise(values: Tensor) -> Tensor:
    """The values in float32; float64 stays float64."""
    return values if values.dtype == torch.float64 else values.float()


def weighted_mean(errors: Tensor, weights: Tensor) -> Tensor:
    """Mean () of errors under weights >= 0 that broadcast to them; 0, with gradient 0, where all weights are 0."""
    return (errors * weights).sum() / weights.expand_as(errors).sum().clamp_min(_MIN_WEIGHT)


def rounded_root(squares: Tensor, width: float) -> Tensor:
    """sqrt(s + width^2) - width, exactly 0 at 0: the square root with a finite slope at 0."""
    return squares / ((squares + width**2).sqrt() + width)


def charbonnier(values: Tensor, width: float) -> Tensor:
    """sqrt(v^2 + width^2) - width: |v|, smooth within about `width` of 0 (after Charbonnier et al. 1994)."""
    return rounded_root(values.square(), width)
