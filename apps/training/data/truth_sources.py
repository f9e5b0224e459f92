"""Where pairs with ground truth come from: a stored data set, or the generator itself.

A source works in two parts: `prepare` on a CPU, in other processes ahead of time, and `finish` where the batch is
wanted. What is costly to open is opened once in each process; sources can be pickled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from datasets.options import SampleOptions
from datasets.pair_batch import PairArrays, PairBatch, arrays_of, collate
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.storage.lookup import SampleLookup


@dataclass(frozen=True)
class StoredPairs:
    """Pairs of a data set that `parastitch generate` wrote as a folder, by their index."""

    folder: Path

    def prepare(self, indices: Sequence[int]) -> list[PairArrays]:
        """Read pairs. Raises InputError where a file is missing or damaged."""
        return [arrays_of(lookup(self.folder)[index]) for index in indices]

    def finish(self, prepared: list[PairArrays], device: torch.device) -> PairBatch:
        """Put them on the device."""
        return collate(prepared, device)


@lru_cache(maxsize=4)
def lookup(folder: Path) -> SampleLookup:
    """The samples of a data set. Raises InputError where there are none."""
    return SampleLookup(folder)


@dataclass(frozen=True)
class GeneratedPairs:
    """Pairs that are rendered when they are asked for: sample `index` of a seed."""

    options: SampleOptions
    seed: int

    def prepare(self, indices: Sequence[int]) -> list[PairArrays]:
        """Render pairs; textures are loaded at the first one."""
        return [arrays_of(renderer(self.options, self.seed)(index)) for index in indices]

    def finish(self, prepared: list[PairArrays], device: torch.device) -> PairBatch:
        """Put them on the device."""
        return collate(prepared, device)


@lru_cache(maxsize=2)
def renderer(options: SampleOptions, seed: int) -> SampleRenderer:
    """A renderer on the CPU."""
    return open_renderer(options, seed)
