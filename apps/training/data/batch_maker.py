"""Makes the batch of a step. It depends on the options, the step and the process's rank alone, so runs can resume."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from apps.training.data.labelled_pairs import LabelledPairs
from apps.training.data.order import EpochOrder, photo_steps_before, taken_before
from apps.training.data.photographed_pairs import PhotographedPairs
from apps.training.data.truth_sources import GeneratedPairs, StoredPairs, lookup
from apps.training.options import MATCHING_TASKS, Mode, TrainOptions, tasks_at, tasks_of
from datasets.examples.batch import ExampleBatch, collate_examples, join_examples
from datasets.examples.example import Example
from datasets.examples.lessons import LessonOptions, teach
from datasets.moved_photographs.pairs import MovedPhotographs
from datasets.options import SampleOptions
from datasets.pair_batch import PairArrays, PairBatch, collate
from datasets.photometry.windows import Windows, photograph_windows


@dataclass(frozen=True, eq=False)
class Prepared:
    """What processes make of a batch ahead of time."""

    number: int  # of the batch among those of its kind, of all ranks
    indices: tuple[int, ...] = ()  # of the examples of --pairs
    pairs: Any = None  # stored pairs, or scenes to render
    photographed: list[Example] | None = None  # of --pairs: nothing else is in the batch
    labelled: list[PairArrays] | None = None  # the same


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batches of one process of a training: `prepare` on a CPU, then `finish` on the device.

    A batch holds examples with ground truth or, with --pairs in every second step, photographs; never both. These have
    labels while the matching alone is trained. Can be pickled.
    """

    options: TrainOptions
    rank: int = 0
    ranks: int = 1
    mode: Mode = "joint"  # decides whether true stitches and labels are needed

    def prepare(self, step: int) -> Prepared:
        """The first part. Raises InputError where the data cannot be used."""
        options = self.options
        photo_steps = photo_steps_before(step, options)
        if photo_steps_before(step + 1, options) > photo_steps:
            with_labels = tasks_at(step, self.mode, options) == MATCHING_TASKS
            return self._prepare_photographed(photo_steps * self.ranks + self.rank, with_labels)
        number = (step - photo_steps) * self.ranks + self.rank
        moved = self._moved(number)
        first = number * options.batch_size - moved.start  # of the positions of stored or rendered pairs
        source, order = _truth(options)
        positions = range(first, first + options.batch_size - len(moved))
        indices = [position if order is None else order[position] for position in positions]
        return Prepared(number, pairs=source.prepare(indices) if indices else [])

    def finish(self, prepared: Prepared, device: torch.device) -> ExampleBatch:
        """The second part: what photographs move to, lessons, photometry."""
        options, number = self.options, prepared.number
        if prepared.photographed is not None:
            return collate_examples(prepared.photographed, device, prepared.indices)
        seed = np.random.SeedSequence([options.seed, number]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(seed[0] >> np.uint64(1)))
        parts = self._pairs_with_truth(prepared, device)
        lesson = LessonOptions(options.size, options.raw_share, "stitch" in tasks_of(self.mode, options))
        return photographed(join_examples([teach(part, lesson, generator) for part in parts]), generator)

    def _pairs_with_truth(self, prepared: Prepared, device: torch.device) -> list[PairBatch]:
        if prepared.labelled is not None:
            return [collate([pair], device) for pair in prepared.labelled]  # each of its own size
        parts = [_truth(self.options)[0].finish(prepared.pairs, device)] if prepared.pairs else []
        moved = self._moved(prepared.number)
        return [*parts, _photographs(self.options, device)(moved)] if moved else parts

    def _prepare_photographed(self, number: int, with_labels: bool) -> Prepared:
        options = self.options
        pairs = photographed_pairs(options)
        order = EpochOrder(tuple(pairs.split()[0]), options.seed)
        first = number * options.batch_size
        indices = tuple(order[position] for position in range(first, first + options.batch_size))
        if with_labels:
            return Prepared(number, indices, labelled=list(map(labelled_pairs(options), indices)))
        return Prepared(number, indices, photographed=[pairs(index) for index in indices])

    def _moved(self, number: int) -> range:
        """Which moved photographs are in a batch."""
        size, share = self.options.batch_size, self.options.photograph_share
        return range(taken_before(number * size, share), taken_before((number + 1) * size, share))


def photographed(batch: ExampleBatch, generator: torch.Generator) -> ExampleBatch:
    """The batch as two cameras take it; the true stitch in the reference's tone."""
    assert batch.truth is not None
    clean = Windows(batch.reference, batch.target, batch.truth.stitched, batch.reference_valid, batch.target_valid)
    taken = photograph_windows(clean, generator)
    truth = replace(batch.truth, stitched=taken.stitched)
    return replace(batch, reference=taken.reference, target=taken.target, truth=truth)


@lru_cache(maxsize=1)
def _photographs(options: TrainOptions, device: torch.device) -> MovedPhotographs:
    return MovedPhotographs.load(options.textures, options.size, options.seed, device)


@lru_cache(maxsize=1)
def _truth(options: TrainOptions) -> tuple[StoredPairs | GeneratedPairs, EpochOrder | None]:
    """Where pairs with ground truth come from, and their order; None: in the order of their indices."""
    if options.data is None:
        streamed = replace(sample_options(options), supersampling=1)  # textures are filtered, and lessons resample
        return GeneratedPairs(streamed, options.seed, options.pairs_per_scene), None
    return StoredPairs(options.data), EpochOrder(tuple(lookup(options.data).indices), options.seed)


def photographed_pairs(options: TrainOptions) -> PhotographedPairs:
    """The source of --pairs to train on."""
    assert options.pairs is not None
    return PhotographedPairs(options.pairs, options.size, True, options.cache)


def labelled_pairs(options: TrainOptions) -> LabelledPairs:
    """The same pairs with labels."""
    assert options.pairs is not None
    return LabelledPairs(options.pairs, options.size, options.cache)


def sample_options(options: TrainOptions) -> SampleOptions:
    """Of samples that are generated for a training."""
    return SampleOptions(size=options.size, textures=options.textures)
