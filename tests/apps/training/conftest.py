"""A small data set and the options of tiny runs on it."""

import pytest
import torch
from training_runs import SIZE, write_data

from apps.training import data
from apps.training.options import TrainOptions


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("training") / "data", 4)


@pytest.fixture(scope="session")
def options(folder):
    """Of tiny runs; examples are prepared once."""
    return TrainOptions(
        data=folder, validation=folder, cache=folder.parent / "cache", size=SIZE, batch_size=1, steps=4,
        matching_steps=2, precision="fp32", workers=0, threads=1, device="cpu", log_every=1,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(data, "VALIDATION_COUNT", 1)
    yield
    torch.set_num_threads(threads)
