"""The plain sum of the losses: ordinary training, the baseline of all other strategies."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater, check_names
from mtl.strategy import StepResult, check_state, check_tasks


class EqualWeights:
    """One forward pass, one backward pass of the summed losses, one update.

    updates: repeat that so often on each batch: the control for strategies that move the parameters several times.
    Raises ValueError where there is no task, one is named twice, or `updates` is below 1.
    """

    def __init__(self, tasks: Sequence[str], updates: int = 1) -> None:
        if updates < 1:
            raise ValueError(f"updates {updates}: expected 1 or more")
        self.tasks, self._updates = check_tasks(tasks), updates

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        losses, norms = updater.update(closure, self.tasks)
        for _ in range(self._updates - 1):
            _, norms = updater.update(closure, self.tasks)
        return StepResult(losses, dict.fromkeys(self.tasks, 1.0), norms, (self.tasks,) * self._updates)

    def report(self) -> Mapping[str, float]:
        """Empty: nothing is learned."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The tasks and the number of updates."""
        return {"kind": "equal", "tasks": list(self.tasks), "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the saved run was trained like this one; ValueError where not."""
        check_state(state, **self.state_dict())
