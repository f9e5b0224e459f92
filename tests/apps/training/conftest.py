"""A small data set and the options of tiny runs on it."""

import pytest
from training_runs import SIZE, write_data

from apps.training.data import batches
from apps.training.options import TrainOptions
from datasets.examples.batch import collate_examples
from datasets.examples.example import example_of
from datasets.storage.lookup import SampleLookup


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("training") / "data", 4)


@pytest.fixture(scope="session")
def batch(folder):
    """All examples of the data set."""
    samples = SampleLookup(folder)
    return collate_examples([example_of(samples[i], SIZE) for i in samples.indices], sample_ids=samples.indices)


@pytest.fixture(scope="session")
def options(folder):
    """Of tiny runs."""
    return TrainOptions(
        data=folder, validation=folder, size=SIZE, photograph_share=0, batch_size=1, steps=4,
        matching_steps=2, precision="fp32", workers=0, threads=1, device="cpu", log_every=1,
    )  # fmt: skip


@pytest.fixture(autouse=True, scope="session")
def _one_validation_example():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "VALIDATION_COUNT", 1)
        yield
