"""The interface of a multi-task optimizer, which decides how the losses of several tasks move the parameters."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtl.optimization import Closure, GradientNorms, ParameterUpdater, quoted


@dataclass(frozen=True)
class StepResult:
    """What happened in one step, for the log."""

    losses: Mapping[str, float]  # by task, unweighted, before the parameters moved
    weights: Mapping[str, float]  # what each loss was multiplied with, the mean where instances differ
    norms: GradientNorms  # of the last update
    groups: tuple[tuple[str, ...], ...]  # the tasks of each update, in order


class Strategy(ABC):
    """A multi-task optimizer.

    A new one implements `step` and `settings`; where it learns something, also `learned_state`, `load_learned_state`,
    `report` and `phase`.

    Attributes:
        tasks: that are trained, in order.
    """

    tasks: tuple[str, ...]

    @abstractmethod
    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """Train on one batch; the parameters may be moved several times.

        Before each update the gradients are set to None, before the closure is called for it: the optimizer moves
        only what the losses of that update reach.

        Args:
            closure: may be called several times, for all tasks or some of them; each call runs the network anew.
            updater: of the network's parameters.
            sample_ids: (b,) int64, indices of the batch's instances in the training set, for strategies that learn
                something about each instance; the losses are then one for each instance.

        Raises NonFiniteError where a loss or a gradient is NaN or infinite: no update is made with it. Earlier updates
        of the step stay, and what the network itself changes in a forward pass: running statistics of batch norm.
        Raises ValueError where tasks, losses, parameters and sample ids do not fit together.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a resumed run must have in common with the saved one: "kind" and options; the tasks are added."""

    def learned_state(self) -> dict[str, Any]:
        """What a resumed run takes over: numbers, strings, tensors, and lists and dicts of them, as copies."""
        return {}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        del learned

    def report(self) -> Mapping[str, float]:
        """What it has learned or decided so far, by name, for the log; empty where it learns nothing."""
        return {}

    def phase(self) -> str:
        """In a few words, how the next step trains; empty where all steps train in the same way."""
        return ""

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {"settings": self._all_settings(), "learned": self.learned_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what state_dict gave; ValueError where that was another strategy or had other settings."""
        saved, expected = state.get("settings"), self._all_settings()
        if saved != expected:
            raise ValueError(f"the saved state is of {saved}, this strategy is {expected}; resume with what was saved")
        self.load_learned_state(state["learned"])

    def _all_settings(self) -> dict[str, Any]:
        return {**self.settings(), "tasks": list(self.tasks)}


def check_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """The tasks; ValueError where there is none or one is named twice."""
    if not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(f"tasks [{quoted(tasks)}]: expected one or more, each named once")
    return tuple(tasks)


def check_whole(name: str, value: int, least: int = 0) -> int:
    """The value; ValueError where it is no whole number, `least` or above."""
    if not (isinstance(value, Integral) and value >= least):
        raise ValueError(f"{name} {value!r}: expected a whole number, {least} or above")
    return value


def check_number(name: str, value: float, is_possible: Callable[[float], bool], expected: str) -> float:
    """The value; ValueError where it is no finite number, or not possible. expected: in words."""
    if not (isinstance(value, Real) and isfinite(value) and is_possible(value)):
        raise ValueError(f"{name} {value!r}: expected a finite number, {expected}")
    return value


def step_generator(seed: int, step: int) -> torch.Generator:
    """Random numbers of one step: the same in every process and after resuming."""
    state = np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)
