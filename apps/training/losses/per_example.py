"""One example of a batch and of what was predicted for it, so that a loss can be computed for each example alone."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from datasets.examples.batch import BatchTruth

T = TypeVar("T")


def select_example(batched: T, index: int) -> T:
    """A batch of one: the example at `index` of a batch, or of anything computed from a batch.

    batched: a tensor (b, ...), or dataclasses, mappings and tuples of them; anything else is returned as it is.
    """
    return _select(batched, index)  # type: ignore[return-value]


def _select(batched: object, index: int) -> object:
    if isinstance(batched, Tensor):
        return batched[index : index + 1]
    if isinstance(batched, tuple):
        return tuple(_select(value, index) for value in batched)
    if isinstance(batched, Mapping):
        return {name: _select(value, index) for name, value in batched.items()}
    if not is_dataclass(batched) or isinstance(batched, type):
        return batched
    selected = {field.name: _select(getattr(batched, field.name), index) for field in fields(batched)}
    if isinstance(batched, BatchTruth):  # the segments of all examples are one list, with their owners
        segments = batched.segments[batched.owner == index]
        selected |= {"segments": segments, "owner": torch.zeros_like(batched.owner[: len(segments)])}
    return replace(batched, **selected)
