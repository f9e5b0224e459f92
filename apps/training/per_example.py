"""One example of a batch, and what the network answered to it: for losses of each example alone."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from datasets.examples.batch import BatchTruth

T = TypeVar("T")


def part_of(batched: T, place: int) -> T:
    """A batch of one: the example at `place` of a batch, or of what was made of one.

    batched: a tensor (b, ...), or dataclasses, mappings and tuples of some; anything else stays as it is.
    """
    return _part(batched, place)  # type: ignore[return-value]


def _part(batched: object, place: int) -> object:
    if isinstance(batched, Tensor):
        return batched[place : place + 1]
    if isinstance(batched, tuple):
        return tuple(_part(value, place) for value in batched)
    if isinstance(batched, Mapping):
        return {name: _part(value, place) for name, value in batched.items()}
    if not is_dataclass(batched) or isinstance(batched, type):
        return batched
    parts = {field.name: _part(getattr(batched, field.name), place) for field in fields(batched)}
    if isinstance(batched, BatchTruth):  # segments of all examples lie in one row
        segments = batched.segments[batched.owner == place]
        parts |= {"segments": segments, "owner": torch.zeros_like(batched.owner[: len(segments)])}
    return replace(batched, **parts)
