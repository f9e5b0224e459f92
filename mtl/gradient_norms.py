"""Weights that make the tasks' gradients of the shared parameters equally long."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from mtl.optimization import Closure, Gradients, Updates, add_gradients, check_names
from mtl.strategy import Decision, check_state, check_tasks


class EqualGradientNorms:
    """What GradNorm (Chen et al., ICML 2018) seeks by learning the weights, held exactly in each step.

    The weight of a task's loss is chosen so that its gradient of the shared parameters gets the length c r_t^alpha;
    c makes the K weights sum to K. r_t is the inverse training rate: loss / loss in the first step, divided by the
    mean of that over the tasks. As GradNorm's, the weights multiply the whole loss, so they act on the tasks' own
    parameters too; unlike there the length is that over all shared parameters, not over the last shared layer.
    A task whose gradient is 0 gets weight 1. One forward pass, one backward pass for each task.

    alpha: how much longer the gradients of slower tasks are made, 0 or above; 0: all are equally long. Above 0 the
        losses are expected above 0; one that was not in the first step counts as unchanged, one that no longer is as 0.
    Raises ValueError where there is no task, one is named twice, or `alpha` is below 0 or not finite.
    """

    def __init__(self, tasks: Sequence[str], alpha: float = 0.0) -> None:
        if not (isfinite(alpha) and alpha >= 0):
            raise ValueError(f"alpha {alpha}: expected a finite number, 0 or above")
        self.tasks, self._alpha = check_tasks(tasks), alpha
        self._first: dict[str, float] = {}  # losses of the first step

    def step(self, closure: Closure, updates: Updates, instances: Tensor | None = None) -> Decision:
        """As Strategy.step."""
        check_names(self.tasks, updates.parameters.tasks, "parameters")
        found, losses = updates.gradients(closure, [[task] for task in self.tasks])
        first = self._first or losses
        lengths = _lengths(found, len(updates.parameters.shared))
        weights = self._weigh(dict(zip(self.tasks, lengths, strict=True)), _rates(losses, first))
        scaled = zip(found, weights.values(), strict=True)
        updates.put(add_gradients([[None if g is None else g * weight for g in some] for some, weight in scaled]))
        norms = updates.apply(self.tasks)
        self._first = first
        return Decision(losses, weights, norms, (self.tasks,))

    def _weigh(self, lengths: Mapping[str, float], rates: Mapping[str, float]) -> dict[str, float]:
        """Weights by task, sum K."""
        wanted = {task: rates[task] ** self._alpha / length for task, length in lengths.items() if length > 0}
        total = sum(wanted.values())
        return {task: wanted[task] * len(wanted) / total if task in wanted and total else 1.0 for task in lengths}

    def report(self) -> Mapping[str, float]:
        """Nothing is learned; the weights are in every Decision."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """The tasks, alpha, and the losses of the first step."""
        common = {"kind": "gradient-norms", "tasks": list(self.tasks), "alpha": self._alpha}
        return {**common, "first": dict(self._first)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, "gradient-norms", tasks=list(self.tasks), alpha=self._alpha)
        self._first = dict(state["first"])


def _lengths(found: Sequence[Gradients], shared: int) -> list[float]:
    """Of each task's gradient of the first `shared` parameters; 0 where it reaches none."""
    parts = [[gradient for gradient in gradients[:shared] if gradient is not None] for gradients in found]
    some = [get_total_norm(part).float() for part in parts if part]
    # One copy from the device for all tasks.
    lengths = iter(torch.stack(some).tolist() if some else [])
    return [next(lengths) if part else 0.0 for part in parts]


def _rates(losses: Mapping[str, float], first: Mapping[str, float]) -> dict[str, float]:
    """Inverse training rates, mean 1."""
    left = {task: max(loss, 0.0) / first[task] if first[task] > 0 else 1.0 for task, loss in losses.items()}
    mean = sum(left.values()) / len(left)
    return {task: rate / mean if mean else 1.0 for task, rate in left.items()}
