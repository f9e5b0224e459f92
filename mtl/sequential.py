"""One group of tasks after another: the updates that task priority and task groups are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl.optimization import Closure, GradientNorms, Updates, added


@dataclass(frozen=True)
class Turn:
    """One update of several on a batch."""

    group: tuple[str, ...]  # whose losses moved the parameters
    before: Mapping[str, float]  # losses before it, of the group and of the tasks that are watched
    norms: GradientNorms


def update_in_turn(
    groups: Sequence[Sequence[str]],
    closure: Closure,
    updates: Updates,
    watched: Sequence[str] = (),
    frozen_heads: bool = True,
) -> list[Turn]:
    """Move the parameters for one group of tasks after another, on the same batch.

    Each turn is a forward pass, a backward pass of the group's summed losses, and a step of the optimizer. The
    optimizer does not touch what the group's losses do not reach: other tasks' own parameters keep still.

    Args:
        groups: in this order.
        closure, updates: as for Strategy.step.
        watched: tasks whose losses are computed in every turn, too.
        frozen_heads: False gives unreached parameters a gradient of 0, so that momentum and weight decay move them.

    Raises as Updates.compute and Updates.apply; the turns before that one are done.
    """
    turns = []
    for group in groups:
        updates.clear()
        losses, values = updates.compute(closure, [*group, *(task for task in watched if task not in group)])
        updates.backward(added(losses, group))
        if not frozen_heads:
            _fill_with_zeros(updates)
        turns.append(Turn(tuple(group), values, updates.apply(group)))
    return turns


def _fill_with_zeros(updates: Updates) -> None:
    for parameter in updates.parameters:
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
