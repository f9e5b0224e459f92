"""The base of strategies that multiply losses with weights and leave the update to another strategy."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, Losses, ParameterUpdater
from mtl.strategy import StepResult, Strategy


class Weighting(Strategy):
    """A strategy over another one, `inner`, which gets the weighted losses: EqualWeights adds them up."""

    def __init__(self, inner: Strategy) -> None:
        self.inner, self.tasks = inner, inner.tasks

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports; the weights are in every StepResult."""
        return self.inner.report()

    def phase(self) -> str:
        """That of the inner strategy."""
        return self.inner.phase()

    def state_dict(self) -> dict[str, Any]:
        """As Strategy.state_dict, with that of the inner strategy."""
        return {**super().state_dict(), "inner": self.inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        super().load_state_dict(state)
        self.inner.load_state_dict(state["inner"])


class TaskWeighting(Weighting):
    """Weights that are the same for all instances of a batch: one number for each task."""

    @property
    @abstractmethod
    def weights(self) -> Mapping[str, float]:
        """What the loss of each task is multiplied with in the next step."""

    def learn(self, losses: Mapping[str, float]) -> None:
        """Change the weights after a step. losses: by task, as they were in it, averaged over processes."""
        del losses

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step; the weights stay the same within a step."""
        weights = dict(self.weights)

        def weighted_closure(tasks: Sequence[str]) -> Losses:
            return {task: loss * weights.get(task, 1.0) for task, loss in closure(tasks).items()}

        result = self.inner.step(weighted_closure, updater, sample_ids)
        losses = {task: result.losses[task] / weights[task] if weights[task] else 0.0 for task in self.tasks}
        self.learn(losses)
        total_weights = {task: weights[task] * result.weights[task] for task in self.tasks}
        return replace(result, losses=losses, weights=total_weights)
