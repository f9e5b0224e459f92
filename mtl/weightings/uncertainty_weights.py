"""Weights by how uncertain each task is, learned along with the network."""

from collections.abc import Mapping
from copy import deepcopy
from math import exp
from typing import Any

import torch

from mtl.strategy import Strategy, check_number
from mtl.weightings.weighting import TaskWeighting

_LIMIT = 50.0  # of |s|: a loss that stays 0 would make the weight infinite


class UncertaintyWeights(TaskWeighting):
    """Homoscedastic uncertainty (Kendall, Gal & Cipolla, CVPR 2018), for losses above 0.

    The weight of task t is exp(-s_t) with s_t = log sigma_t^2, 0 at first. The network and s minimize
    sum over t of exp(-s_t) L_t + s_t: twice the paper's objective of a squared error, L / (2 sigma^2) + log sigma.
    After each step s_t moves by Adam along its gradient, 1 - exp(-s_t) L_t; where L_t stays, s_t ends at log L_t,
    within -50 and 50.

    rate: Adam's, about the most that s moves in a step; by default a weight changes tenfold in about 90 steps.
    Raises ValueError where `rate` is not above 0 and finite.
    """

    def __init__(self, inner: Strategy, rate: float = 0.025) -> None:
        super().__init__(inner)
        self._rate = check_number("rate", rate, lambda value: value > 0, "above 0")
        self._log_variances = torch.zeros(len(inner.tasks), dtype=torch.float64)  # s, by task
        self._optimizer = torch.optim.Adam([self._log_variances], rate)

    @property
    def weights(self) -> Mapping[str, float]:
        """exp(-s), by task."""
        return {task: exp(-s) for task, s in zip(self.tasks, self._log_variances.tolist(), strict=True)}

    def learn(self, losses: Mapping[str, float]) -> None:
        """Move s by one step of Adam along its gradient, 1 - exp(-s) L."""
        values = torch.tensor([losses[task] for task in self.tasks], dtype=torch.float64)
        self._log_variances.grad = 1 - torch.exp(-self._log_variances) * values
        self._optimizer.step()
        self._log_variances.clamp_(-_LIMIT, _LIMIT)

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports, and sigma of each task as "sigma/TASK"."""
        sigmas = {f"sigma/{task}": exp(s / 2) for task, s in zip(self.tasks, self._log_variances.tolist(), strict=True)}
        return {**super().report(), **sigmas}

    def settings(self) -> dict[str, Any]:
        """Kind and rate."""
        return {"kind": "uncertainty", "rate": self._rate}

    def learned_state(self) -> dict[str, Any]:
        """s and the state of Adam."""
        return {"log_variances": self._log_variances.clone(), "adam": deepcopy(self._optimizer.state_dict())}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._log_variances.copy_(learned["log_variances"])
        self._optimizer.load_state_dict(deepcopy(learned["adam"]))
