"""Fixed task weights."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from mtl.optimization import check_names
from mtl.strategy import Strategy
from mtl.weightings.weighting import TaskWeighting


class StaticWeights(TaskWeighting):
    """Fixed weights, one number a task.

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
