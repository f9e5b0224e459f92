"""Where the benchmark's pictures and labels come from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from apps.benchmarking.settings import SCENES, DataSettings
from datasets.labels import Labels
from datasets.multitask import MultiTaskScenes
from datasets.options import SampleOptions
from datasets.public.opening import open_public
from datasets.scenes.scene import Kind
from stitching.errors import InputError

_SCENE_LABELS = {
    "segmentation": Labels("classes", len(Kind)),
    "depth": Labels("distance"),
    "normals": Labels("normals"),
    "edges": Labels("binary"),
}
_SCENE_SEEDS = {"train": 1, "test": 2, "validation": 3}
_TEST_SPLITS = {"surreal": "test"}  # of others "val": their test labels are nowhere or not public
_CHOOSING = 0x76616C  # keeps these random numbers apart from others

Item = tuple[Tensor, Mapping[str, Tensor]]  # image (3, h, w) float32 BGR in 0 .. 1, label maps by task


@dataclass(frozen=True, eq=False)
class Source:
    """Items, and what is known about them.

    Attributes:
        items: one after the other, as often as asked for.
        count: how many.
        labels: by task, what its maps mean.
        corrupted: by task (count,) which items have another one's label; tasks without any are missing.
    """

    items: Iterable[Item]
    count: int
    labels: Mapping[str, Labels]
    corrupted: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


def open_source(settings: DataSettings, part: str, cache: Path | None) -> Source:
    """A part of a data set: "train", "validation" or "test". Raises InputError, JobError as what reads it."""
    return _open_scenes(settings, part, cache) if settings.name == SCENES else _open_public(settings, part)


def _open_scenes(settings: DataSettings, part: str, cache: Path | None) -> Source:
    wrong = {settings.noisy: settings.share} if settings.share and part == "train" else {}
    count = settings.counts[part]
    assert count is not None
    scenes = MultiTaskScenes(count, _SCENE_SEEDS[part], SampleOptions(size=settings.size), wrong)
    images, maps = scenes.tensors(cache)
    items = ((image, {task: maps[task][place] for task in maps}) for place, image in enumerate(images))
    return Source(items, count, _SCENE_LABELS, {task: scenes.corrupted(task) for task in wrong})


def _open_public(settings: DataSettings, part: str) -> Source:
    """Validation pictures are some of the training split's, the same for every count of training pictures."""
    split = _TEST_SPLITS.get(settings.name, "val") if part == "test" else "train"
    data = open_public(settings.name, Path(settings.folder), split, settings.size)
    order = np.arange(len(data))
    if part != "test":
        order = np.random.default_rng(_CHOOSING).permutation(order)
        order = order[: settings.validation] if part == "validation" else order[settings.validation :]
    chosen = np.sort(order[: settings.counts[part]])
    if not len(chosen) or (part == "train" and len(chosen) < 2):
        raise InputError(f"{settings.folder}: {len(data)} items of {split} are too few for {part}; lower --validation")
    return Source((data[int(place)] for place in chosen), len(chosen), data.labels)
