"""Batches of a training: the same for every process count, wherever a run is resumed."""

from dataclasses import replace
from itertools import islice

import pytest
import torch
from fake_renderer import open_fake
from training_runs import quiet
from worlds import CPU

from apps.training.data import sources
from apps.training.data.batches import training_batches
from apps.training.data.sources import FolderSource
from apps.training.trainer import train
from stitching.errors import InputError


def targets(options, step, count, **ranks):
    batches = training_batches(options, step, CPU, **ranks)
    return [target for batch in islice(batches, count) for target in batch.target]


def test_batches_continue_at_any_step_and_ranks_share_them(options):
    pairs = replace(options, batch_size=2)
    expected = targets(pairs, 0, 6)
    sums = [target.sum().item() for target in expected]
    assert set(sums[:4]) == set(sums[4:8])  # an epoch
    for step in (1, 2, 5):
        assert all(map(torch.equal, targets(pairs, step, 6 - step), expected[2 * step :]))
    shared = [targets(pairs, 1, 2, rank=rank, ranks=2) for rank in (0, 1)]
    assert all(map(torch.equal, shared[0], expected[4:12:2]))
    assert all(map(torch.equal, shared[1], expected[5:12:2]))


@pytest.mark.slow
def test_processes_make_the_same_batches(options):
    both = [targets(replace(options, workers=workers), 0, 3) for workers in (0, 2)]
    assert all(map(torch.equal, *both))


def test_a_run_on_one_batch_keeps_to_it_when_it_is_resumed(options):
    one = replace(options, overfit_batch=True)
    assert torch.equal(targets(one, 0, 1)[0], targets(one, 3, 1)[0])


def test_sample_ids_are_the_indices_of_the_data_set(options, folder):
    ids = [batch.sample_ids.tolist() for batch in islice(training_batches(options, 0, CPU), 4)]
    assert sorted(ids) == [[index] for index in FolderSource(folder, options.size, jitter_alignment=True).indices]


def test_generated_examples_depend_on_seed_and_index_alone(options, monkeypatch):
    monkeypatch.setattr(sources, "example_of", lambda sample, size, rng: sample)
    monkeypatch.setattr(sources, "open_renderer", open_fake)
    sources._renderer.cache_clear()
    monkeypatch.setattr("apps.training.data.batches.collate_examples", lambda samples, device, ids: (samples, ids))
    generated = replace(options, data=None, cache=None, batch_size=2)
    first, second = islice(training_batches(generated, 0, CPU), 2)
    resumed = next(training_batches(generated, 1, CPU))
    sources._renderer.cache_clear()
    assert (first[1], second[1], resumed[1]) == ([0, 1], [2, 3], [2, 3])
    assert second[0][0].target.picture.tobytes() == resumed[0][0].target.picture.tobytes()
    assert second[0][0].target.picture.tobytes() != first[0][0].target.picture.tobytes()


def test_a_damaged_example_stops_the_run_and_is_named(options, tmp_path):
    own = replace(options, cache=tmp_path / "cache")
    next(training_batches(own, 0, CPU))
    for path in own.cache.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cache/00000\d\.safetensors: .* delete it"):
        train("flow", tmp_path / "run", own, quiet)
