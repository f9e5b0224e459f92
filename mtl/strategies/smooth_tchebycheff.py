"""Smooth Tchebycheff scalarization: the task that is worst off counts most (Lin et al., ICML 2024)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater
from mtl.strategies.scalarization import Scalarization, positive
from mtl.strategy import check_number, check_whole


class SmoothTchebycheff(Scalarization):
    """STCH, a smooth maximum of the tasks' relative losses, as in its authors' multi-task experiments.

    After a warm-up the gradient of

        mu log sum_k exp(log(L_k / r_k) / mu)

    moves the parameters, with equal preferences for the tasks. r_k is the mean loss of the task in the last epoch of
    the warm-up. The smaller `mu`, the more the largest relative loss counts alone; mu = 1 makes it log sum_k L_k / r_k,
    which has fixed weights, 1 / r_k. During the warm-up the parameters follow the gradient of the sum of log L_k.

    Ours is the scale: both gradients are multiplied by the mean M of the step's losses, a number without gradient, so
    that losses in any unit learn as fast as their plain sum. With p = softmax(log(L / r) / mu) the weight of loss k is
    K M p_k / L_k, in the warm-up M / L_k. AdamW, which does not see the scale, moves as with the authors' gradient.
    Losses are expected from 0 up; the step raises ValueError where one is below.
    """

    def __init__(self, tasks: Sequence[str], steps_per_epoch: int = 1, mu: float = 1.0, warm_up: int = 1) -> None:
        """Begin the warm-up.

        Args:
            tasks: one or more, each named once.
            steps_per_epoch: batches in an epoch.
            mu: above 0; 1 in the authors' code.
            warm_up: epochs, 1 or more; 5 in the authors' code, for trainings of 200.

        Raises ValueError where a number is not possible.
        """
        super().__init__(tasks)
        self._mu = check_number("mu", mu, lambda value: value > 0, "above 0")
        self._steps_per_epoch = check_whole("steps_per_epoch", steps_per_epoch, 1)
        self._warm_up = check_whole("warm_up", warm_up, 1)
        self._steps = 0
        self._sums = torch.zeros(len(self.tasks), dtype=torch.float64)  # of the losses in the last epoch of the warm-up

    def weigh(self, losses: Tensor) -> Tensor:
        """M / L_k in the warm-up, then K M p_k / L_k."""
        losses = positive(losses, self.tasks, "stch")
        weights = losses.mean() / losses
        if self._warming_up():
            return weights
        references = positive(self._sums / self._steps_per_epoch, self.tasks, "stch")
        relative = (losses / references).log()
        return len(losses) * torch.softmax((relative - relative.max()) / self._mu, 0) * weights

    def learn(self, losses: Tensor, closure: Closure, updater: ParameterUpdater) -> None:
        """Count the step, and in the last epoch of the warm-up add to the means."""
        if self._warming_up() and self._steps >= (self._warm_up - 1) * self._steps_per_epoch:
            self._sums += losses
        self._steps += 1

    def _warming_up(self) -> bool:
        return self._steps < self._warm_up * self._steps_per_epoch

    def report(self) -> Mapping[str, float]:
        """r_k as "reference loss/TASK", once it is known."""
        if self._warming_up():
            return {}
        means = (self._sums / self._steps_per_epoch).tolist()
        return {f"reference loss/{task}": mean for task, mean in zip(self.tasks, means, strict=True)}

    def phase(self) -> str:
        """The warm-up, or nothing."""
        return "warm-up" if self._warming_up() else ""

    def settings(self) -> dict[str, Any]:
        """mu and the length of the warm-up."""
        return {
            "kind": "stch", "steps_per_epoch": self._steps_per_epoch, "mu": self._mu, "warm_up": self._warm_up,
        }  # fmt: skip

    def learned_state(self) -> dict[str, Any]:
        """The number of steps, and the sums of losses that make r_k."""
        return {"steps": self._steps, "sums": self._sums.clone()}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._steps, self._sums = learned["steps"], learned["sums"].clone()
