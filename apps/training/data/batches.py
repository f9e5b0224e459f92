"""Batches of examples for training and validation, made by other processes ahead of time."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count, repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from apps.training.data.batch_maker import BatchMaker, labelled_pairs, photographed_pairs, sample_options
from apps.training.data.photographed_pairs import PhotographedPairs
from apps.training.data.truth_sources import lookup, renderer
from apps.training.options import Mode, TrainOptions
from datasets.engines import run_local, usable_cores
from datasets.examples.batch import ExampleBatch, collate_examples, map_tensors
from datasets.examples.example import Example, example_of
from datasets.pair_batch import PairArrays
from datasets.storage.lookup import SampleLookup
from stitching.geometry.pixel_maps import Size

VALIDATION_SEED, VALIDATION_COUNT = 0x76616C, 32  # of the samples to validate on where no data set is given


def training_indices(options: TrainOptions) -> list[int] | None:
    """Indices of --data, looked up anew, in order; None without it, where samples are generated endlessly.

    Raises as SampleLookup.
    """
    lookup.cache_clear()
    return None if options.data is None else lookup(options.data).indices


def training_batches(
    options: TrainOptions, step: int, device: torch.device, rank: int = 0, ranks: int = 1, mode: Mode = "joint"
) -> Generator[ExampleBatch, None, None]:
    """Batches without end, from a step of the run on; each rank of a distributed training takes its own.

    On a CPU processes make whole batches; for a GPU they do what a CPU does best, and the rest happens on the GPU.
    Raises InputError where the data cannot be used.

    mode: of the run. Where no task needs the true stitches, they are left out: they take a sixth of the time.
    """
    options = _located(options)
    training_indices(options)  # a data set that cannot be used is reported here, not by another process
    if options.pairs is not None:
        photographed_pairs(options).open()
    maker = BatchMaker(options, rank, ranks, mode)
    steps = count(0 if options.overfit_batch else step)  # a resumed run goes on with the same batch
    workers = usable_cores() - 1 if options.workers is None else options.workers
    with closing(_made(maker, steps, workers, device)) as batches:
        if options.overfit_batch:
            yield from repeat(next(batches))
        yield from batches


def _located(options: TrainOptions) -> TrainOptions:
    """With absolute paths: what was opened is remembered by its path."""
    paths = {name: getattr(options, name) for name in ("data", "textures", "pairs", "cache")}
    return replace(options, **{name: path.absolute() for name, path in paths.items() if path is not None})


def _made(
    maker: BatchMaker, steps: Iterator[int], workers: int, device: torch.device
) -> Generator[ExampleBatch, None, None]:
    if workers and device.type == "cpu":
        with closing(run_local(_WholeBatch(maker), steps, workers)) as arrays:
            yield from (map_tensors(batch, torch.from_numpy) for batch in arrays)
    else:
        with closing(run_local(maker.prepare, steps, workers)) as prepared:
            yield from (maker.finish(part, device) for part in prepared)


@dataclass(frozen=True)
class _WholeBatch:
    """Makes batches of arrays, which other processes can be sent."""

    maker: BatchMaker

    def __call__(self, step: int) -> Any:
        return map_tensors(self.maker.finish(self.maker.prepare(step), torch.device("cpu")), Tensor.numpy)


def validation_batches(options: TrainOptions, device: torch.device) -> list[ExampleBatch]:
    """The same batches each time, with the alignment and the classical warp of `parastitch stitch`.

    They hold the first samples of --validation, else samples of another seed; then those of --pairs.
    """
    options = _located(options)
    if options.validation is not None:
        found = collated(
            stored_examples(options.validation, options.size, VALIDATION_COUNT), options.batch_size, device
        )
    else:
        make = renderer(sample_options(options), VALIDATION_SEED)
        rendered = ((index, example_of(make(index), options.size)) for index in range(VALIDATION_COUNT))
        found = collated(rendered, options.batch_size, device)
    if options.pairs is not None:
        pairs = PhotographedPairs(options.pairs, options.size, jitter_alignment=False)
        found += collated(((index, pairs(index)) for index in pairs.split()[1]), options.batch_size, device)
    return found


def validation_labels(options: TrainOptions) -> Iterator[PairArrays]:
    """Photographed pairs of --pairs that are not trained on, with labels; see `LabelledPairs`."""
    options = _located(options)
    pairs = photographed_pairs(options)
    return map(labelled_pairs(options), pairs.split()[1])


def stored_examples(folder: Path, size: Size, limit: int | None = None) -> Iterator[tuple[int, Example]]:
    """Index and example of the samples of a data set, at most `limit`. Raises InputError where it cannot be used."""
    samples = SampleLookup(folder)
    return ((index, example_of(samples[index], size)) for index in samples.indices[:limit])


def collated(examples: Iterable[tuple[int, Example]], batch_size: int, device: torch.device) -> list[ExampleBatch]:
    """Batches of examples with their indices; the last one may be smaller."""
    ordered = list(examples)
    parts = [ordered[k : k + batch_size] for k in range(0, len(ordered), batch_size)]
    return [collate_examples([one for _, one in part], device, [index for index, _ in part]) for part in parts]
