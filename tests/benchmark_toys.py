"""Tiny data and settings for the multi-task benchmark: pictures of which all four tasks can be told."""

from dataclasses import replace

import numpy as np
import torch

from apps.benchmarking.data import preparation
from apps.benchmarking.data.data_sources import DataSource
from apps.benchmarking.experiment.settings import DataSettings, RunSettings
from apps.benchmarking.single_run import train_run
from datasets.labels import IGNORED, Labels

SIZE = 32, 32  # px
LABELS = {
    "segmentation": Labels("classes", 3),
    "depth": Labels("distance"),
    "normals": Labels("normals"),
    "edges": Labels("binary"),
}
TASKS = tuple(LABELS)
DATA = DataSettings("scenes", "", SIZE, 8, 4, 4)
RUN = RunSettings(DATA, TASKS, "equal", "small", 1.0, 1, 4, 1e-3, 0, "fp32", "cpu", 1)


def toy_item(number):
    """Bright is near and of a higher class, a slope faces left or right; the first column is unknown."""
    rng = np.random.default_rng(number)
    image = torch.from_numpy(rng.random((3, 1, SIZE[0]), dtype=np.float32)).repeat(1, SIZE[1], 1)
    image = (image * 255).round() / 255
    bright = image.mean(0)
    classes, depth, edges = (bright * 3).long().clamp_max(2), 1 + bright, (bright > 0.5).float()
    normals = torch.stack([bright - 0.5, torch.zeros_like(bright), -torch.ones_like(bright)])
    normals = normals / normals.norm(dim=0)
    classes[:, 0], depth[:, 0], edges[:, 0], normals[:, :, 0] = IGNORED, torch.nan, IGNORED, 0
    return image, {"segmentation": classes, "depth": depth, "normals": normals, "edges": edges}


def toy_source(settings, part, cache):
    """In place of data_sources.open_data_source."""
    count, first = settings.counts[part], 1000 * ("train", "validation", "test").index(part)
    items = [toy_item(first + number) for number in range(count)]
    wrong = round(settings.share * count) if part == "train" else 0
    donors = np.r_[np.roll(np.arange(wrong), 1), np.arange(wrong, count)]
    if wrong:
        task = settings.noisy
        items = [(image, maps | {task: items[donor][1][task]})
                 for (image, maps), donor in zip(items, donors, strict=True)]  # fmt: skip
    corrupted = {settings.noisy: donors != np.arange(count)} if wrong else {}
    return DataSource(items, count, LABELS, corrupted)


def use_toys(monkeypatch):
    """Train on toy items."""
    monkeypatch.setattr(preparation, "open_data_source", toy_source)


def toy_run(**changes):
    return replace(RUN, **changes)


def execute_in_process(runs, store):
    """In place of execution.execute_in_subprocesses: one run after another, in this process."""
    for settings in runs:
        store.write(settings, train_run(settings, store.data(settings.data)))
        yield settings
