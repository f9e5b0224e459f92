"""Overlaid digits in the benchmark: labels as they were made, wrong ones in the training part alone, no mirroring."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmark_toys import toy_run

from apps.benchmarking import network_trainer
from apps.benchmarking.data.preparation import prepare
from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.experiment.settings import DataSettings
from apps.benchmarking.network_trainer import Trainer
from datasets.overlaid_digits import LABELS, OverlaidDigits

DATA = DataSettings("digits", "", (12, 12), 64, 8, 8)
CPU = torch.device("cpu")


def test_digits_and_numbers_are_stored_as_they_were_made(tmp_path):
    data = prepare(DATA, tmp_path / "data", None)
    assert data.labels == LABELS
    for part, count in (("train", 64), ("validation", 8), ("test", 8)):
        batch = getattr(data, part).take(range(count), CPU)
        items = OverlaidDigits(part, count, (12, 12), 0)
        torch.testing.assert_close(batch.images, torch.stack([items[k][0] for k in range(count)]), atol=2e-3, rtol=0)
        for task in LABELS:
            expected = torch.stack([items[k][1][task] for k in range(count)])
            assert batch.labels[task].dtype == expected.dtype
            assert torch.equal(batch.labels[task], expected)
    assert data.scales["number-3"].unit == pytest.approx(float(data.train.arrays["number-3"].std()), rel=1e-5)
    assert data.scales["digit-3"].unit == 1


def test_only_training_labels_of_one_task_are_wrong(tmp_path):
    right = prepare(DATA, tmp_path / "right", None)
    noisy = prepare(replace(DATA, noisy="digit-1", share=0.5), tmp_path / "noisy", None)
    differ = noisy.train.arrays["digit-1"] != right.train.arrays["digit-1"]
    assert 20 <= differ.sum() <= 32
    np.testing.assert_array_equal(noisy.corrupted["digit-1"], differ)
    for part, task in (("train", "digit-2"), ("train", "number-1"), ("test", "digit-1"), ("validation", "digit-1")):
        np.testing.assert_array_equal(getattr(noisy, part).arrays[task], getattr(right, part).arrays[task])


def test_pictures_with_a_label_of_the_whole_are_not_mirrored(tmp_path, monkeypatch):
    """A digit up-left would be up-right, and no digit."""
    data = prepare(DATA, tmp_path / "data", None)
    monkeypatch.setattr(network_trainer, "flip_horizontally", lambda *given: pytest.fail("mirrored"))
    trainer = Trainer(toy_run(data=DATA, tasks=("digit-1", "number-2"), network="digits", batch=16), data)
    losses = trainer.train_epoch(0)
    assert losses["digit-1"] > 0


def test_by_default_the_four_digits_are_learned_by_their_network():
    run = BenchOptions(data="digits").run_settings
    assert run.tasks == ("digit-1", "digit-2", "digit-3", "digit-4")
    assert (run.network, run.data.size, run.data.train) == ("digits", (12, 12), 4000)
    run = BenchOptions(data="digits", tasks=("digit-1", "number-4"), size=(16, 12)).run_settings
    assert (run.tasks, run.data.size) == (("digit-1", "number-4"), (16, 12))
