"""FAMO: weights under which all losses fall at about the same relative speed (Liu et al., NeurIPS 2023)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from mtl.optimization import Closure, ParameterUpdater
from mtl.strategies.scalarization import Scalarization, positive
from mtl.strategy import check_number

After = Literal["same", "next"]


class Famo(Scalarization):
    """Fast Adaptive Multitask Optimization: Liu, Feng, Stone & Liu, NeurIPS 2023, algorithm 2.

    The weight of loss k is K c z_k / L_k with z = softmax(w) and c = 1 / sum_j z_j / L_j: the weights sum to K (to 1 in
    the paper). After the update of the network the logits w follow, by Adam with weight decay, the gradient

        z_k (d_k - sum_j z_j d_j),   d_k = log L_k before - log L_k after:

    a task that gained less than the others gets more weight.

    The losses after the update are those of the same batch, as in the paper, which costs a forward pass without
    gradients (running statistics of batch norm see the batch twice); or, `after="next"`, those of the next batch before
    its update, which costs nothing. The difference of two batches is noise in d_k, most where batches are small. It is
    not in the paper; some public implementations do so. Losses are expected from 0 up, with the minimum 0; the step
    raises ValueError where one is below.
    """

    def __init__(self, tasks: Sequence[str], rate: float = 0.025, decay: float = 0.001, after: After = "same") -> None:
        """Begin with equal z; defaults as in the paper.

        Args:
            tasks: one or more, each named once.
            rate: of Adam, above 0.
            decay: of the logits, 0 or above.
            after: the batch that shows what an update did.

        Raises ValueError where an option is not possible.
        """
        super().__init__(tasks)
        self._rate = check_number("rate", rate, lambda value: value > 0, "above 0")
        self._decay = check_number("decay", decay, lambda value: value >= 0, "0 or above")
        if after not in get_args(After):
            raise ValueError(f"after {after!r}: expected 'same' or 'next'")
        self._after = after
        self._logits = torch.zeros(len(self.tasks), dtype=torch.float64)  # w
        self._adam = torch.optim.Adam([self._logits], rate, weight_decay=decay)
        self._before: Tensor | None = None  # the losses of the last step, whose effect the next batch shows

    def weigh(self, losses: Tensor) -> Tensor:
        """K c z_k / L_k; with `after="next"` these losses first show what the last update did."""
        losses = positive(losses, self.tasks, "famo")
        if self._before is not None:
            self._update_logits(self._before, losses)
            self._before = None
        relative = torch.softmax(self._logits, 0) / losses
        return len(losses) * relative / relative.sum()

    def learn(self, losses: Tensor, closure: Closure, updater: ParameterUpdater) -> None:
        """Look at what the update did to the losses of its batch, or keep them for the next one."""
        before = positive(losses, self.tasks, "famo")
        if self._after == "next":
            self._before = before
            return
        values = updater.measure_losses(closure, self.tasks)
        after = torch.tensor([values[task] for task in self.tasks], dtype=torch.float64)
        self._update_logits(before, positive(after, self.tasks, "famo"))

    def _update_logits(self, before: Tensor, after: Tensor) -> None:
        """One step of Adam on w; both (tasks,), above 0."""
        gains = before.log() - after.log()
        z = torch.softmax(self._logits, 0)
        self._logits.grad = z * (gains - z @ gains)
        self._adam.step()

    def report(self) -> Mapping[str, float]:
        """z of each task as "z/TASK"; the weights are in every StepResult."""
        z = torch.softmax(self._logits, 0).tolist()
        return {f"z/{task}": value for task, value in zip(self.tasks, z, strict=True)}

    def settings(self) -> dict[str, Any]:
        """How the logits are learned."""
        return {"kind": "famo", "rate": self._rate, "decay": self._decay, "after": self._after}

    def learned_state(self) -> dict[str, Any]:
        """The logits, the state of Adam, and the losses whose effect is not known yet."""
        before = None if self._before is None else self._before.clone()
        return {"logits": self._logits.clone(), "adam": deepcopy(self._adam.state_dict()), "before": before}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._logits.copy_(learned["logits"])
        self._adam.load_state_dict(deepcopy(learned["adam"]))
        self._before = None if learned["before"] is None else learned["before"].clone()
