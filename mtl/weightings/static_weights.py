"""Fixed task weights."""

from collections.abc import Mapping
from typing import Any

from mtl.optimization import check_names
from mtl.strategy import Strategy, check_number
from mtl.weightings.weighting import TaskWeighting


class StaticWeights(TaskWeighting):
    """Fixed weights, one number a task.

    Raises ValueError where `weights` has other names than the inner strategy's tasks or holds a number that is not
    above 0 and finite.
    """

    def __init__(self, inner: Strategy, weights: Mapping[str, float]) -> None:
        super().__init__(inner)
        check_names(inner.tasks, weights, "weights")
        self._weights = {
            task: float(check_number(f"weight of task {task!r}", weights[task], lambda value: value > 0, "above 0"))
            for task in inner.tasks
        }

    @property
    def weights(self) -> Mapping[str, float]:
        """As given."""
        return self._weights

    def settings(self) -> dict[str, Any]:
        """The weights."""
        return {"kind": "static", "weights": dict(self._weights)}
