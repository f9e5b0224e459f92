"""A small data set and the options of tiny runs on it."""

import pytest
from training_runs import SIZE, write_data

from apps.training.data import batches
from apps.training.data.sources import FolderSource
from apps.training.options import TrainOptions
from datasets.examples.batch import collate_examples


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("training") / "data", 4)


@pytest.fixture(scope="session")
def batch(folder):
    """All examples of the data set."""
    source = FolderSource(folder, SIZE, jitter_alignment=False)
    return collate_examples([source(index) for index in source.indices], sample_ids=source.indices)


@pytest.fixture(scope="session")
def options(folder):
    """Of tiny runs; examples are prepared once."""
    return TrainOptions(
        data=folder, validation=folder, cache=folder.parent / "cache", size=SIZE, batch_size=1, steps=4,
        matching_steps=2, precision="fp32", workers=0, threads=1, device="cpu", log_every=1,
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="session")
def _one_validation_example():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "VALIDATION_COUNT", 1)
        yield
