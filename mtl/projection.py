"""Taking the conflict out of gradients: two gradients conflict where their product is negative."""

from collections.abc import Sequence

import torch
from torch import Tensor


def project_on_priority(gradients: Sequence[Tensor], owners: Tensor) -> list[Tensor]:
    """Gradients of one shared layer without conflict with the top task of each group of channels.

    For each task i, on the channels that it owns: where the gradient g_j of another task has a negative product with
    g_i over these channels, g_j - (g_i g_j / |g_i|^2) g_i takes its place (Jeong & Yoon 2024, section 3.2, phase 2).

    Args:
        gradients: by task, each (out, ...).
        owners: (out,) int64, the place of each channel's top task.

    Returns:
        New tensors; the owner's part of each group is as it was.
    """
    projected = [gradient.clone() for gradient in gradients]
    for top, gradient in enumerate(gradients):
        channels = (owners == top).nonzero().flatten()
        kept = gradient[channels]
        length = kept.square().sum()
        for other, theirs in enumerate(gradients):
            if other == top:
                continue
            product = (kept * theirs[channels]).sum()
            if product < 0:
                projected[other][channels] = theirs[channels] - product / length * kept
    return projected


def project_pairwise(gradients: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """PCGrad (Yu et al. 2020, algorithm 1): each gradient is projected on every other one that it conflicts with.

    gradients: by task, of one shape. generator: of the random order in which the others are met.
    """
    projected = []
    for task, gradient in enumerate(gradients):
        moved = gradient.clone()
        for other in torch.randperm(len(gradients), generator=generator).tolist():
            product = (moved * gradients[other]).sum()
            if other != task and product < 0:
                moved -= product / gradients[other].square().sum() * gradients[other]
        projected.append(moved)
    return projected
