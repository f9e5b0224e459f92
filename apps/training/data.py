"""Where training examples come from, in an order that depends on nothing but the seed and the step."""

import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from itertools import count, islice, repeat, tee
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from apps.pair_folders import PairFiles, find_pairs
from apps.training.options import TrainOptions
from datasets.engines import job_error, run_local, usable_cores
from datasets.examples.batch import ExampleBatch, collate_examples
from datasets.examples.example import Example, example_of, make_example
from datasets.examples.files import load_example, save_example
from datasets.examples.windows import Size
from datasets.options import SampleOptions
from datasets.sample import Pixels
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.storage.folder import read_sample
from datasets.storage.reading import read_records
from datasets.storage.records import Record, read_description
from stitching.errors import InputError, JobError
from stitching.io.files import atomic_write, check_folder
from stitching.io.picture import to_8_bit
from stitching.io.picture_reader import read_picture

VALIDATION_SEED, VALIDATION_COUNT = 0x76616C, 32  # samples to validate on where no data set is given

Source = Callable[[int], Example]  # can be pickled: processes get a copy of it


@dataclass(frozen=True)
class FromFolder:
    """Examples of a data set that `parastitch generate` wrote as a folder."""

    folder: Path
    size: Size
    jitter_alignment: bool  # make some coarse alignments worse

    def __call__(self, index: int) -> Example:
        """The example of sample `index`. Raises InputError where a file is missing or damaged."""
        sample = read_sample(self.folder, _records(self.folder)[index])
        return example_of(sample, self.size, np.random.default_rng(index) if self.jitter_alignment else None)

    @property
    def indices(self) -> list[int]:
        """Of all samples that are there. Raises InputError where that are none."""
        if read_description(self.folder).layout != "folder":
            raise InputError(f"{self.folder} holds shards, which cannot be read in any order; expected a folder")
        indices = sorted(_records(self.folder))
        if not indices:
            raise InputError(f"{self.folder} holds no sample; expected a data set that `parastitch generate` wrote")
        return indices


@cache
def _records(folder: Path) -> dict[int, Record]:
    return {record.index: record for record in read_records(folder)}


@dataclass
class FromGenerator:
    """Examples made anew: sample `index` of a seed."""

    options: SampleOptions
    seed: int
    jitter_alignment: bool
    _renderer: SampleRenderer | None = field(default=None, repr=False)

    def __call__(self, index: int) -> Example:
        """Make a sample and its example; textures are loaded at the first one."""
        self._renderer = self._renderer or open_renderer(self.options, self.seed)
        return example_of(
            self._renderer(index), self.options.size, np.random.default_rng(index) if self.jitter_alignment else None
        )

    def __getstate__(self) -> dict[str, object]:
        """Each process opens a renderer of its own."""
        return self.__dict__ | {"_renderer": None}


@dataclass
class FromPairs:
    """Examples without a truth, of photographed pairs as `apps.pair_folders.find_pairs` finds them in a folder.

    Raises InputError where there are none.
    """

    folder: Path
    size: Size
    jitter_alignment: bool
    _files: dict[int, PairFiles] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._files = _pairs(self.folder)

    def __call__(self, index: int) -> Example:
        """The example of pair `index`. Raises InputError where a picture is damaged or transparent in part."""
        files = self._files[index]
        reference, target = _photograph(files.reference, self.size), _photograph(files.target, self.size)
        rng = np.random.default_rng(index) if self.jitter_alignment else None
        try:
            return make_example(reference, target, None, self.size, rng)
        except (InputError, JobError):
            raise
        except Exception as error:  # a defect, of which the caller knows the number alone
            raise job_error(f"the example of {files.reference} and {files.target}", error) from error

    def split(self) -> tuple[list[int], list[int]]:
        """Pairs to train on, and to validate on: a tenth, which is not trained on; below ten pairs, all are both."""
        indices = sorted(self._files)
        kept = min(VALIDATION_COUNT, len(indices) // 10)
        return indices[kept:], indices[:kept] or indices


@cache
def _pairs(folder: Path) -> dict[int, PairFiles]:
    """Pairs by a number made from their name, which stays when others join them."""
    return {
        int.from_bytes(blake2b(os.fsencode(files.name), digest_size=7).digest(), "big"): files
        for files in find_pairs(folder)
    }


def _photograph(path: Path, size: Size) -> Pixels:
    """A photograph with no more pixels than the window, as generated ones have."""
    picture = read_picture(path)
    if picture.valid is not None:
        raise InputError(f"{path}: transparent in part; expected an opaque photograph")
    pixels = to_8_bit(picture.pixels)
    scale = float(np.sqrt(np.prod(size) / np.prod(picture.size)))
    small = pixels if scale >= 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


@dataclass(frozen=True)
class Cached:
    """Examples of a source, kept in a folder once they were made."""

    source: FromFolder | FromGenerator | FromPairs
    folder: Path

    def __post_init__(self) -> None:
        """Raise InputError where the folder cannot be written or holds examples of another source."""
        label, path = json.dumps(repr(self.source)), self.folder / "examples.json"
        if path.exists() and path.read_text() != label:
            raise InputError(f"{self.folder} holds examples of {path.read_text()}; choose another --cache for {label}")
        check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(label)

    def __call__(self, index: int) -> Example:
        """Read, or make and keep. Raises InputError where the file is damaged."""
        path = self.folder / f"{index:06d}.safetensors"
        if not path.exists():
            save_example(path, self.source(index))
        return load_example(path)  # rounded from the first time on, so that runs can be repeated


@dataclass(frozen=True)
class Both:
    """Generated examples, and photographs: index i of these is called -1 - i."""

    generated: Source
    photographs: Source

    def __call__(self, index: int) -> Example:
        """The example of that index of one of the two."""
        return self.generated(index) if index >= 0 else self.photographs(-1 - index)


def training_set(options: TrainOptions) -> tuple[int, int] | None:
    """Numbers below which all samples lie, and how many there are; None where they are made without end.

    Raises InputError as FromFolder.
    """
    if options.data is None:
        return None
    indices = FromFolder(options.data, options.size, jitter_alignment=True).indices
    return indices[-1] + 1, len(indices)


def photographs_before(step: int, options: TrainOptions) -> int:
    """How many steps before `step` train on photographs: with pairs, every second one once matching is learned."""
    return 0 if options.pairs is None else max(0, step - options.matching_steps) // 2


def shuffled(indices: Sequence[int], seed: int, first: int) -> Iterator[int]:
    """All indices again and again, each epoch in another order; from place `first` of the endless row on."""
    for epoch in count(first // len(indices)):
        order = np.random.default_rng((seed, epoch)).permutation(indices)
        yield from order[first % len(indices) :].tolist()
        first = 0


def batches(
    source: Source, order: Iterable[int], batch_size: int, workers: int, device: torch.device
) -> Generator[ExampleBatch, None, None]:
    """Batches of the examples of `order`, made by that many processes ahead of time; the last one may be smaller.

    Raises InputError and JobError as the source does; JobError where a process dies.
    """
    order, sample_ids = tee(order)
    with closing(run_local(source, order, workers)) as examples:
        while batch := list(islice(examples, batch_size)):
            yield collate_examples(batch, device, list(islice(sample_ids, len(batch))))


def training_batches(
    options: TrainOptions, step: int, device: torch.device, rank: int = 0, ranks: int = 1
) -> Generator[ExampleBatch, None, None]:
    """Batches without end, from a step of the run on; each rank of a distributed training takes its own.

    A batch holds generated examples or photographs, never both. Raises InputError where the data cannot be used.
    """
    step = 0 if options.overfit_batch else step  # a continued run goes on with the same batch
    together = options.batch_size * ranks  # examples in a step
    first = (step - photographs_before(step, options)) * together
    made: FromFolder | FromGenerator
    order: Iterator[int]
    if options.data is None:
        made, order = FromGenerator(_samples(options), options.seed, jitter_alignment=True), count(first)
    else:
        made = folder = FromFolder(options.data, options.size, jitter_alignment=True)
        order = shuffled(folder.indices, options.seed, first)
    source: Source = made if options.cache is None else Cached(made, options.cache)
    if options.pairs is not None:
        pairs = FromPairs(options.pairs, options.size, jitter_alignment=True)
        photographs = shuffled(pairs.split()[0], options.seed, photographs_before(step, options) * together)
        source = Both(source, pairs if options.cache is None else Cached(pairs, options.cache / "pairs"))
        order = _alternating(order, (-1 - index for index in photographs), step, options, together)
    workers = usable_cores() - 1 if options.workers is None else options.workers
    with closing(batches(source, islice(order, rank, None, ranks), options.batch_size, workers, device)) as ready:
        if options.overfit_batch:
            yield from repeat(next(ready))
        yield from ready


def _alternating(
    generated: Iterator[int], photographs: Iterator[int], step: int, options: TrainOptions, together: int
) -> Iterator[int]:
    """Indices from a step on, `together` for each step."""
    for number in count(step):
        photographed = photographs_before(number + 1, options) > photographs_before(number, options)
        yield from islice(photographs if photographed else generated, together)


def validation_batches(options: TrainOptions, device: torch.device) -> list[ExampleBatch]:
    """The same few samples each time: the first ones of --validation, else some that no training sees; then pairs."""
    source: Source
    pairs = None if options.pairs is None else FromPairs(options.pairs, options.size, jitter_alignment=False)
    if options.validation is not None:
        source = folder = FromFolder(options.validation, options.size, jitter_alignment=False)
        chosen = folder.indices[:VALIDATION_COUNT]
    else:
        source = FromGenerator(_samples(options), VALIDATION_SEED, jitter_alignment=False)
        chosen = list(range(VALIDATION_COUNT))
    checks = list(batches(source, chosen, options.batch_size, 0, device))
    if pairs is not None:
        checks += batches(pairs, pairs.split()[1], options.batch_size, 0, device)
    return checks


def _samples(options: TrainOptions) -> SampleOptions:
    return SampleOptions(size=options.size, textures=options.textures)


def mirrored(batch: ExampleBatch) -> ExampleBatch:
    """The batch with left and right exchanged, its truth too."""
    turned = _turned(batch, "start")
    truth = batch.truth
    if truth is None:
        return replace(batch, **turned)
    maps = _turned(truth, "residual")
    last = batch.reference.shape[3] - 1
    mirror = truth.fundamental.new_tensor([[-1, 0, last], [0, 1, 0], [0, 0, 1]])
    fundamental = mirror.T @ truth.fundamental @ mirror
    fundamental = fundamental / fundamental.flatten(1).norm(dim=1)[:, None, None]
    segments = truth.segments * truth.segments.new_tensor([-1, 1]) + truth.segments.new_tensor([last, 0])
    return replace(batch, **turned, truth=replace(truth, **maps, fundamental=fundamental, segments=segments))


def _turned(maps: object, displacement: str) -> dict[str, Any]:
    """All (b, c, h, w) of a batch, columns in reverse; the displacement points the other way."""
    turned = {name: value.flip(3) for name, value in vars(maps).items() if getattr(value, "ndim", 0) == 4}
    turned[displacement] = turned[displacement] * turned[displacement].new_tensor([-1, 1])[:, None, None]
    return turned
