"""The base of strategies that multiply each task's loss with one weight."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, Losses, ParameterUpdater
from mtl.strategy import StepResult, Strategy, check_state


class Weighting(ABC):
    """A strategy over another one, `inner`, which gets the weighted losses: EqualWeights adds them up."""

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of the inner strategy."""
        return self.inner.tasks

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

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports; the weights are in every StepResult."""
        return self.inner.report()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a resumed run must have in common: "kind" and options."""

    def learned_state(self) -> dict[str, Any]:
        """What a resumed run takes over."""
        return {}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        del learned

    def state_dict(self) -> dict[str, Any]:
        """As Strategy.state_dict."""
        common = {**self.settings(), "tasks": list(self.tasks)}
        return {**common, "learned": self.learned_state(), "inner": self.inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, **self.settings(), tasks=list(self.tasks))
        self.inner.load_state_dict(state["inner"])
        self.load_learned_state(state["learned"])
