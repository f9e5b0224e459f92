"""A data set made ready for many runs: once rendered, or read and resized, then plain arrays on disk."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.benchmarking.data import IMAGE, Examples
from apps.benchmarking.losses import Scale, measure_scale
from apps.benchmarking.settings import PARTS, DataSettings
from apps.benchmarking.sources import Source, open_source
from datasets.labels import Labels
from stitching.errors import InputError, JobError
from stitching.io.files import replacing

_FACTS = "facts.json"  # written last: a folder without it is unfinished


@dataclass(frozen=True, eq=False)
class BenchmarkData:
    """A data set, split.

    Attributes:
        labels: by task, what its maps mean.
        scales: by task, measured on the training labels.
        train, validation, test: examples; only training labels may be wrong.
        corrupted: by task (n,) which training examples have another one's label; tasks without any are missing.
    """

    labels: Mapping[str, Labels]
    scales: Mapping[str, Scale]
    train: Examples
    validation: Examples
    test: Examples
    corrupted: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def only(self, tasks: Iterable[str]) -> "BenchmarkData":
        """With these tasks alone."""
        labels = {task: self.labels[task] for task in tasks}
        train, validation, test = (Examples(part.arrays, labels) for part in (self.train, self.validation, self.test))
        return replace(self, labels=labels, train=train, validation=validation, test=test)


def prepare(settings: DataSettings, folder: Path, cache: Path | None) -> BenchmarkData:
    """The data set in `folder`, made now where it is not there.

    cache: where rendered scenes are kept for other folders, too.
    Raises InputError where the data cannot be used or `folder` holds others, JobError where it cannot be written.
    """
    if not (folder / _FACTS).exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            facts = [_write(open_source(settings, part, cache), folder / part) for part in PARTS]
        except OSError as error:
            raise JobError(f"cannot write {folder}: {error.strerror or error}") from error
        with replacing(folder / _FACTS) as path:
            path.write_text(json.dumps({"settings": settings.as_dict(), **facts[PARTS.index("train")]}, indent=1))
    return _read(settings, folder)


def _write(source: Source, folder: Path) -> dict[str, Any]:
    """Put the items of a part into arrays; returns what is to be known about them."""
    folder.mkdir(exist_ok=True)
    items = iter(source.items)
    first = next(items)
    arrays = {name: _create(folder / f"{name}.npy", source, name, maps.shape) for name, maps in _named(first).items()}
    for place, item in enumerate(chain([first], items)):
        for name, maps in _named(item).items():
            arrays[name][place] = maps
    for array in arrays.values():
        array.flush()
    examples = Examples(arrays, source.labels)
    scales = {task: measure_scale(meaning, examples.maps(task)) for task, meaning in source.labels.items()}
    return {
        "labels": {task: asdict(meaning) for task, meaning in source.labels.items()},
        "scales": {task: asdict(scale) for task, scale in scales.items()},
        "corrupted": {task: np.flatnonzero(wrong).tolist() for task, wrong in source.corrupted.items()},
    }


def _named(item: tuple[Any, Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    image, labels = item
    return {IMAGE: (image * 255).round().numpy(), **{task: maps.numpy() for task, maps in labels.items()}}


def _create(path: Path, source: Source, name: str, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    large = name != IMAGE and source.labels[name].kind in ("distance", "normals")
    kind = np.float32 if large else np.uint8
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=(source.count, *shape))


def _read(settings: DataSettings, folder: Path) -> BenchmarkData:
    try:
        facts = json.loads((folder / _FACTS).read_text())
        if facts["settings"] != settings.as_dict():
            raise InputError(f"{folder}: holds {facts['settings']}, not {settings.as_dict()}; choose another output")
        labels = {task: Labels(**meaning) for task, meaning in facts["labels"].items()}
        train, validation, test = (_read_part(folder / part, labels) for part in PARTS)
        scales = {task: Scale(**scale) for task, scale in facts["scales"].items()}
        corrupted = {task: np.isin(np.arange(len(train)), wrong) for task, wrong in facts["corrupted"].items()}
    except InputError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: expected data that mtl-bench prepared; delete it, it is made anew") from error
    return BenchmarkData(labels, scales, train, validation, test, corrupted)


def _read_part(folder: Path, labels: Mapping[str, Labels]) -> Examples:
    names = [IMAGE, *labels]
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}
    return Examples(arrays, labels)
