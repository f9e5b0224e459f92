"""Examples of a multi-task data set as arrays, and batches of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.labels import Arrays, Labels

IMAGE = "image"
_MAPS_AT_ONCE = 64  # label maps that are read together


@dataclass(frozen=True, eq=False)
class LabelledBatch:
    """Some examples.

    Attributes:
        sample_ids: (b,) int64, indices in the set.
        images: (b, 3, h, w) float32 BGR in 0 .. 1; of pairs (b, 6, h, w), one picture after the other.
        labels: by task (b, ...), see datasets.labels.
    """

    sample_ids: Tensor
    images: Tensor
    labels: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class ArrayDataset:
    """A finite set of examples; the arrays may lie on disk.

    Attributes:
        arrays: by IMAGE and task, a row for each example: pictures (n, 3 or 6, h, w) uint8; label maps in the smallest
            type that holds their kind.
        labels: by task, what its maps mean.
    """

    arrays: Arrays
    labels: Mapping[str, Labels]

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.arrays[IMAGE])

    def label_maps(self, task: str) -> Iterator[Tensor]:
        """The label maps of all examples, (b, ...) at a time."""
        for sample_ids in sequential_batches(len(self), _MAPS_AT_ONCE):
            yield _to_label_type(torch.from_numpy(self.arrays[task][sample_ids]), self.labels[task])

    def take(self, sample_ids: Sequence[int], device: torch.device) -> LabelledBatch:
        """These examples, in this order."""
        rows = {name: torch.from_numpy(self.arrays[name][sample_ids]).to(device) for name in (IMAGE, *self.labels)}
        maps = {task: _to_label_type(rows[task], meaning) for task, meaning in self.labels.items()}
        return LabelledBatch(torch.tensor(sample_ids, device=device), rows[IMAGE].float() / 255, maps)

    def batches(self, order: Sequence[Sequence[int]], device: torch.device) -> Iterator[LabelledBatch]:
        """A batch for each list of sample ids."""
        return (self.take(sample_ids, device) for sample_ids in order)


def _to_label_type(maps: Tensor, meaning: Labels) -> Tensor:
    return maps.long() if meaning.kind in ("classes", "category") else maps.float()


def sequential_batches(count: int, size: int) -> list[list[int]]:
    """All sample ids in order, in batches of `size`, the last one perhaps smaller."""
    return [list(range(start, min(start + size, count))) for start in range(0, count, size)]


def shuffled_batches(count: int, size: int, seed: int, epoch: int) -> list[list[int]]:
    """Sample ids in random order, in batches of exactly `size`; what is left over is not in this epoch."""
    order = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    size = min(size, count)
    return [order[start : start + size] for start in range(0, count - size + 1, size)]


def flip_horizontally(batch: LabelledBatch, labels: Mapping[str, Labels], flipped: Tensor) -> LabelledBatch:
    """The batch with some examples mirrored left to right, normals and motion too. flipped: (b,) bool, which ones."""

    def flip(maps: Tensor) -> Tensor:
        rows = flipped.reshape(-1, *[1] * (maps.ndim - 1))  # (b,) -> (b, 1, ...)
        return torch.where(rows, maps.flip(-1), maps)

    maps = {task: flip(values) for task, values in batch.labels.items()}
    for task, meaning in labels.items():
        if meaning.kind in ("normals", "motion"):
            maps[task][:, 0] = torch.where(flipped[:, None, None], -maps[task][:, 0], maps[task][:, 0])
    return LabelledBatch(batch.sample_ids, flip(batch.images), maps)
