"""Dual balancing: logarithms of the losses, gradients of one length (Lin et al., arXiv 2308.12029)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtl.optimization import Closure, Gradients, ParameterUpdater, check_names, gradient_lengths, sum_gradients
from mtl.strategies.aggregation import own_gradients
from mtl.strategies.scalarization import positive
from mtl.strategy import StepResult, Strategy, check_number, check_tasks


class DualBalancing(Strategy):
    """DB-MTL (Lin et al. 2023), equal weights in two ways: of the losses' sizes and of their gradients' lengths.

    With g_k the gradient of log L_k by the shared parameters, in step t = 1, 2, ...:

        m_k = beta_t m_k + (1 - beta_t) g_k,   beta_t = beta / t^sigma
        shared parameters:       M sum_k (max_j |m_j| / |m_k|) m_k
        own parameters of task k:  M times the gradient of log L_k

    Ours are M, the mean of the step's losses, a number without gradient (1 in the paper), and that m_k begins as g_k
    instead of 0. So K equal losses move the network as their sum does at first, in any unit; AdamW does not see M.
    A shared parameter that a task does not reach counts as g_k = 0; one that no task reaches stays untouched.
    Losses are expected from 0 up; the step raises ValueError where one is below.

    One forward pass, one backward pass for each task; memory for two gradients for each task.
    """

    def __init__(self, tasks: Sequence[str], beta: float = 0.9, sigma: float = 0.0) -> None:
        """Defaults as in the authors' library, LibMTL.

        Args:
            tasks: one or more, each named once.
            beta: of the moving averages, 0 (none) up to 1.
            sigma: how fast beta shrinks, 0 or above.

        Raises ValueError where an option is not possible.
        """
        self.tasks = check_tasks(tasks)
        self._beta = check_number("beta", beta, lambda value: 0 <= value < 1, "0 or above, below 1")
        self._sigma = check_number("sigma", sigma, lambda value: value >= 0, "0 or above")
        self._steps = 0
        self._means: list[Gradients] = []  # m_k by task and shared parameter; None: never reached

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step."""
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        gradients, values = updater.compute_gradients(closure, [[task] for task in self.tasks])
        losses = torch.tensor([values[task] for task in self.tasks], dtype=torch.float64)
        losses = positive(losses, self.tasks, "db-mtl")
        of_logarithms = {
            task: [None if gradient is None else gradient / loss for gradient in by_parameter]
            for task, loss, by_parameter in zip(self.tasks, losses.tolist(), gradients, strict=True)
        }
        shared = len(updater.parameters.shared)
        means = self._averaged([by_parameter[:shared] for by_parameter in of_logarithms.values()])
        combined = _sum_in_one_length(means) + own_gradients(updater.parameters, of_logarithms)
        mean_loss = float(losses.mean())
        updater.set_gradients([None if gradient is None else gradient * mean_loss for gradient in combined])
        norms = updater.apply_gradients(self.tasks)
        self._steps, self._means = self._steps + 1, means
        return StepResult(
            values, dict(zip(self.tasks, (mean_loss / losses).tolist(), strict=True)), norms, (self.tasks,)
        )

    def _averaged(self, gradients: Sequence[Gradients]) -> list[Gradients]:
        """m_k of each task: the moving averages with `gradients`, g_k of the shared parameters, taken in."""
        if not self._means:
            return list(gradients)
        beta = self._beta * (self._steps + 1.0) ** -self._sigma
        return [
            [_average(mean, gradient, beta) for mean, gradient in zip(means, by_parameter, strict=True)]
            for means, by_parameter in zip(self._means, gradients, strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """How the gradients are averaged."""
        return {"kind": "db-mtl", "beta": self._beta, "sigma": self._sigma}

    def learned_state(self) -> dict[str, Any]:
        """The number of steps, and m_k of each shared parameter, None where no gradient has come."""
        return {"steps": self._steps, "means": _copied(self._means)}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._steps, self._means = learned["steps"], _copied(learned["means"])


def _average(mean: Tensor | None, gradient: Tensor | None, beta: float) -> Tensor | None:
    if mean is None or gradient is None:
        known = mean if gradient is None else gradient
        return None if known is None else known * (beta if gradient is None else 1 - beta)
    return torch.lerp(gradient, mean.to(gradient.device), beta)


def _sum_in_one_length(by_task: Sequence[Gradients]) -> Gradients:
    """For each parameter the sum over the tasks, whose gradients are all made as long as the longest one."""
    lengths = gradient_lengths(by_task)
    factors = [max(lengths) / length if length else 1.0 for length in lengths]
    return sum_gradients(
        [
            [None if gradient is None else gradient * factor for gradient in gradients]
            for gradients, factor in zip(by_task, factors, strict=True)
        ]
    )


def _copied(means: Sequence[Gradients]) -> list[Gradients]:
    return [[None if mean is None else mean.clone() for mean in by_parameter] for by_parameter in means]
