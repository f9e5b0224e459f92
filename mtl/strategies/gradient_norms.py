"""Weights that make the tasks' gradients of the shared parameters equally long."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater, check_names, gradient_lengths, sum_gradients
from mtl.strategy import StepResult, Strategy, check_number, check_tasks


class EqualGradientNorms(Strategy):
    """What GradNorm (Chen et al., ICML 2018) seeks by learning the weights, held exactly in each step.

    The weight of a task's loss is chosen so that its gradient of the shared parameters gets the length c r_t^alpha;
    c makes the K weights sum to K. r_t is the inverse training rate: loss / loss in the first step, divided by the
    mean of that over the tasks. As GradNorm's, the weights multiply the whole loss, so they act on the tasks' own
    parameters too; unlike there the length is that over all shared parameters, not over the last shared layer.
    A task whose gradient is 0 gets weight 1. One forward pass, one backward pass for each task.

    alpha: how much longer the gradients of slower tasks are made, 0 to 100; 0: all are equally long. Above 0 the
        losses are expected above 0; one that was not in the first step counts as unchanged, one that no longer is as 0.
    Raises ValueError where there is no task, one is named twice, or `alpha` is not 0 to 100.
    """

    def __init__(self, tasks: Sequence[str], alpha: float = 0.0) -> None:
        self.tasks = check_tasks(tasks)
        self._alpha = check_number("alpha", alpha, lambda value: 0 <= value <= 100, "0 to 100")
        self._first_losses: dict[str, float] = {}  # of the first step

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        gradients, losses = updater.compute_gradients(closure, [[task] for task in self.tasks])
        first_losses = self._first_losses or losses
        shared = len(updater.parameters.shared)
        norms = gradient_lengths([by_parameter[:shared] for by_parameter in gradients])
        weights = self._weights(dict(zip(self.tasks, norms, strict=True)), _training_rates(losses, first_losses))
        weighted = [
            [None if gradient is None else gradient * weight for gradient in by_parameter]
            for by_parameter, weight in zip(gradients, weights.values(), strict=True)
        ]
        updater.set_gradients(sum_gradients(weighted))
        applied = updater.apply_gradients(self.tasks)
        self._first_losses = first_losses
        return StepResult(losses, weights, applied, (self.tasks,))

    def _weights(self, norms: Mapping[str, float], rates: Mapping[str, float]) -> dict[str, float]:
        """By task, with the sum K."""
        raw = {task: rates[task] ** self._alpha / norm for task, norm in norms.items() if norm > 0}
        total = sum(raw.values())
        return {task: raw[task] * len(raw) / total if task in raw and total else 1.0 for task in norms}

    def settings(self) -> dict[str, Any]:
        """Kind and alpha, the strength of the balance."""
        return {"kind": "gradient-norms", "alpha": self._alpha}

    def learned_state(self) -> dict[str, Any]:
        """The losses of the first step."""
        return {"first_losses": dict(self._first_losses)}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._first_losses = dict(learned["first_losses"])


def _training_rates(losses: Mapping[str, float], first_losses: Mapping[str, float]) -> dict[str, float]:
    """Inverse training rates (Chen et al. 2018, section 3.1), with the mean 1."""
    ratios = {
        task: max(loss, 0.0) / first_losses[task] if first_losses[task] > 0 else 1.0 for task, loss in losses.items()
    }
    mean = sum(ratios.values()) / len(ratios)
    return {task: ratio / mean if mean else 1.0 for task, ratio in ratios.items()}
