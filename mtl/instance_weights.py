"""Weights for each instance and task, learned along with the network: wrong and hopeless labels fade out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, log
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mtl.optimization import Closure, Losses, Updates, check_names, listed
from mtl.strategy import Decision, Strategy, check_state

Form = Literal["l1", "l2", "cross_entropy", "temperature"]

_POWERS: Mapping[Form, int] = {"l1": 1, "l2": 2, "cross_entropy": 2, "temperature": 0}
_MEMORY = 0.9  # of the running mean loss: some ten batches
_CUT = 0.75  # share of the weights that are below the largest one


class InstanceWeights:
    """A strategy over another one, `inner`, that multiplies the loss of each instance with a weight of its own.

    Instance-level task parameters (Vasu, Saxena & Tuzel, 2021), with the losses of uncertainty weighting (Kendall, Gal
    & Cipolla, CVPR 2018), learned as in Data Parameters (Saxena, Tuzel & DeCoste, NeurIPS 2019). Each instance has for
    each task one number s = log sigma, 0 at first. With its loss l, what s minimizes is for each form of a loss

        l1             exp(-s) l / c + s
        l2             (exp(-2s) l / c) / 2 + s
        cross_entropy  exp(-2s) l / (2c) + s, the same: cross-entropy is not a square but is weighted like one
        temperature    the loss itself, which the closure computes from logits / sigma, as in Data Parameters

    where c is the task's running mean loss, so that s stays about 0 for an ordinary instance, in any units and however
    far the losses have fallen. At rest sigma, for the two middle ones its square, is l / c.

    The inner strategy gets l times a weight: exp(-s) or, the factor 1 / 2 dropped, exp(-2s); 1 for temperature. Those
    above the upper quartile of their task over the training set are cut to it, then all are scaled to mean 1: none is
    above 4. So they change neither the balance between the tasks nor the learning rate. Without the scale fitted
    instances gain weight, up to 400 times, and plain gradient descent diverges; without the cut the few that fit by
    luck early on outweigh the rest. The cut works while no more than three quarters of a task's labels are wrong. Hard
    instances fade as wrong ones do: where all labels are right, equal weights can be better.

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
        count: int,
        forms: Mapping[str, Form],
        rate: float = 0.1,
        momentum: float = 0.9,
        decay: float = 0.0,
        limit: float = 20.0,
        shared: bool = False,
    ) -> None:
        """Nothing is known about any instance yet.

        Args:
            inner: gets the weighted losses, (b,).
            count: instances in the training set.
            forms: by task.
            rate: of s; by default a loss far below c has its full effect, sigma = 1 / limit, after about 8 epochs.
            momentum: of s, 0 up to 1.
            decay: pulls s of the batch's instances to where it began, as weight decay.
            limit: sigma stays between 1 / limit and limit.
            shared: sigma is the sum of a part for the task, which moves in each step, and one for the instance, each
                with its own logarithm and limit. Both begin at 1 / 2, not at 1 and 0.001 as in Data Parameters: a
                gradient is scaled by the part's share of sigma, so that the small part would hardly move.

        Raises ValueError where a number is not possible, or `forms` has other tasks or unknown forms.
        """
        check_names(inner.tasks, forms, "forms")
        unknown = [form for form in forms.values() if form not in get_args(Form)]
        if unknown:
            raise ValueError(f"forms {listed(unknown)}: expected {listed(get_args(Form))}")
        for name, value, possible, expected in (
            ("count", count, count >= 1, "1 or more"),
            ("rate", rate, rate >= 0, "0 or more"),
            ("momentum", momentum, 0 <= momentum < 1, "0 or more, below 1"),
            ("decay", decay, decay >= 0, "0 or more"),
            ("limit", limit, limit > 1, "more than 1"),
        ):
            if not (possible and isfinite(value)):
                raise ValueError(f"{name} {value}: expected {expected}")
        self.inner, self._count, self._forms = inner, count, {task: forms[task] for task in inner.tasks}
        self._rate, self._momentum, self._decay, self._limit, self._shared = rate, momentum, decay, limit, shared
        self._powers = torch.tensor([_POWERS[form] for form in self._forms.values()])
        # A row for each instance; where sigma is a sum, the last row is the tasks' own part.
        self._start = log(0.5) if shared else 0.0
        self._logs = torch.full((count + shared, len(self.tasks)), self._start)
        self._velocity = torch.zeros_like(self._logs)
        self._means, self._mass = dict.fromkeys(self.tasks, 0.0), 0.0
        self._asked: dict[str, Tensor] = {}

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those of the inner strategy."""
        return self.inner.tasks

    @property
    def parameters(self) -> Tensor:
        """s = log sigma, (count, tasks) float32: high where a label is hard to fit; for `noisy_labels`."""
        return self._whole(self._logs[: self._count]).clone()

    def sigma(self, task: str, instances: Tensor) -> Tensor:
        """(b,) what the closure divides the logits of a task of form "temperature" by, in training only.

        instances: (b,) int64, as in the step. Gradients of the loss flow back to here.
        Raises ValueError where `task` is of another form.
        """
        if self._forms.get(task) != "temperature":
            raise ValueError(f"sigma of task {task!r}: expected one of form 'temperature'; the forms are {self._forms}")
        places = instances.to(self._logs.device)
        self._asked[task] = self._whole(self._logs[places])[:, self.tasks.index(task)].requires_grad_()
        return self._asked[task].exp()

    def step(self, closure: Closure, updates: Updates, instances: Tensor | None = None) -> Decision:
        """As Strategy.step; `instances` and losses of shape (b,) are needed, ValueError without."""
        checked = self._check(instances)
        self._move(next(iter(updates.parameters)).device)
        places = checked.to(self._logs.device)
        weights = self._weights()[places]
        seen: dict[str, Tensor] = {}
        slopes: dict[str, Tensor] = {}

        def weighted(tasks: Sequence[str]) -> Losses:
            self._asked.clear()
            losses = closure(tasks)
            check_names(tasks, losses, "losses")
            for task, loss in losses.items():
                _check_loss(task, loss, len(places))
                if task not in seen and torch.is_grad_enabled():
                    seen[task] = loss.detach().float()
                    if self._forms[task] == "temperature":
                        slopes[task] = self._slope(task, loss)
            return {task: loss * weights[:, self.tasks.index(task)] for task, loss in losses.items()}

        made = self.inner.step(weighted, updates, checked)
        check_names(self.tasks, seen, "losses")
        losses = torch.stack([seen[task] for task in self.tasks], 1)  # (b, tasks)
        values, means = updates.average(torch.stack([losses.mean(0), weights.mean(0)])).tolist()
        centres = losses.new_tensor(self._centre(dict(zip(self.tasks, values, strict=True))))
        gradients = 1 - torch.exp(-self._powers * self._whole(self._logs[places])) * losses / centres
        for task, slope in slopes.items():
            gradients[:, self.tasks.index(task)] = slope
        self._learn(gradients, places, updates.average)
        return replace(
            made,
            losses=dict(zip(self.tasks, values, strict=True)),
            weights={task: mean * made.weights[task] for task, mean in zip(self.tasks, means, strict=True)},
        )

    def _check(self, instances: Tensor | None) -> Tensor:
        if instances is None:
            raise ValueError("instance weights need the places of the batch's instances in the training set; got None")
        if instances.dtype != torch.int64 or instances.ndim != 1 or not len(instances):
            raise ValueError(f"instances {instances.dtype} {tuple(instances.shape)}: expected int64 (b,), b above 0")
        lowest, highest = (int(end) for end in instances.aminmax())
        if lowest < 0 or highest >= self._count:
            wrong = lowest if lowest < 0 else highest
            raise ValueError(f"instance {wrong}: expected 0 to {self._count - 1}, the training set has {self._count}")
        return instances

    def _move(self, device: torch.device) -> None:
        for name in ("_powers", "_logs", "_velocity"):
            setattr(self, name, getattr(self, name).to(device))

    def _whole(self, own: Tensor) -> Tensor:
        """s of instances, (..., tasks), from their own part of it."""
        return torch.logaddexp(own, self._logs[-1]) if self._shared else own

    def _weights(self) -> Tensor:
        """(count, tasks), mean 1 over the instances, 1 / (1 - _CUT) at most."""
        weights = torch.exp(-self._powers * self._whole(self._logs[: self._count]))
        highest = weights.kthvalue(int(_CUT * self._count) + 1, 0).values
        weights = weights.minimum(highest)
        return weights / weights.mean(0)

    def _slope(self, task: str, loss: Tensor) -> Tensor:
        """(b,) the gradient of each instance's loss by its s."""
        asked = self._asked.get(task)
        if asked is None or asked.shape != loss.shape:
            raise ValueError(f"loss of task {task!r}: expected one of logits / sigma({task!r}, instances), for all b")
        # Follows the graph back to s only, not through the network.
        return torch.autograd.grad(loss.sum(), asked, retain_graph=True)[0]

    def _centre(self, losses: Mapping[str, float]) -> list[float]:
        """The running mean loss of each task, these losses included."""
        for task, loss in losses.items():
            if loss < 0 and self._forms[task] != "temperature":
                raise ValueError(f"loss of task {task!r} is {loss}; form {self._forms[task]!r} needs losses from 0 up")
        self._mass = _MEMORY * self._mass + 1 - _MEMORY
        for task, loss in losses.items():
            self._means[task] = _MEMORY * self._means[task] + (1 - _MEMORY) * loss
        return [max(mean / self._mass, 1e-12) for mean in self._means.values()]

    def _learn(self, gradients: Tensor, places: Tensor, average: Callable[[Tensor], Tensor]) -> None:
        """Move the batch's s. gradients: (b, tasks), by s; places: (b,)."""
        table = gradients.new_zeros(len(self._logs), len(self.tasks) + 1)  # sums of gradients, and how many
        ones = gradients.new_ones(len(places), 1)
        if self._shared:
            whole = self._whole(self._logs[places])
            own, common = torch.exp(self._logs[places] - whole), torch.exp(self._logs[-1] - whole)
            table[-1] = torch.cat([gradients * common, ones], 1).sum(0)
            gradients = gradients * own
        table = average(table.index_add_(0, places, torch.cat([gradients, ones], 1)))
        rows = table[:, -1].nonzero()[:, 0]
        sums, counts = table[rows, :-1], table[rows, -1:]
        logs = self._logs[rows]
        velocity = self._momentum * self._velocity[rows] + sums / counts + self._decay * (logs - self._start)
        self._velocity[rows] = velocity
        moved, limit = logs - self._rate * velocity, log(self._limit)
        self._logs[rows] = moved.clamp(self._start - limit, self._start + limit)

    def report(self) -> Mapping[str, float]:
        """What the inner strategy reports, and "instance weight/TASK/10 %", "/median", "/90 %" over the training set.

        For temperature, which has no weight, these are of 1 / sigma.
        """
        weights = torch.where(self._powers == 0, torch.exp(-self.parameters), self._weights())
        quantiles = np.quantile(weights.cpu().numpy(), (0.1, 0.5, 0.9), axis=0)
        found = {
            f"instance weight/{task}/{name}": float(value)
            for name, row in zip(("10 %", "median", "90 %"), quantiles, strict=True)
            for task, value in zip(self.tasks, row, strict=True)
        }
        return {**self.inner.report(), **found}

    def state_dict(self) -> dict[str, Any]:
        """As Strategy.state_dict: settings, s, momentum, running means."""
        learned = {"logs": self._logs.clone(), "velocity": self._velocity.clone(), "mass": self._mass}
        return {**self._settings(), **learned, "means": dict(self._means), "inner": self.inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, **self._settings())
        self.inner.load_state_dict(state["inner"])
        self._logs, self._velocity = state["logs"].clone(), state["velocity"].clone()
        self._move(self._powers.device)
        self._means, self._mass = dict(state["means"]), state["mass"]

    def _settings(self) -> dict[str, Any]:
        return {
            "kind": "instances", "tasks": list(self.tasks), "count": self._count, "forms": dict(self._forms),
            "rate": self._rate, "momentum": self._momentum, "decay": self._decay, "limit": self._limit,
            "shared": self._shared,
        }  # fmt: skip


def _check_loss(task: str, loss: Tensor, size: int) -> None:
    if loss.shape != (size,):
        raise ValueError(
            f"loss of task {task!r}: shape {tuple(loss.shape)}; instance weights need one loss for each of the batch's "
            f"{size} instances, ({size},): the mean over its pixels for example"
        )
