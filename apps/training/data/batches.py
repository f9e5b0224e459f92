"""Batches of examples for training and validation, made by other processes ahead of time."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice, repeat, tee

import torch

from apps.training.data.order import ExampleKey, SourceName, example_order, photo_steps_before, shuffled
from apps.training.data.sources import CachedSource, FolderSource, GeneratorSource, PairSource, Source
from apps.training.options import TrainOptions
from datasets.engines import run_local, usable_cores
from datasets.examples.batch import ExampleBatch, collate_examples
from datasets.examples.example import Example
from datasets.options import SampleOptions

VALIDATION_SEED, VALIDATION_COUNT = 0x76616C, 32  # of the samples to validate on where no data set is given


@dataclass(frozen=True)
class KeyedSources:
    """The sources of a training by name; makes the example of a key. Processes get a copy of it."""

    sources: dict[SourceName, Source]

    def __call__(self, key: ExampleKey) -> Example:
        """The example of that key; raises what its source does."""
        return self.sources[key.source](key.index)


def training_indices(options: TrainOptions) -> list[int] | None:
    """Indices of --data in order; None without it, where samples are generated endlessly. Raises as FolderSource."""
    return None if options.data is None else FolderSource(options.data, options.size, jitter_alignment=True).indices


def batches(
    make_example: Callable[[ExampleKey], Example],
    keys: Iterable[ExampleKey],
    batch_size: int,
    workers: int,
    device: torch.device,
) -> Generator[ExampleBatch, None, None]:
    """Batches of the examples of `keys`, in order; the last one may be smaller.

    Args:
        make_example: can be pickled.
        keys: may be endless.
        batch_size: examples in a batch.
        workers: processes that make examples ahead of time; 0: this process makes them when they are asked for.
        device: where the batches are put.

    Raises InputError and JobError as `make_example` does; JobError where a process dies.
    """
    keys, keys_of_batches = tee(keys)
    with closing(run_local(make_example, keys, workers)) as examples:
        while batch := list(islice(examples, batch_size)):
            yield collate_examples(batch, device, [key.index for key in islice(keys_of_batches, len(batch))])


def training_batches(
    options: TrainOptions, step: int, device: torch.device, rank: int = 0, ranks: int = 1
) -> Generator[ExampleBatch, None, None]:
    """Batches without end, from a step of the run on; each rank of a distributed training takes its own.

    A batch holds generated examples or photographs, never both. Raises InputError where the data cannot be used.
    """
    first_step = 0 if options.overfit_batch else step  # a resumed run goes on with the same batch
    examples_per_step = options.batch_size * ranks
    photo_steps = photo_steps_before(first_step, options)
    source, generated = _generated(options, (first_step - photo_steps) * examples_per_step)
    sources: dict[SourceName, Source] = {"generated": source}
    photographs: Iterator[int] = iter(())
    if options.pairs is not None:
        pairs = PairSource(options.pairs, options.size, jitter_alignment=True)
        sources["photographs"] = pairs if options.cache is None else CachedSource(pairs, options.cache / "pairs")
        photographs = shuffled(pairs.split()[0], options.seed, photo_steps * examples_per_step)
    keys = example_order(generated, photographs, first_step, options, examples_per_step)
    own_keys = islice(keys, rank, None, ranks)
    workers = usable_cores() - 1 if options.workers is None else options.workers
    with closing(batches(KeyedSources(sources), own_keys, options.batch_size, workers, device)) as ready:
        if options.overfit_batch:
            yield from repeat(next(ready))
        yield from ready


def _generated(options: TrainOptions, start: int) -> tuple[Source, Iterator[int]]:
    """The source of generated examples, and its indices from position `start` of their order on."""
    source: FolderSource | GeneratorSource
    order: Iterator[int]
    if options.data is None:
        source, order = GeneratorSource(_sample_options(options), options.seed, jitter_alignment=True), count(start)
    else:
        source = folder = FolderSource(options.data, options.size, jitter_alignment=True)
        order = shuffled(folder.indices, options.seed, start)
    return source if options.cache is None else CachedSource(source, options.cache), order


def validation_batches(options: TrainOptions, device: torch.device) -> list[ExampleBatch]:
    """The same batches each time: the first samples of --validation, else samples of another seed; then of --pairs."""
    sources: dict[SourceName, Source] = {}
    indices: dict[SourceName, list[int]] = {}
    if options.validation is not None:
        sources["generated"] = folder = FolderSource(options.validation, options.size, jitter_alignment=False)
        indices["generated"] = folder.indices[:VALIDATION_COUNT]
    else:
        sources["generated"] = GeneratorSource(_sample_options(options), VALIDATION_SEED, jitter_alignment=False)
        indices["generated"] = list(range(VALIDATION_COUNT))
    if options.pairs is not None:
        sources["photographs"] = pairs = PairSource(options.pairs, options.size, jitter_alignment=False)
        indices["photographs"] = pairs.split()[1]
    found: list[ExampleBatch] = []
    for name in sources:  # a batch has examples of one source
        keys = [ExampleKey(name, index) for index in indices[name]]
        found += batches(KeyedSources(sources), keys, options.batch_size, 0, device)
    return found


def _sample_options(options: TrainOptions) -> SampleOptions:
    return SampleOptions(size=options.size, textures=options.textures)
