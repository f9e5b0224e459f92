"""Weights for each instance and task, learned along with the network: wrong and hopeless labels fade out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mtl.optimization import Closure, Losses, ParameterUpdater, check_names, quoted
from mtl.strategy import StepResult, Strategy, check_number, check_whole
from mtl.weightings.weighting import Weighting

LossForm = Literal["l1", "l2", "cross_entropy"]

_EXPONENTS: Mapping[LossForm, int] = {"l1": 1, "l2": 2, "cross_entropy": 2}  # n of the weight exp(-n s)
_MEAN_LOSS_MOMENTUM = 0.9  # of the running mean loss: some ten batches
_UNCUT_SHARE = 0.75  # of the weights; larger ones are cut to the largest of these
_SMALLEST_MEAN_LOSS = 1e-12


class InstanceWeights(Weighting):
    """A strategy over another one, `inner`, that multiplies the loss of each instance with a weight of its own.

    Instance-level task parameters (Vasu, Saxena & Tuzel, 2021), with the losses of uncertainty weighting (Kendall, Gal
    & Cipolla, CVPR 2018), learned as in Data Parameters (Saxena, Tuzel & DeCoste, NeurIPS 2019). Each instance has for
    each task one number s = log sigma, 0 at first. With its loss l, what s minimizes is for each form of a loss

        l1             exp(-s) l / c + s
        l2             (exp(-2s) l / c) / 2 + s
        cross_entropy  exp(-2s) l / (2c) + s, the same: cross-entropy is not a square but is weighted like one

    where c is the task's running mean loss, so that s stays about 0 for an ordinary instance, in any units and however
    far the losses have fallen. At rest sigma (l1) or its square is l / c.

    The inner strategy gets l times a weight: exp(-s) or, the factor 1 / 2 dropped, exp(-2s). Those above the upper
    quartile of their task over the training set are cut to it, then all are scaled to mean 1: none is above 4. So they
    change neither the balance between the tasks nor the learning rate. Without the scale fitted instances gain weight,
    up to 400 times, and plain gradient descent diverges; without the cut the few that fit by luck early on outweigh
    the rest. The cut works while no more than three quarters of a task's labels are wrong. Hard instances fade as
    wrong ones do: where all labels are right, equal weights can be better.

    s moves once in a step, by the losses that the inner strategy sees first, by gradient descent with momentum. An
    instance that is not in the batch keeps s and momentum. Gradients are not divided by the size of the batch: each s
    moves once an epoch, and so the rate means the same for all sizes. One that is twice in a batch, or in the batches
    of several processes, moves once, by the mean of its gradients. Several processes take over all moves of each
    other; for that a table of the whole training set, 4 (tasks + 1) bytes an instance, is averaged in each step. With
    100 000 instances and four tasks a step costs some 10 ms of one CPU core.
    """

    def __init__(
        self,
        inner: Strategy,
        dataset_size: int,
        loss_forms: Mapping[str, LossForm],
        rate: float = 0.1,
        momentum: float = 0.9,
        limit: float = 20.0,
    ) -> None:
        """Set s of every instance and task to 0.

        Args:
            inner: gets the weighted losses, (b,).
            dataset_size: instances in the training set.
            loss_forms: by task.
            rate: of s; by default a loss far below c has its full effect, sigma = 1 / limit, after about 8 epochs.
            momentum: of s, 0 up to 1.
            limit: sigma stays between 1 / limit and limit.

        Raises ValueError where a number is not possible, or `loss_forms` has other tasks or unknown forms.
        """
        check_names(inner.tasks, loss_forms, "loss forms")
        unknown = [form for form in loss_forms.values() if form not in get_args(LossForm)]
        if unknown:
            raise ValueError(f"loss forms {quoted(unknown)}: expected {quoted(get_args(LossForm))}")
        super().__init__(inner)
        self._dataset_size = check_whole("dataset_size", dataset_size, 1)
        self._rate = check_number("rate", rate, lambda value: value >= 0, "0 or above")
        self._momentum = check_number("momentum", momentum, lambda value: 0 <= value < 1, "0 or above, below 1")
        self._limit = check_number("limit", limit, lambda value: value > 1, "above 1")
        self._loss_forms = {task: loss_forms[task] for task in inner.tasks}
        self._exponents = torch.tensor([_EXPONENTS[form] for form in self._loss_forms.values()])  # (tasks,)
        self._s = torch.zeros(dataset_size, len(self.tasks))
        self._velocity = torch.zeros_like(self._s)  # momentum of s
        self._loss_sums = dict.fromkeys(self.tasks, 0.0)  # exponentially weighted; over `_loss_count` they are c
        self._loss_count = 0.0

    @property
    def parameters(self) -> Tensor:
        """s = log sigma, (dataset_size, tasks) float32: high where a label is hard to fit; for `noisy_labels`."""
        return self._s.clone()

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step; `sample_ids` and losses of shape (b,) are needed, ValueError without."""
        sample_ids = self._checked(sample_ids)
        self._move_to(next(iter(updater.parameters)).device)
        ids = sample_ids.to(self._s.device)
        weights = self._weights()[ids]  # (b, tasks)
        weighted = _WeightedClosure(closure, dict(zip(self.tasks, weights.unbind(1), strict=True)))
        result = self.inner.step(weighted, updater, sample_ids)

        check_names(self.tasks, weighted.first_losses, "losses")
        losses = torch.stack([weighted.first_losses[task] for task in self.tasks], 1)  # (b, tasks)
        means = updater.average(torch.stack([losses.mean(0), weights.mean(0)])).tolist()  # (2, tasks)
        mean_losses, mean_weights = (dict(zip(self.tasks, values, strict=True)) for values in means)
        c = losses.new_tensor(self._update_mean_losses(mean_losses))  # (tasks,)
        gradients = 1 - torch.exp(-self._exponents * self._s[ids]) * losses / c
        self._update_s(ids, gradients, updater)
        total_weights = {task: mean_weights[task] * result.weights[task] for task in self.tasks}
        return replace(result, losses=mean_losses, weights=total_weights)

    def _checked(self, sample_ids: Tensor | None) -> Tensor:
        if sample_ids is None:
            raise ValueError("instance weights need the sample ids of the batch, indices in the training set; got None")
        if sample_ids.dtype != torch.int64 or sample_ids.ndim != 1 or not len(sample_ids):
            raise ValueError(f"sample ids {sample_ids.dtype} {tuple(sample_ids.shape)}: expected int64 (b,), b above 0")
        lowest, highest = (int(end) for end in sample_ids.aminmax())
        if lowest < 0 or highest >= self._dataset_size:
            wrong = lowest if lowest < 0 else highest
            last = self._dataset_size - 1
            raise ValueError(f"sample id {wrong}: expected 0 to {last}, the training set has {self._dataset_size}")
        return sample_ids

    def _move_to(self, device: torch.device) -> None:
        self._exponents, self._s = self._exponents.to(device), self._s.to(device)
        self._velocity = self._velocity.to(device)

    def _weights(self) -> Tensor:
        """(dataset_size, tasks), mean 1 over the instances, 1 / (1 - _UNCUT_SHARE) at most."""
        weights = torch.exp(-self._exponents * self._s)
        highest = weights.kthvalue(int(_UNCUT_SHARE * self._dataset_size) + 1, 0).values  # (tasks,)
        weights = weights.minimum(highest)
        return weights / weights.mean(0)

    def _update_mean_losses(self, losses: Mapping[str, float]) -> list[float]:
        """c: the running mean loss of each task, these losses included."""
        for task, loss in losses.items():
            if loss < 0:
                raise ValueError(
                    f"loss of task {task!r} is {loss}; form {self._loss_forms[task]!r} needs losses from 0 up"
                )
        self._loss_count = _MEAN_LOSS_MOMENTUM * self._loss_count + 1 - _MEAN_LOSS_MOMENTUM
        for task, loss in losses.items():
            self._loss_sums[task] = _MEAN_LOSS_MOMENTUM * self._loss_sums[task] + (1 - _MEAN_LOSS_MOMENTUM) * loss
        return [max(total / self._loss_count, _SMALLEST_MEAN_LOSS) for total in self._loss_sums.values()]

    def _update_s(self, ids: Tensor, gradients: Tensor, updater: ParameterUpdater) -> None:
        """Gradient descent with momentum for the instances of the batches of all processes.

        torch's sparse SGD does not fit: it also decays the momentum of instances that are not in the batch.

        ids: (b,). gradients: (b, tasks), by s.
        """
        ones = gradients.new_ones(len(ids), 1)
        table = gradients.new_zeros(self._dataset_size, len(self.tasks) + 1)  # sums of gradients, and how many
        table = updater.average(table.index_add_(0, ids, torch.cat([gradients, ones], 1)))
        moved = table[:, -1].nonzero()[:, 0]  # (m, 1) -> (m,)
        mean_gradients = table[moved, :-1] / table[moved, -1:]  # (m, tasks)
        self._velocity[moved] = self._momentum * self._velocity[moved] + mean_gradients
        s = self._s[moved] - self._rate * self._velocity[moved]
        self._s[moved] = s.clamp(-log(self._limit), log(self._limit))

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports, and "instance weight/TASK/10 %", "/median", "/90 %" over the dataset."""
        quantiles = np.quantile(self._weights().cpu().numpy(), (0.1, 0.5, 0.9), axis=0)  # (3, tasks)
        weights = {
            f"instance weight/{task}/{name}": float(value)
            for name, row in zip(("10 %", "median", "90 %"), quantiles, strict=True)
            for task, value in zip(self.tasks, row, strict=True)
        }
        return {**super().report(), **weights}

    def settings(self) -> dict[str, Any]:
        """Size of the training set, forms of the losses, and how s is learned."""
        return {
            "kind": "instances", "dataset_size": self._dataset_size, "loss_forms": dict(self._loss_forms),
            "rate": self._rate, "momentum": self._momentum, "limit": self._limit,
        }  # fmt: skip

    def learned_state(self) -> dict[str, Any]:
        """s, its momentum, and the running mean losses."""
        return {
            "s": self._s.clone(), "velocity": self._velocity.clone(), "loss_sums": dict(self._loss_sums),
            "loss_count": self._loss_count,
        }  # fmt: skip

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self._s, self._velocity = learned["s"].clone(), learned["velocity"].clone()
        self._move_to(self._exponents.device)
        self._loss_sums, self._loss_count = dict(learned["loss_sums"]), learned["loss_count"]


class _WeightedClosure:
    """A closure that multiplies the losses of instances with weights, (b,) by task.

    Attributes:
        first_losses: by task (b,) float32, the unweighted losses of the first call for it.
    """

    def __init__(self, closure: Closure, weights: Mapping[str, Tensor]) -> None:
        self._closure, self._weights = closure, weights
        self.first_losses: dict[str, Tensor] = {}

    def __call__(self, tasks: Sequence[str]) -> Losses:
        losses = self._closure(tasks)
        check_names(tasks, losses, "losses")
        for task, loss in losses.items():
            size = self._weights[task].shape
            if loss.shape != size:
                raise ValueError(
                    f"loss of task {task!r}: shape {tuple(loss.shape)}; instance weights need one loss for each of the "
                    f"batch's {len(self._weights[task])} instances, {tuple(size)}: the mean over its pixels for example"
                )
            self.first_losses.setdefault(task, loss.detach().float())
        return {task: loss * self._weights[task] for task, loss in losses.items()}
