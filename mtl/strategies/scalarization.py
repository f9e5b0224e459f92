"""Strategies that follow the gradient of one number made of the losses: its base, random weights, geometric mean."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater, check_names, sum_losses
from mtl.strategy import StepResult, Strategy, check_tasks, check_whole, step_generator

SMALLEST_LOSS = 1e-8  # added to losses of which a logarithm is taken, as the authors of FAMO do


class Scalarization(Strategy):
    """One update along the gradient of a function s(L_1, ..., L_K), in one forward and one backward pass.

    That gradient is a weighted sum of the losses' gradients, with the weights ds / dL_k at the losses of this step. The
    weights act on the tasks' own parameters, too. They are computed from the losses averaged over processes, so that
    all processes have the same. They are scaled so that K equal losses move the network as their sum does, in any
    unit: learning rates and clipping carry over from plain training.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = check_tasks(tasks)

    @abstractmethod
    def weigh(self, losses: Tensor) -> Tensor:
        """What each loss is multiplied with in this step, (tasks,) float64; losses: (tasks,) float64."""

    def learn(self, losses: Tensor, closure: Closure, updater: ParameterUpdater) -> None:
        """Take over what a step has shown, after its update; losses: (tasks,) float64, before it."""
        del losses, closure, updater

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        updater.clear_gradients()
        losses, values = updater.compute_losses(closure, self.tasks)
        before = torch.tensor([values[task] for task in self.tasks], dtype=torch.float64)
        weights = dict(zip(self.tasks, self.weigh(before).tolist(), strict=True))
        updater.backward(sum_losses({task: loss * weights[task] for task, loss in losses.items()}, self.tasks))
        norms = updater.apply_gradients(self.tasks)
        self.learn(before, closure, updater)
        return StepResult(values, weights, norms, (self.tasks,))


class RandomWeights(Scalarization):
    """The sum of the losses with random weights, new in each step: K softmax(x), x_k standard normal.

    Random loss weighting (Lin et al., TMLR 2022, algorithm 2; there the weights sum to 1).

    Raises ValueError where the tasks are not such, or `seed` is no whole number, 0 or above.
    """

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks)
        self._seed, self._steps = check_whole("seed", seed), 0

    def weigh(self, losses: Tensor) -> Tensor:
        """They depend on the seed and the number of the step alone."""
        numbers = torch.randn(len(losses), generator=step_generator(self._seed, self._steps), dtype=torch.float64)
        return len(losses) * torch.softmax(numbers, 0)

    def learn(self, losses: Tensor, closure: Closure, updater: ParameterUpdater) -> None:
        """Count the step."""
        self._steps += 1

    def settings(self) -> dict[str, Any]:
        """Kind and seed."""
        return {"kind": "random", "seed": self._seed}

    def learned_state(self) -> dict[str, Any]:
        """The number of steps."""
        return {"steps": self._steps}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._steps = learned["steps"]


class GeometricMean(Scalarization):
    """K times the geometric mean of the losses (MultiNet++: Chennupati et al., CVPR workshops 2019; there without K).

    Its gradient has the weights G / L_k, G being the mean: a task whose loss halves moves the others as before.
    Losses are expected from 0 up; the step raises ValueError where one is below.
    """

    def weigh(self, losses: Tensor) -> Tensor:
        """G / L_k."""
        losses = positive(losses, self.tasks, "geometric-mean")
        return losses.log().mean().exp() / losses

    def settings(self) -> dict[str, Any]:
        """The kind."""
        return {"kind": "geometric-mean"}


def positive(losses: Tensor, tasks: Sequence[str], method: str) -> Tensor:
    """`losses`, (tasks,), with what keeps a logarithm finite; ValueError where one is below 0."""
    for task, loss in zip(tasks, losses.tolist(), strict=True):
        if loss < 0:
            raise ValueError(f"loss of task {task!r} is {loss}; {method} takes logarithms, it needs losses from 0 up")
    return losses + SMALLEST_LOSS
