"""The plain sum of the losses: ordinary training, the baseline of all other strategies."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater, check_names
from mtl.strategy import StepResult, Strategy, check_tasks, check_whole


class EqualWeights(Strategy):
    """One forward pass, one backward pass of the summed losses, one update.

    updates: repeat that so often on each batch: the control for strategies that move the parameters several times.
    Raises ValueError where there is no task, one is named twice, or `updates` is no whole number, 1 or above.
    """

    def __init__(self, tasks: Sequence[str], updates: int = 1) -> None:
        self.tasks, self._updates = check_tasks(tasks), check_whole("updates", updates, 1)

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        losses, norms = updater.update(closure, self.tasks)
        for _ in range(self._updates - 1):
            _, norms = updater.update(closure, self.tasks)
        return StepResult(losses, dict.fromkeys(self.tasks, 1.0), norms, (self.tasks,) * self._updates)

    def settings(self) -> dict[str, Any]:
        """The number of updates."""
        return {"kind": "equal", "updates": self._updates}
