"""Lessons that are made once and kept in a folder: runs that are compared need the same ones, and each costs SIFT."""

from collections.abc import Generator
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from apps.training.data.batches import training_batches
from apps.training.data.order import EpochOrder
from apps.training.losses.per_example import select_example
from apps.training.options import Mode, TrainOptions
from datasets.examples.batch import BatchTruth, ExampleBatch, join_examples
from stitching.io.files import atomic_write

_TRUTH = "truth."


@dataclass(frozen=True)
class KeptLessons:
    """The first `number` examples of a training in files of a folder.

    Called as `training_batches`: an endless stream of batches, all lessons again and again, in an order that depends on
    the seed of the options.
    """

    folder: Path
    number: int

    def make(self, options: TrainOptions) -> None:
        """Write what is missing. Raises InputError where the data cannot be used, JobError where writing fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [index for index in range(self.number) if not self._file(index).exists()]
        if not missing:
            return
        first = missing[0] // options.batch_size
        for step, batch in enumerate(training_batches(options, first, torch.device("cpu")), first):
            for place in range(options.batch_size):
                _write(self._file(step * options.batch_size + place), select_example(batch, place))
            if (step + 1) * options.batch_size >= self.number:
                return

    def __call__(
        self,
        options: TrainOptions,
        step: int,
        device: torch.device,
        rank: int = 0,
        ranks: int = 1,
        mode: Mode = "joint",
    ) -> Generator[ExampleBatch, None, None]:
        """Batches from a step of a run of one process on."""
        assert (rank, ranks) == (0, 1), "lessons are kept for one process"
        order = EpochOrder(tuple(range(self.number)), options.seed)
        for place in count(step):
            positions = range(place * options.batch_size, (place + 1) * options.batch_size)
            yield join_examples([_read(self._file(order[position]), device) for position in positions])

    def _file(self, index: int) -> Path:
        return self.folder / f"{index:06d}.safetensors"


def _write(path: Path, example: ExampleBatch) -> None:
    """Write a batch of one example with truth."""
    assert example.truth is not None
    tensors = _tensors_of(example) | {_TRUTH + name: value for name, value in _tensors_of(example.truth).items()}
    with atomic_write(path) as temporary:
        save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)


def _tensors_of(part: ExampleBatch | BatchTruth) -> dict[str, Tensor]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _read(path: Path, device: torch.device) -> ExampleBatch:
    tensors = load_file(path, str(device))
    truth = {name.removeprefix(_TRUTH): tensors.pop(name) for name in list(tensors) if name.startswith(_TRUTH)}
    return ExampleBatch(**tensors, truth=BatchTruth(**truth))
