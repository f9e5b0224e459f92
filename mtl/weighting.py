"""Strategies that multiply each task's loss with a weight, then leave the update to another strategy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, Losses, Updates, check_names
from mtl.strategy import Decision, Strategy, check_state


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

    def step(self, closure: Closure, updates: Updates, instances: Tensor | None = None) -> Decision:
        """As Strategy.step; the weights stay the same within a step."""
        weights = dict(self.weights)

        def weighted(tasks: Sequence[str]) -> Losses:
            losses = closure(tasks)
            return {task: loss * weights.get(task, 1.0) for task, loss in losses.items()}

        made = self.inner.step(weighted, updates, instances)
        losses = {task: made.losses[task] / weights[task] if weights[task] else 0.0 for task in self.tasks}
        self.learn(losses)
        return replace(made, losses=losses, weights={task: weights[task] * made.weights[task] for task in self.tasks})

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports; the weights are in every Decision."""
        return self.inner.report()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a resumed run must have in common: "kind" and options."""

    def learned(self) -> dict[str, Any]:
        """What a resumed run takes over."""
        return {}

    def take_over(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned` gave."""
        del learned

    def state_dict(self) -> dict[str, Any]:
        """As Strategy.state_dict."""
        common = {**self.settings(), "tasks": list(self.tasks)}
        return {**common, "learned": self.learned(), "inner": self.inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, **self.settings(), tasks=list(self.tasks))
        self.inner.load_state_dict(state["inner"])
        self.take_over(state["learned"])


class StaticWeights(Weighting):
    """Weights that stay.

    Raises ValueError where `weights` has other names than the inner strategy's tasks or holds a number that is not
    above 0 and finite.
    """

    def __init__(self, inner: Strategy, weights: Mapping[str, float]) -> None:
        super().__init__(inner)
        check_names(inner.tasks, weights, "weights")
        for task, weight in weights.items():
            if not (isfinite(weight) and weight > 0):
                raise ValueError(f"weight {weight} of task {task!r}: expected a finite number above 0")
        self._weights = {task: float(weights[task]) for task in inner.tasks}

    @property
    def weights(self) -> Mapping[str, float]:
        """As given."""
        return self._weights

    def settings(self) -> dict[str, Any]:
        """The weights."""
        return {"kind": "static", "weights": dict(self._weights)}
