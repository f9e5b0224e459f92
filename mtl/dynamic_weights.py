"""Weights by how fast each task's loss falls, from epoch to epoch."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch

from mtl.strategy import Strategy
from mtl.weighting import Weighting


class DynamicWeights(Weighting):
    """Dynamic weight average (Liu, Johns & Davison, CVPR 2019), for losses above 0.

    The weights of K tasks are K softmax(r / temperature), r_t = mean loss of task t in the last epoch / that in the
    epoch before: tasks whose loss falls slowly get more. All are 1 in the first two epochs. r_t is 1 where the earlier
    mean is not above 0.

    epoch: batches in an epoch.
    Raises ValueError where `epoch` is below 1, or `temperature` is not above 0 and finite.
    """

    def __init__(self, inner: Strategy, epoch: int, temperature: float = 2.0) -> None:
        super().__init__(inner)
        if epoch < 1:
            raise ValueError(f"epoch of {epoch} batches: expected 1 or more")
        if not (isfinite(temperature) and temperature > 0):
            raise ValueError(f"temperature {temperature}: expected a finite number above 0")
        self._epoch, self._temperature = epoch, temperature
        self._batches = 0  # of this epoch so far
        self._sums = [0.0] * len(inner.tasks)  # of this epoch's losses
        self._means: list[list[float]] = []  # of the last two epochs, the earlier one first

    @property
    def weights(self) -> Mapping[str, float]:
        """Those of this epoch."""
        if len(self._means) < 2:
            return dict.fromkeys(self.tasks, 1.0)
        before, last = self._means
        rates = [new / old if old > 0 else 1.0 for new, old in zip(last, before, strict=True)]
        shares = torch.softmax(torch.tensor(rates, dtype=torch.float64) / self._temperature, dim=0)
        return dict(zip(self.tasks, (len(rates) * shares).tolist(), strict=True))

    def learn(self, losses: Mapping[str, float]) -> None:
        """Add to this epoch's means; the weights change when it ends."""
        self._sums = [total + losses[task] for task, total in zip(self.tasks, self._sums, strict=True)]
        self._batches += 1
        if self._batches == self._epoch:
            self._means = [*self._means[-1:], [total / self._epoch for total in self._sums]]
            self._batches, self._sums = 0, [0.0] * len(self.tasks)

    def settings(self) -> dict[str, Any]:
        """Length of an epoch and temperature."""
        return {"kind": "dynamic", "epoch": self._epoch, "temperature": self._temperature}

    def learned(self) -> dict[str, Any]:
        """The means of the last epochs and the sums of this one."""
        return {"batches": self._batches, "sums": self._sums, "means": self._means}

    def take_over(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned` gave."""
        self._batches, self._sums, self._means = learned["batches"], learned["sums"], learned["means"]
