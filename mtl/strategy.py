"""What a multi-task optimizer is: it decides how the losses of several tasks move the parameters in one step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

Losses = Mapping[str, Tensor]  # by task, each one number, shape ()
Closure = Callable[[Sequence[str]], Losses]  # runs the network on this step's batch; losses of the tasks asked for
Backward = Callable[[Tensor], None]  # Tensor.backward, or what mixed precision and several processes need instead


class NotFinite(ArithmeticError):  # noqa: N818 - it says what the number is
    """A loss or a gradient is NaN or infinite, so the parameters and the optimizer were left as they were.

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


@dataclass(frozen=True)
class Decision:
    """What happened in one step, for the log."""

    losses: Mapping[str, float]  # by task, unweighted, before the parameters moved
    weights: Mapping[str, float]  # what each loss was multiplied with
    norms: GradientNorms


class Strategy(Protocol):
    """A multi-task optimizer."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are trained, in order."""

    def step(
        self, closure: Closure, parameters: Parameters, optimizer: Optimizer, backward: Backward, clip: float | None
    ) -> Decision:
        """Train on one batch; the optimizer may be stepped several times.

        Before each update the gradients are set to None, before the closure is called for it: the optimizer moves
        only what the losses of that update reach.

        Args:
            closure: may be called several times, for all tasks or some of them; each call runs the network anew.
            parameters: all that is trained; those that are frozen (requires_grad off) may be among them.
            optimizer: of the same parameters; frozen ones may be missing.
            backward: called at most once for each call of the closure, as DistributedDataParallel asks.
            clip: longest gradient, Euclidean norm over all parameters, of one update; None: any.

        Raises NotFinite where a loss or a gradient is NaN or infinite, before that update: the parameters and the
        optimizer stay as they were, but what the network itself changes in a forward pass (running statistics of
        batch norm) has changed. Raises ValueError where tasks, losses, parameters and optimizer do not fit together.
        """

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: numbers, strings, tensors, and lists and dicts of them."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what state_dict gave; ValueError where that was another strategy or had other tasks."""


class StaticWeights:
    """The sum of the losses, each times a weight that stays.

    Raises ValueError where there is no task or one is named twice, where `weights` has other names than `tasks` or
    holds a number that is negative or not finite, and where all weights are 0.
    """

    def __init__(self, tasks: Sequence[str], weights: Mapping[str, float]) -> None:
        if not tasks or len(set(tasks)) < len(tasks):
            raise ValueError(f"tasks [{_listed(tasks)}]: expected one or more, each named once")
        _check_names(tasks, weights, "weights")
        for task, weight in weights.items():
            if not (isfinite(weight) and weight >= 0):
                raise ValueError(f"weight {weight} of task {task!r}: expected a finite number, 0 or above")
        if not any(weights.values()):
            raise ValueError(f"weights of {_listed(tasks)}: none is above 0; nothing would be trained")
        self.tasks = tuple(tasks)
        self.weights = {task: float(weights[task]) for task in tasks}

    def step(
        self, closure: Closure, parameters: Parameters, optimizer: Optimizer, backward: Backward, clip: float | None
    ) -> Decision:
        """As Strategy.step: one forward pass, one backward pass, one update."""
        check_fit(self.tasks, parameters, optimizer)
        clear_gradients(parameters)
        losses, values = compute_losses(closure, self.tasks)
        first, *others = (self.weights[task] * losses[task] for task in self.tasks)
        backward(sum(others, first))
        return Decision(values, dict(self.weights), apply_gradients(self.tasks, parameters, optimizer, clip))

    def state_dict(self) -> dict[str, Any]:
        """The tasks and their weights."""
        return {"tasks": list(self.tasks), "weights": dict(self.weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the saved run was weighted like this one; ValueError where not."""
        if dict(state) != self.state_dict():
            raise ValueError(
                f"the saved state is of {dict(state)}, this strategy has {self.state_dict()}; "
                "resume with the tasks and weights of the saved run"
            )


class EqualWeights(StaticWeights):
    """The plain sum of the losses: ordinary training, the baseline of all others."""

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks, dict.fromkeys(tasks, 1.0))


_STRATEGIES: Mapping[str, Callable[..., Strategy]] = {"equal": EqualWeights, "static": StaticWeights}


def make_strategy(name: str, tasks: Sequence[str], **options: Any) -> Strategy:
    """The strategy of that name: `equal`, or `static` with weights={task: number}.

    Raises ValueError where the name is unknown, and where options are missing, unknown or wrong.
    """
    if name not in _STRATEGIES:
        raise ValueError(f"strategy {name!r}: expected one of {_listed(_STRATEGIES)}")
    make = _STRATEGIES[name]
    try:
        signature(make).bind(tasks, **options)
    except TypeError as error:
        raise ValueError(f"strategy {name!r}: {error}") from error
    return make(tasks, **options)


# --- what every strategy is made of ---


def check_fit(tasks: Sequence[str], parameters: Parameters, optimizer: Optimizer) -> None:
    """Raise ValueError where `parameters` are of other tasks, or the optimizer trains other parameters."""
    _check_names(tasks, parameters.tasks, "parameters")
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    listed, moved = ({p for p in some if p.requires_grad} for some in (parameters, optimized))
    if listed != moved:
        raise ValueError(
            f"the optimizer lacks {len(listed - moved)} of the {len(listed)} parameters and has "
            f"{len(moved - listed)} others; give it the shared ones and those of every task"
        )


def clear_gradients(parameters: Parameters) -> None:
    """Set every gradient to None; a zero would let momentum and weight decay move what no loss has reached."""
    for parameter in parameters:
        parameter.grad = None


def compute_losses(closure: Closure, tasks: Sequence[str]) -> tuple[Losses, dict[str, float]]:
    """The losses of `tasks`, and their values.

    Raises ValueError where the closure gives other tasks, more than one number for a task, or one that depends on no
    parameter; NotFinite where a loss is NaN or infinite.
    """
    losses = closure(tasks)
    _check_names(tasks, losses, "losses")
    for task in tasks:
        if losses[task].shape != ():
            raise ValueError(f"loss of task {task!r}: shape {tuple(losses[task].shape)}; expected one number, ()")
        if not losses[task].requires_grad:
            raise ValueError(f"loss of task {task!r} has no gradient; expected one computed from trained parameters")
    # One copy from the device for all tasks.
    values = dict(zip(tasks, torch.stack([losses[task].detach() for task in tasks]).tolist(), strict=True))
    for task, value in values.items():
        if not isfinite(value):
            raise NotFinite(f"loss of task {task!r} is {value}; no parameter was changed", task)
    return losses, values


def apply_gradients(
    tasks: Sequence[str], parameters: Parameters, optimizer: Optimizer, clip: float | None
) -> GradientNorms:
    """Clip the gradients that the losses of `tasks` left, and step the optimizer.

    Raises ValueError where `clip` is not above 0, or where no gradient reached the parameters, or a task's own ones;
    NotFinite where a gradient is NaN or infinite.
    """
    if clip is not None and not clip > 0:
        raise ValueError(f"clip {clip}: expected a number above 0, or None")
    shared = _gradients(parameters.shared)
    own = {task: _gradients(group) for task, group in parameters.tasks.items()}
    for task in tasks:
        if not own[task] and any(parameter.requires_grad for parameter in parameters.tasks[task]):
            raise ValueError(f"the loss of task {task!r} reaches none of the task's own parameters")
    groups = {owner: group for owner, group in ((None, shared), *own.items()) if group}
    if not groups:
        raise ValueError(f"the losses of {_listed(tasks)} reach no parameter")
    norms = torch.stack([get_total_norm(group) for group in groups.values()])
    total = get_total_norm([norms])
    lengths = dict(zip(groups, norms.tolist(), strict=True))
    for owner, length in lengths.items():
        if not isfinite(length):
            whose = "the shared parameters" if owner is None else f"the parameters of task {owner!r}"
            raise NotFinite(f"the gradient of {whose} is not finite; no parameter was changed", owner)
    if clip is not None:
        clip_grads_with_norm_(parameters, clip, total)
    optimizer.step()
    return GradientNorms(total.item(), lengths.get(None, 0.0), {task: lengths.get(task, 0.0) for task in own})


def _gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _check_names(tasks: Sequence[str], given: Mapping[str, Any], what: str) -> None:
    missing, unknown = [task for task in tasks if task not in given], [name for name in given if name not in tasks]
    if missing or unknown:
        parts = [f"no {what} for {_listed(missing)}"] if missing else []
        parts += [f"{what} for unknown {_listed(unknown)}"] if unknown else []
        raise ValueError(f"{', '.join(parts)}; the tasks are {_listed(tasks)}")


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(map(repr, names))
