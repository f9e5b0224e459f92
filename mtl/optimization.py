"""Losses, gradients and the optimizer's step: what all strategies are built from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import hypot, isfinite
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer

Losses = Mapping[str, Tensor]  # by task: one number, shape (), or one for each instance of the batch, (b,)
Closure = Callable[[Sequence[str]], Losses]  # runs the network on this step's batch; losses of the tasks asked for
Backward = Callable[..., None]  # Tensor.backward, or what mixed precision and several processes need instead
Gradients = list[Tensor | None]  # of all parameters, in their order; None where a loss does not reach


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is NaN or infinite, so no update was made with it; earlier ones of the step were.

    Attributes:
        task: whose loss or own parameters; None: the shared parameters.
    """

    def __init__(self, message: str, task: str | None = None) -> None:
        super().__init__(message)
        self.task = task


@dataclass(frozen=True, eq=False)
class Parameters:
    """What is trained. Raises ValueError where a parameter is listed twice.

    Attributes:
        shared: used by more than one task.
        tasks: used by that task only; an empty list where it has none of its own.
    """

    shared: Sequence[nn.Parameter]
    tasks: Mapping[str, Sequence[nn.Parameter]]

    def __post_init__(self) -> None:
        owners: dict[nn.Parameter, str] = {}
        for owner, group in (("shared", self.shared), *self.tasks.items()):
            for parameter in group:
                if parameter in owners:
                    raise ValueError(
                        f"a parameter {tuple(parameter.shape)} of {owner!r} is listed under {owners[parameter]!r} too; "
                        "what several tasks use belongs to the shared ones, once"
                    )
                owners[parameter] = owner

    def __iter__(self) -> Iterator[nn.Parameter]:
        """All of them, the shared ones first."""
        yield from self.shared
        for group in self.tasks.values():
            yield from group


@dataclass(frozen=True)
class GradientNorms:
    """Euclidean norms of the gradient that moved the parameters, before it was clipped."""

    total: float
    shared: float
    tasks: Mapping[str, float]  # of each task's own parameters; 0 where it has none


def _one_process(values: Tensor) -> Tensor:
    return values


@dataclass(frozen=True, eq=False)
class ParameterUpdater:
    """Computes gradients and moves parameters.

    Raises ValueError where the optimizer trains other parameters, or `clip` is not above 0.

    Attributes:
        parameters: all that is trained; frozen ones (requires_grad off) may be among them.
        optimizer: of the same parameters; frozen ones may be missing.
        clip: largest Euclidean norm, over all parameters, of the gradient of one update; None: any.
        backward: called with a loss and perhaps retain_graph=True.
        average: the mean of a tensor over the processes that train together, so that all of them decide alike.
        separate_forwards: one forward pass for each backward pass, as DistributedDataParallel requires; the network
            then runs once for each task whose gradient is wanted alone.
    """

    parameters: Parameters
    optimizer: Optimizer
    clip: float | None = None
    backward: Backward = Tensor.backward
    average: Callable[[Tensor], Tensor] = _one_process
    separate_forwards: bool = False

    def __post_init__(self) -> None:
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip {self.clip}: expected a number above 0, or None")
        optimized = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        wanted, moved = ({p for p in group if p.requires_grad} for group in (self.parameters, optimized))
        if wanted != moved:
            raise ValueError(
                f"the optimizer lacks {len(wanted - moved)} of the {len(wanted)} parameters and has "
                f"{len(moved - wanted)} others; give it the shared ones and those of every task"
            )

    def clear_gradients(self) -> None:
        """Set every gradient to None; a zero would let momentum and weight decay move what no loss has reached."""
        for parameter in self.parameters:
            parameter.grad = None

    def compute_losses(self, closure: Closure, tasks: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The losses of `tasks`, each the mean over its instances, (), and their values, averaged over processes.

        Raises ValueError where the closure gives other tasks, another shape, or a loss that depends on no parameter;
        NonFiniteError where a loss is NaN or infinite.
        """
        losses = closure(tasks)
        check_names(tasks, losses, "losses")
        for task in tasks:
            if not isinstance(losses[task], Tensor):
                raise ValueError(f"loss of task {task!r}: {type(losses[task]).__name__}; expected a tensor")
            if losses[task].ndim > 1 or not losses[task].numel():
                raise ValueError(
                    f"loss of task {task!r}: shape {tuple(losses[task].shape)}; expected one number, (), or one for "
                    "each instance, (b,)"
                )
            if torch.is_grad_enabled() and not losses[task].requires_grad:
                raise ValueError(f"loss of task {task!r} has no gradient; expected one of trained parameters")
        means = {task: losses[task].mean() for task in tasks}
        # One copy from the device for all tasks.
        values = dict(zip(tasks, self.average(torch.stack([m.detach() for m in means.values()])).tolist(), strict=True))
        for task, value in values.items():
            if not isfinite(value):
                raise NonFiniteError(f"loss of task {task!r} is {value}; no update was made with it", task)
        return means, values

    def measure_losses(self, closure: Closure, tasks: Sequence[str]) -> dict[str, float]:
        """The values of the losses as the network is now, without gradients; raises as `compute_losses`."""
        with torch.no_grad():
            return self.compute_losses(closure, tasks)[1]

    def compute_gradients(
        self, closure: Closure, groups: Sequence[Sequence[str]], separate_forwards: bool = False
    ) -> tuple[list[Gradients], dict[str, float]]:
        """For each group of tasks the gradient of the sum of their losses, and the values of all losses.

        separate_forwards: run the network for each group alone, even where one forward pass would do: that takes less
            memory.
        Raises as `compute_losses`.
        """
        values: dict[str, float] = {}
        gradients: list[Gradients] = []
        losses: dict[str, Tensor] = {}
        separate = separate_forwards or self.separate_forwards
        all_tasks = [task for group in groups for task in group]
        for index, group in enumerate(groups):
            self.clear_gradients()
            if separate or not index:
                losses, new_values = self.compute_losses(closure, group if separate else all_tasks)
                values |= new_values
            total = sum_losses(losses, group)
            retain_graph = not separate and index < len(groups) - 1
            self.backward(total, retain_graph=True) if retain_graph else self.backward(total)
            gradients.append([parameter.grad for parameter in self.parameters])
        self.clear_gradients()
        return gradients, values

    def set_gradients(self, gradients: Gradients) -> None:
        """Make these the gradients that `apply_gradients` uses, laid out in memory as their parameters are.

        Fused optimizers take that layout for granted: they would move other weights than the gradient is of.
        """
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            if gradient is not None and gradient.stride() != parameter.stride():
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient

    def apply_gradients(self, tasks: Sequence[str]) -> GradientNorms:
        """Clip the gradients that the losses of `tasks` left, and step the optimizer.

        Raises ValueError where no gradient reached the parameters, or a task's own ones; NonFiniteError where a
        gradient is NaN or infinite.
        """
        shared = _gradients_of(self.parameters.shared)
        own = {task: _gradients_of(group) for task, group in self.parameters.tasks.items()}
        for task in tasks:
            if not own[task] and any(parameter.requires_grad for parameter in self.parameters.tasks[task]):
                raise ValueError(f"the loss of task {task!r} reaches none of the task's own parameters")
        if not (shared or any(own.values())):
            raise ValueError(f"the losses of {quoted(tasks)} reach no parameter")
        shared_length, *lengths = gradient_lengths([shared, *own.values()])
        norms = GradientNorms(hypot(shared_length, *lengths), shared_length, dict(zip(own, lengths, strict=True)))
        for owner, length in ((None, shared_length), *norms.tasks.items()):
            if not isfinite(length):
                whose = "the shared parameters" if owner is None else f"the parameters of task {owner!r}"
                raise NonFiniteError(f"the gradient of {whose} is not finite; no update was made with it", owner)
        if self.clip is not None and norms.total > self.clip:
            clip_grads_with_norm_(self.parameters, self.clip, torch.tensor(norms.total))
        self.optimizer.step()
        return norms

    def update(
        self, closure: Closure, tasks: Sequence[str], watched: Sequence[str] = ()
    ) -> tuple[dict[str, float], GradientNorms]:
        """Move the parameters once along the gradient of the summed losses of `tasks`.

        The optimizer does not touch what these losses do not reach: other tasks' own parameters keep still.

        watched: tasks whose losses are computed in the same forward pass, too.
        Returns the values of the losses before the update, of `tasks` and `watched`, and the norms of the gradient.
        Raises as `compute_losses` and `apply_gradients`.
        """
        self.clear_gradients()
        losses, values = self.compute_losses(closure, [*tasks, *(task for task in watched if task not in tasks)])
        self.backward(sum_losses(losses, tasks))
        return values, self.apply_gradients(tasks)


def sum_losses(losses: Losses, tasks: Sequence[str]) -> Tensor:
    """The sum () of the losses of `tasks`, each ()."""
    first, *others = (losses[task] for task in tasks)
    return sum(others, first)


def sum_gradients(by_task: Sequence[Gradients]) -> Gradients:
    """For each parameter the sum over the tasks that reach it; None where none does."""
    summed: Gradients = []
    for gradients in zip(*by_task, strict=True):
        reached = [gradient for gradient in gradients if gradient is not None]
        summed.append(sum(reached[1:], reached[0]) if reached else None)
    return summed


def check_names(tasks: Sequence[str], given: Mapping[str, Any], what: str) -> None:
    """Raise ValueError where `given` lacks a task or has others."""
    missing, unknown = [task for task in tasks if task not in given], [name for name in given if name not in tasks]
    if missing or unknown:
        parts = [f"no {what} for {quoted(missing)}"] if missing else []
        parts += [f"{what} for unknown {quoted(unknown)}"] if unknown else []
        raise ValueError(f"{', '.join(parts)}; the tasks are {quoted(tasks)}")


def quoted(names: Sequence[str] | Mapping[str, Any]) -> str:
    """Names for a message, each in quotation marks."""
    return ", ".join(map(repr, names))


def _gradients_of(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def gradient_lengths(groups: Sequence[Sequence[Tensor | None]]) -> list[float]:
    """The Euclidean norm of the gradients of each group together, 0 of none; one copy from the device for all."""
    reached = [[gradient for gradient in group if gradient is not None] for group in groups]
    if not any(reached):
        return [0.0] * len(groups)
    norms = torch._foreach_norm([gradient for group in reached for gradient in group])
    values = iter(torch.stack(norms).tolist())
    return [hypot(*islice(values, len(group))) for group in reached]
