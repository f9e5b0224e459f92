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
from datasets.pair_batch import PairArrays, PairBatch, collate
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.scene_sampler import SampledScene
from datasets.storage.lookup import SampleLookup


@dataclass(frozen=True)
class StoredPairs:
    """Pairs of a data set that `parastitch generate` wrote as a folder, by their index."""

    folder: Path

    def prepare(self, indices: Sequence[int]) -> list[PairArrays]:
        """Read pairs. Raises InputError where a file is missing or damaged."""
        return [lookup(self.folder).pair(index) for index in indices]

    def finish(self, prepared: list[PairArrays], device: torch.device) -> PairBatch:
        """Put them on the device."""
        return collate(prepared, device)


@lru_cache(maxsize=1)
def lookup(folder: Path) -> SampleLookup:
    """The samples of a data set as it was at the first call. Raises InputError where there are none."""
    return SampleLookup(folder)


@dataclass(frozen=True)
class GeneratedPairs:
    """Pairs that are rendered when they are asked for: sample `index` of a seed, several of each scene."""

    options: SampleOptions
    seed: int
    pairs_per_scene: int

    def prepare(self, indices: Sequence[int]) -> list[SampledScene]:
        """Build the scenes; textures are loaded at the first ones."""
        return self._renderer("cpu").sample_scene.together(indices)

    def finish(self, prepared: list[SampledScene], device: torch.device) -> PairBatch:
        """Render the pairs on the device."""
        return self._renderer(str(device)).render_batch(prepared)

    def _renderer(self, device: str) -> SampleRenderer:
        return renderer(self.options, self.seed, device, self.pairs_per_scene)


@lru_cache(maxsize=3)
def renderer(options: SampleOptions, seed: int, device: str = "cpu", pairs_per_scene: int = 1) -> SampleRenderer:
    """A renderer of this process."""
    return open_renderer(options, seed, device, pairs_per_scene)
