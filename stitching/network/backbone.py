"""The shared backbone: convolutions that every task uses, with a normalisation of its own for each task."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

QUARTER, EIGHTH = 64, 128  # channels of the features at 1/4 and 1/8 of the size
SLOPE = 0.1  # of the leaky rectifiers; with plain ones units died in training


@dataclass(frozen=True, eq=False)
class Features:
    """Features of pictures."""

    quarter: Tensor  # (b, QUARTER, h / 4, w / 4)
    eighth: Tensor  # (b, EIGHTH, h / 8, w / 8)

    def split(self) -> "tuple[Features, Features]":
        """The features of the first and of the second half of the batch."""
        (a, b), (c, d) = self.quarter.chunk(2), self.eighth.chunk(2)
        return Features(a, c), Features(b, d)


class TaskBatchNorm(nn.Module):
    """Task-conditional batch norm: statistics, scale and shift of its own for each task (Jeong & Yoon 2024).

    Call: x (b, c, h, w), name of the task -> (b, c, h, w).
    """

    def __init__(self, channels: int, tasks: Sequence[str]) -> None:
        super().__init__()
        self.norms = nn.ModuleDict({task: nn.BatchNorm2d(channels) for task in tasks})

    def forward(self, x: Tensor, task: str) -> Tensor:
        """x normalised with the statistics, scale and shift of `task`."""
        normalised: Tensor = self.norms[task](x)
        return normalised


class Residual(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016), at 1 / `stride` of the size."""

    def __init__(self, before: int, channels: int, stride: int, tasks: Sequence[str]) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.first_norm, self.second_norm = TaskBatchNorm(channels, tasks), TaskBatchNorm(channels, tasks)
        self.short = nn.Conv2d(before, channels, 1, stride, bias=False) if stride > 1 or before != channels else None

    def forward(self, x: Tensor, task: str) -> Tensor:
        """(b, before, h, w) -> (b, channels, h / stride, w / stride)."""
        y = functional.leaky_relu(self.first_norm(self.first(x), task), SLOPE)
        y = self.second_norm(self.second(y), task)
        return functional.leaky_relu(y + (x if self.short is None else self.short(x)), SLOPE)


class Backbone(nn.Module):
    """A small residual network (He et al. 2016) over a picture and its mask."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.stem = nn.Conv2d(4, 32, 7, 2, 3, bias=False)
        self.stem_norm = TaskBatchNorm(32, tasks)
        self.to_quarter = nn.ModuleList([Residual(32, QUARTER, 2, tasks), Residual(QUARTER, QUARTER, 1, tasks)])
        self.to_eighth = nn.ModuleList([Residual(QUARTER, EIGHTH, 2, tasks), Residual(EIGHTH, EIGHTH, 1, tasks)])

    def forward(self, picture: Tensor, valid: Tensor, task: str) -> Features:
        """Features of pictures (b, 3, h, w) BGR 0 .. 1 with masks (b, 1, h, w) 0 .. 1, normalised for `task`."""
        x = self.stem(torch.cat([(picture - 0.5) * 4 * valid, valid], dim=1))
        x = functional.leaky_relu(self.stem_norm(x, task), SLOPE)
        for block in self.to_quarter:
            x = block(x, task)
        quarter = x
        for block in self.to_eighth:
            x = block(x, task)
        return Features(quarter, x)
