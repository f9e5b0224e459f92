"""Weights by how fast each task's loss falls, from epoch to epoch."""

from collections.abc import Mapping
from typing import Any

import torch

from mtl.strategy import Strategy, check_number, check_whole
from mtl.weightings.weighting import TaskWeighting


class DynamicWeights(TaskWeighting):
    """Dynamic weight average (Liu, Johns & Davison, CVPR 2019), for losses above 0.

    The weights of K tasks are K softmax(r / temperature), r_t = mean loss of task t in the last epoch / that in the
    epoch before: tasks whose loss falls slowly get more. All are 1 in the first two epochs. r_t is 1 where the earlier
    mean is not above 0.

    steps_per_epoch: batches in an epoch.
    Raises ValueError where `steps_per_epoch` is below 1, or `temperature` is not above 0 and finite.
    """

    def __init__(self, inner: Strategy, steps_per_epoch: int, temperature: float = 2.0) -> None:
        super().__init__(inner)
        self._steps_per_epoch = check_whole("steps_per_epoch", steps_per_epoch, 1)
        self._temperature = check_number("temperature", temperature, lambda value: value > 0, "above 0")
        self._steps = 0  # of this epoch so far
        self._sums = [0.0] * len(inner.tasks)  # of this epoch's losses
        self._epoch_means: list[list[float]] = []  # of the last two epochs, the earlier one first

    @property
    def weights(self) -> Mapping[str, float]:
        """Task weights of the current epoch, by task."""
        if len(self._epoch_means) < 2:
            return dict.fromkeys(self.tasks, 1.0)
        earlier, last = self._epoch_means
        ratios = torch.tensor(
            [new / old if old > 0 else 1.0 for new, old in zip(last, earlier, strict=True)], dtype=torch.float64
        )
        shares = torch.softmax((ratios - ratios.max()) / self._temperature, dim=0)
        return dict(zip(self.tasks, (len(ratios) * shares).tolist(), strict=True))

    def learn(self, losses: Mapping[str, float]) -> None:
        """Add to this epoch's means; the weights change when it ends."""
        self._sums = [total + losses[task] for task, total in zip(self.tasks, self._sums, strict=True)]
        self._steps += 1
        if self._steps == self._steps_per_epoch:
            self._epoch_means = [*self._epoch_means[-1:], [total / self._steps_per_epoch for total in self._sums]]
            self._steps, self._sums = 0, [0.0] * len(self.tasks)

    def settings(self) -> dict[str, Any]:
        """Length of an epoch and temperature."""
        return {"kind": "dynamic", "steps_per_epoch": self._steps_per_epoch, "temperature": self._temperature}

    def learned_state(self) -> dict[str, Any]:
        """The means of the last epochs and the sums of this one."""
        return {"steps": self._steps, "sums": self._sums, "means": self._epoch_means}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._steps, self._sums = learned["steps"], learned["sums"]
        self._epoch_means = learned["means"]
