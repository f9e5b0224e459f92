"""A data set prepared for many runs: rendered, or read and resized, once; then plain arrays on disk."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from apps.benchmarking.data.array_dataset import IMAGE, ArrayDataset
from apps.benchmarking.data.data_sources import DataSource, open_data_source
from apps.benchmarking.experiment.settings import PARTS, DataSettings
from apps.benchmarking.losses import LabelScale, measure_scale
from datasets.labels import LabelKind, Labels
from stitching.errors import InputError, JobError, require
from stitching.io.files import TEMPORARY

_FACTS = "facts.json"  # a folder without it is incomplete
_STORED_TYPES: dict[LabelKind, type[np.number[Any]]] = {
    "classes": np.uint8, "binary": np.uint8, "distance": np.float32, "normals": np.float32,
    "colour": np.float16, "motion": np.float32, "category": np.uint8, "number": np.float32,
}  # fmt: skip


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
    scales: Mapping[str, LabelScale]
    train: ArrayDataset
    validation: ArrayDataset
    test: ArrayDataset
    corrupted: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def with_tasks(self, tasks: Iterable[str]) -> "BenchmarkData":
        """The same data with the labels of these tasks only."""
        labels = {task: self.labels[task] for task in tasks}
        train, validation, test = (
            ArrayDataset(part.arrays, labels) for part in (self.train, self.validation, self.test)
        )
        return replace(self, labels=labels, train=train, validation=validation, test=test)


def prepare(settings: DataSettings, folder: Path, cache: Path | None) -> BenchmarkData:
    """The data set in `folder`, prepared now if missing.

    cache: folder where rendered scenes are kept for other benchmarks, too.
    Raises InputError where the data cannot be used or `folder` holds others, JobError where it cannot be written.
    """
    if not (folder / _FACTS).exists():
        parts = _open_parts(settings, cache)
        unfinished = folder.with_name(f"{TEMPORARY}{os.urandom(8).hex()}")
        try:
            unfinished.mkdir(parents=True)
            facts = [_write(parts[part], unfinished / part) for part in PARTS]
            written = {"settings": settings.as_dict(), **facts[PARTS.index("train")]}
            (unfinished / _FACTS).write_text(json.dumps(written, indent=1))
            _put_in_place(unfinished, folder)
        except OSError as error:
            raise JobError(f"cannot write {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return _read(settings, folder)


def read_labels(settings: DataSettings, folder: Path, cache: Path | None) -> Mapping[str, Labels]:
    """By task, what the label maps of the data set mean, in `folder` or as it would be prepared there.

    Raises InputError where the data cannot be used or `folder` holds others.
    """
    if (folder / _FACTS).exists():
        return _read(settings, folder).labels
    return open_data_source(settings, "train", cache).labels


def _open_parts(settings: DataSettings, cache: Path | None) -> dict[str, DataSource]:
    """All parts, by name; nothing is rendered or read before their items are taken.

    Raises InputError where a part is missing, or has other classes than the training part.
    """
    parts = {part: open_data_source(settings, part, cache) for part in PARTS}
    for task, meaning in parts["train"].labels.items():
        found, wanted = parts["test"].labels[task].classes, meaning.classes
        received = f"{settings.folder}, test pictures: {found} classes of {task}"
        require(found == wanted, received, f"{wanted}, as in the training pictures: one form of the labels for both")
    return parts


def _put_in_place(finished: Path, folder: Path) -> None:
    """Rename, unless another process was faster, whose data may be in use: they are the same."""
    try:
        finished.rename(folder)
    except OSError:
        if (folder / _FACTS).exists():
            return
        shutil.rmtree(folder)  # what an interrupted run has left
        finished.rename(folder)


def _write(source: DataSource, folder: Path) -> dict[str, Any]:
    """Write the items of a part to arrays; returns the labels' meaning, their scales, and which ones are wrong."""
    folder.mkdir()
    with ExitStack() as opened:
        files: dict[str, BinaryIO] = {}
        for item in source.items:
            for name, values in _as_arrays(item).items():
                stored = values.astype(np.uint8 if name == IMAGE else _STORED_TYPES[source.labels[name].kind])
                if name not in files:
                    files[name] = opened.enter_context((folder / f"{name}.npy").open("wb"))
                    _write_header(files[name], stored, source.count)
                files[name].write(stored.tobytes())
    dataset = _read_part(folder, source.labels)
    scales = {task: measure_scale(meaning, dataset.label_maps(task)) for task, meaning in source.labels.items()}
    return {
        "labels": {task: asdict(meaning) for task, meaning in source.labels.items()},
        "scales": {task: asdict(scale) for task, scale in scales.items()},
        "corrupted": {task: np.flatnonzero(wrong).tolist() for task, wrong in source.corrupted.items()},
    }


def _as_arrays(item: tuple[Any, Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    image, labels = item
    return {IMAGE: (image * 255).round().numpy(), **{task: maps.numpy() for task, maps in labels.items()}}


def _write_header(file: BinaryIO, row: NDArray[Any], count: int) -> None:
    """The beginning of an .npy file of `count` rows, which are then appended."""
    shape, dtype = (count, *row.shape), np.lib.format.dtype_to_descr(row.dtype)
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


def _read(settings: DataSettings, folder: Path) -> BenchmarkData:
    try:
        facts = json.loads((folder / _FACTS).read_text())
        if facts["settings"] != settings.as_dict():
            raise InputError(f"{folder}: holds {facts['settings']}, not {settings.as_dict()}; choose another output")
        labels = {task: Labels(**meaning) for task, meaning in facts["labels"].items()}
        train, validation, test = (_read_part(folder / part, labels) for part in PARTS)
        scales = {task: LabelScale(**scale) for task, scale in facts["scales"].items()}
        corrupted = {task: np.isin(np.arange(len(train)), wrong) for task, wrong in facts["corrupted"].items()}
    except InputError:
        raise
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{folder}: expected data that mtl-bench prepared; delete it, and it is prepared again"
        ) from error
    return BenchmarkData(labels, scales, train, validation, test, corrupted)


def _read_part(folder: Path, labels: Mapping[str, Labels]) -> ArrayDataset:
    names = [IMAGE, *labels]
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in names}
    if len({len(array) for array in arrays.values()}) > 1:
        raise ValueError(f"{folder}: arrays of different lengths")
    return ArrayDataset(arrays, labels)
