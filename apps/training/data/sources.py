"""Sources of training examples: a generated data set, the generator itself, photographed pairs; a cache of them.

All can be pickled: processes that prepare examples get a copy. What is costly to open is opened once in each process.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apps.pair_folders import PairFiles, find_pairs
from datasets.arrays import Pixels
from datasets.engines import job_error
from datasets.examples.example import Example, example_of, make_example
from datasets.examples.example_files import load_example, save_example
from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.storage.folder import read_sample
from datasets.storage.reading import read_records
from datasets.storage.records import Record, read_description
from stitching.errors import InputError, JobError
from stitching.geometry.pixel_maps import Size
from stitching.io.files import atomic_write, check_folder
from stitching.io.picture import to_8_bit
from stitching.io.picture_reader import read_picture

MAX_VALIDATION_PAIRS = 32  # photographed pairs that are not trained on

_CACHE_FORMAT = 2  # of labels and files of a cache

Source = Callable[[int], Example]  # index -> example


@dataclass(frozen=True)
class FolderSource:
    """Examples of a data set that `parastitch generate` wrote as a folder.

    size: (width, height) of the window, px.
    jitter_alignment: make some coarse alignments worse, as they are on hard pairs.
    """

    folder: Path
    size: Size
    jitter_alignment: bool

    @property
    def label(self) -> dict[str, Any]:
        """What a cache of its examples is labelled with; paths are written as text."""
        return {"source": "folder"} | asdict(self)

    def __call__(self, index: int) -> Example:
        """The example of sample `index`. Raises InputError where a file is missing or damaged."""
        sample = read_sample(self.folder, _records(self.folder)[index])
        return example_of(sample, self.size, _jitter_rng(self, index))

    @property
    def indices(self) -> list[int]:
        """Indices of all samples, in order. Raises InputError where there are none."""
        if read_description(self.folder).layout != "folder":
            raise InputError(f"{self.folder} holds shards, which cannot be read in any order; expected a folder")
        indices = sorted(_records(self.folder))
        if not indices:
            raise InputError(f"{self.folder} holds no sample; expected a data set that `parastitch generate` wrote")
        return indices


@cache
def _records(folder: Path) -> dict[int, Record]:
    return {record.index: record for record in read_records(folder)}


@dataclass(frozen=True)
class GeneratorSource:
    """Examples that are generated when they are asked for: sample `index` of a seed.

    jitter_alignment: as for FolderSource.
    """

    options: SampleOptions
    seed: int
    jitter_alignment: bool

    @property
    def label(self) -> dict[str, Any]:
        """As for FolderSource."""
        return {"source": "generator"} | asdict(self)

    def __call__(self, index: int) -> Example:
        """Make a sample and its example; textures are loaded at the first one."""
        sample = _renderer(self.options, self.seed)(index)
        return example_of(sample, self.options.size, _jitter_rng(self, index))


@lru_cache(maxsize=1)
def _renderer(options: SampleOptions, seed: int) -> SampleRenderer:
    return open_renderer(options, seed)


@dataclass(frozen=True)
class PairSource:
    """Examples without ground truth, of photographed pairs as `apps.pair_folders.find_pairs` finds them in a folder.

    The index of a pair is a hash of its name, so that it stays when other pairs join the folder.

    size, jitter_alignment: as for FolderSource.
    """

    folder: Path
    size: Size
    jitter_alignment: bool

    @property
    def label(self) -> dict[str, Any]:
        """As for FolderSource."""
        return {"source": "pairs"} | asdict(self)

    def __call__(self, index: int) -> Example:
        """The example of pair `index`. Raises InputError where a picture is damaged or transparent in part."""
        files = _pair_files(self.folder)[index]
        reference, target = _photograph(files.reference, self.size), _photograph(files.target, self.size)
        try:
            return make_example(reference, target, None, self.size, _jitter_rng(self, index))
        except (InputError, JobError):
            raise
        except Exception as error:  # a defect: the index alone would not say which pair it is
            raise job_error(f"the example of {files.reference} and {files.target}", error) from error

    def split(self) -> tuple[list[int], list[int]]:
        """Indices to train on, and to validate on: a tenth of them; of fewer than ten pairs, all for both.

        Raises InputError where there are none.
        """
        indices = sorted(_pair_files(self.folder))
        kept = min(MAX_VALIDATION_PAIRS, len(indices) // 10)
        return indices[kept:], indices[:kept] or indices


@cache
def _pair_files(folder: Path) -> dict[int, PairFiles]:
    """The pairs of a folder by their index."""
    return {
        int.from_bytes(blake2b(os.fsencode(files.name), digest_size=7).digest(), "big"): files
        for files in find_pairs(folder)
    }


def _photograph(path: Path, size: Size) -> Pixels:
    """(h, w, 3) BGR, reduced to at most as many pixels as the window has, as generated pictures are."""
    picture = read_picture(path)
    if picture.valid is not None:
        raise InputError(f"{path}: transparent in part; expected an opaque photograph")
    pixels = to_8_bit(picture.pixels)
    scale = float(np.sqrt(np.prod(size) / np.prod(picture.size)))
    small = pixels if scale >= 1 else cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _jitter_rng(source: FolderSource | GeneratorSource | PairSource, index: int) -> np.random.Generator | None:
    """Random numbers for `datasets.examples`' alignment jitter, a stream of its own for each example."""
    return np.random.default_rng(index) if source.jitter_alignment else None


@dataclass(frozen=True)
class CachedSource:
    """A source whose examples are written to a folder when they are first asked for, and read from there afterwards."""

    source: FolderSource | GeneratorSource | PairSource
    folder: Path

    def __post_init__(self) -> None:
        """Label the folder. Raises InputError where it cannot be written or holds examples of another source."""
        label = json.dumps({"format": _CACHE_FORMAT} | self.source.label, default=os.fspath, sort_keys=True)
        path = self.folder / "examples.json"
        if path.exists() and path.read_text() != label:
            raise InputError(f"{self.folder} holds examples of {path.read_text()}; choose another --cache for {label}")
        check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            temporary.write_text(label)

    def __call__(self, index: int) -> Example:
        """Read the example, or make and write it. Raises InputError where its file is damaged."""
        path = self.folder / f"{index:06d}.safetensors"
        if not path.exists():
            save_example(path, self.source(index))
        return load_example(path)  # never the example just made: what is read is rounded, and runs must repeat
