"""Examples of a multi-task data set, in batches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.labels import Labels

Arrays = Mapping[str, NDArray[Any]]  # IMAGE and tasks, a row for each example, stored small
IMAGE = "image"


@dataclass(frozen=True, eq=False)
class Batch:
    """Some examples.

    Attributes:
        places: (b,) int64, in the set.
        images: (b, 3, h, w) float32 BGR in 0 .. 1.
        labels: by task (b, ...), see datasets.labels.
    """

    places: Tensor
    images: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Examples:
    """A finite set of examples; the arrays may lie on disk.

    Attributes:
        arrays: pictures (n, 3, h, w) uint8; maps of classes and binary maps uint8, others float32.
        labels: by task, what its maps mean.
    """

    arrays: Arrays
    labels: Mapping[str, Labels]

    def __len__(self) -> int:
        """How many."""
        return len(self.arrays[IMAGE])

    def maps(self, task: str) -> Iterator[Tensor]:
        """The label maps of all, batch by batch."""
        for places in in_order(len(self), 64):
            yield _decoded(torch.from_numpy(self.arrays[task][places]), self.labels[task])

    def take(self, places: Sequence[int], device: torch.device) -> Batch:
        """These, in this order."""
        found = {name: torch.from_numpy(self.arrays[name][places]).to(device) for name in (IMAGE, *self.labels)}
        maps = {task: _decoded(found[task], meaning) for task, meaning in self.labels.items()}
        return Batch(torch.tensor(places, device=device), found[IMAGE].float() / 255, maps)

    def batches(self, order: Sequence[Sequence[int]], device: torch.device) -> Iterator[Batch]:
        """The examples at these places, batch by batch."""
        return (self.take(places, device) for places in order)


def _decoded(maps: Tensor, meaning: Labels) -> Tensor:
    return maps.long() if meaning.kind == "classes" else maps.float()


def in_order(count: int, size: int) -> list[list[int]]:
    """All places, in batches of `size`, the last one perhaps smaller."""
    return [list(range(begin, min(begin + size, count))) for begin in range(0, count, size)]


def shuffled(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """Places in random order, in batches of just `size`; what is left over waits for another epoch."""
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    size = min(size, count)
    return [order[begin : begin + size] for begin in range(0, count - size + 1, size)]


def mirrored(batch: Batch, labels: Mapping[str, Labels], chosen: Tensor) -> Batch:
    """The batch with some examples mirrored left to right, normals too. chosen: (b,) bool."""

    def mirror(maps: Tensor) -> Tensor:
        rows = chosen.reshape(-1, *[1] * (maps.ndim - 1))  # (b,) -> (b, 1, ...)
        return torch.where(rows, maps.flip(-1), maps)

    found = {task: mirror(maps) for task, maps in batch.labels.items()}
    for task, meaning in labels.items():
        if meaning.kind == "normals":
            found[task][:, 0] = torch.where(chosen[:, None, None], -found[task][:, 0], found[task][:, 0])
    return Batch(batch.places, mirror(batch.images), found)
