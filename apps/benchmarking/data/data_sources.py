"""Where the benchmark's pictures and labels come from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.benchmarking.experiment.choices import DIGITS, PUBLIC, SCENES, VIEWS
from apps.benchmarking.experiment.settings import DataSettings
from datasets.labels import Item, Labels
from datasets.multitask import views
from datasets.multitask.rendered_set import RenderedSet
from datasets.multitask.scenes import MultiTaskScenes
from datasets.multitask.views import MultiTaskViews
from datasets.options import SampleOptions
from datasets.overlaid_digits import LABELS as DIGIT_LABELS
from datasets.overlaid_digits import OverlaidDigits
from datasets.public.registry import open_public
from stitching.errors import require

_RENDERED: Mapping[str, tuple[type[RenderedSet], SampleOptions]] = {
    SCENES: (MultiTaskScenes, SampleOptions()),
    VIEWS: (MultiTaskViews, views.OPTIONS),
}
_SCENE_SEEDS = {"train": 1, "test": 2, "validation": 3}
_TEST_SPLITS = {"surreal": "test"}  # of the others "val": their test labels are missing or not public
_VALIDATION_SEED = 0x76616C  # of the choice of validation pictures


@dataclass(frozen=True, eq=False)
class DataSource:
    """The items of one part of a data set, and what is known about them.

    Attributes:
        items: one after the other: image (3 or 6, h, w) float32 BGR in 0 .. 1, label maps by task.
        count: number of items.
        labels: by task, what its maps mean.
        corrupted: by task (count,) which items have another one's label; tasks without any are missing.
    """

    items: Iterable[Item]
    count: int
    labels: Mapping[str, Labels]
    corrupted: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


def open_data_source(settings: DataSettings, part: str, cache: Path | None) -> DataSource:
    """A part of a data set: "train", "validation" or "test". Raises InputError, JobError as what reads it."""
    if settings.name in PUBLIC:
        return _open_public(settings, part)
    count = settings.counts[part]
    assert count is not None
    corrupt = {settings.noisy: settings.share} if settings.share and part == "train" else {}
    if settings.name == DIGITS:
        digits = OverlaidDigits(part, count, settings.size, seed=0, corrupt=corrupt)
        corrupted = {task: digits.corrupted(task) for task in corrupt}
        return DataSource((digits[index] for index in range(count)), count, DIGIT_LABELS, corrupted)
    rendered_set, options = _RENDERED[settings.name]
    rendered = rendered_set(count, _SCENE_SEEDS[part], replace(options, size=settings.size), corrupt)
    corrupted = {task: rendered.corrupted(task) for task in corrupt}
    return DataSource(_rendered_items(rendered, cache), count, rendered.labels, corrupted)


def _rendered_items(rendered: RenderedSet, cache: Path | None) -> Iterator[Item]:
    images, maps = rendered.tensors(cache)
    for index, image in enumerate(images):
        yield image, {task: maps[task][index] for task in maps}


def _open_public(settings: DataSettings, part: str) -> DataSource:
    """Validation pictures are some of the training split's, the same for every count of training pictures."""
    split = _TEST_SPLITS.get(settings.name, "val") if part == "test" else "train"
    data = open_public(settings.name, Path(settings.folder), split, settings.size)
    order = np.arange(len(data))
    if part != "test":
        order = np.random.default_rng(_VALIDATION_SEED).permutation(order)
        order = order[: settings.validation] if part == "validation" else order[settings.validation :]
    held = f"{settings.folder}: {len(data)} pictures in its split {split}, --validation {settings.validation}"
    require(part != "train" or len(order) > 1, held, "two pictures or more besides those of --validation, to train on")
    wanted = settings.counts[part]
    received = f"--{part} {wanted}, {settings.folder}"
    require(wanted is None or wanted <= len(order), received, f"at most {len(order)}, which {split} has for it")
    chosen = np.sort(order[:wanted])
    return DataSource((data[int(index)] for index in chosen), len(chosen), data.labels)
