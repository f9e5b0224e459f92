"""The moving average of a network's weights: it stitches better than the last weights, and is what a user gets."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged_model(network: nn.Module, decay: float) -> AveragedModel:
    """Exponential moving average of the parameters of a module; its buffers are copied.

    Each update moves the average to d * average + (1 - d) * weights with d = min(decay, n / (9 + n)), n = 1, 2, ...:
    at first it follows quickly, so that the random initial weights are soon forgotten.

    Args:
        network: the average starts from its weights.
        decay: 0 .. 1, 1 excluded.
    """

    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor | int) -> None:
        share = 1 - min(decay, int(count) / (9 + int(count)))
        torch._foreach_lerp_(list(averages), list(weights), share)

    model = AveragedModel(network, multi_avg_fn=update)
    model.n_averaged.fill_(1)  # the initial weights; with 0, the first update would copy
    return model
