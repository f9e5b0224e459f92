"""Batches of a training: the same for every process count, wherever a run is resumed."""

from dataclasses import replace
from itertools import islice
from shutil import copytree

import pytest
import torch
from photo_pairs import write_pairs
from training_runs import open_small, quiet, write_data
from worlds import CPU

from apps.training.data import truth_sources
from apps.training.data.batches import training_batches, training_indices, validation_batches
from apps.training.trainer import train
from stitching.errors import InputError


def targets(options, step, count, **ranks):
    batches = training_batches(options, step, CPU, **ranks)
    return [target for batch in islice(batches, count) for target in batch.target]


def ids(options, step, count, **ranks):
    batches = training_batches(options, step, CPU, **ranks)
    return [number for batch in islice(batches, count) for number in batch.sample_ids.tolist()]


def test_batches_continue_at_any_step(options):
    pairs = replace(options, batch_size=2)
    expected = targets(pairs, 0, 6)
    for step in (1, 2, 5):
        assert all(map(torch.equal, targets(pairs, step, 6 - step), expected[2 * step :]))


def test_ranks_share_the_examples(options):
    pairs = replace(options, batch_size=2)
    expected = ids(pairs, 0, 8)
    assert ids(pairs, 1, 2, rank=0, ranks=2) == [*expected[4:6], *expected[8:10]]
    assert ids(pairs, 1, 2, rank=1, ranks=2) == [*expected[6:8], *expected[10:12]]


def test_a_pair_is_another_example_each_time(options):
    first, second = targets(options, 0, 4), targets(options, 4, 4)
    places = ids(options, 0, 4), ids(options, 4, 4)
    assert sorted(places[0]) == sorted(places[1]) == [0, 1, 2, 3]  # an epoch each
    for index in range(4):
        assert not torch.equal(first[places[0].index(index)], second[places[1].index(index)])


def test_a_run_keeps_to_the_samples_that_it_began_with_and_the_next_one_sees_more(options, tmp_path):
    folder = write_data(tmp_path / "data", 1)
    growing = replace(options, data=folder)
    assert training_indices(growing) == [0]
    write_data(folder, 2)
    assert truth_sources.lookup(folder).indices == [0]
    assert training_indices(growing) == [0, 1]


@pytest.mark.slow
def test_processes_make_the_same_batches(options):
    both = [targets(replace(options, workers=workers), 0, 3) for workers in (0, 2)]
    assert all(map(torch.equal, *both))


def test_a_run_on_one_batch_keeps_to_it_when_it_is_resumed(options):
    one = replace(options, overfit_batch=True)
    assert torch.equal(targets(one, 0, 1)[0], targets(one, 3, 1)[0])


def test_the_share_of_raw_examples_is_an_option(options):
    for share in (0.0, 1.0):
        batch = next(training_batches(replace(options, raw_share=share, batch_size=4), 0, CPU))
        assert (batch.truth.stitched_known.flatten(1).any(1) == (share == 0)).all()


def test_a_share_of_each_batch_is_photographs_moved_about(options):
    some = replace(options, photograph_share=0.5, batch_size=4)
    first, second = islice(training_batches(some, 0, CPU), 2)
    assert len(first.reference) == len(first.truth.residual) == 4
    scenes = (first.truth.fundamental.flatten(1) != 0).any(1).tolist()
    assert scenes == [True, True, False, False]
    assert not torch.equal(first.target[2:], second.target[2:])
    assert torch.equal(next(training_batches(some, 1, CPU)).target, second.target)
    assert second.sample_ids[2:].tolist() == [2, 3]


def test_examples_without_a_stitch_are_the_same_otherwise(options):
    some = replace(options, raw_share=0)
    bare, whole = (next(training_batches(some, 0, CPU, mode=mode)) for mode in ("flow", "joint"))
    assert not bare.truth.stitched_known.any()
    assert whole.truth.stitched_known.any()
    assert torch.equal(bare.target, whole.target)
    assert torch.equal(bare.truth.residual, whole.truth.residual)


def test_photographed_pairs_take_every_second_step(options, tmp_path):
    some = replace(options, pairs=write_pairs(tmp_path / "pairs", 2), matching_steps=0, cache=tmp_path / "cache")
    batches = [batch.truth is None for batch in islice(training_batches(some, 0, CPU), 5)]
    assert batches == [False, True, False, True, False]
    assert len(list((tmp_path / "cache").glob("*.safetensors"))) == 2
    resumed = next(training_batches(some, 1, CPU))
    assert resumed.sample_ids.tolist() == ids(some, 1, 1)


def test_rendered_pairs_depend_on_seed_and_position_alone(options, monkeypatch):
    monkeypatch.setattr(truth_sources, "open_renderer", open_small)
    truth_sources.renderer.cache_clear()
    rendered = replace(options, data=None, batch_size=2)
    first, second = islice(training_batches(rendered, 0, CPU), 2)
    resumed = next(training_batches(rendered, 1, CPU))
    truth_sources.renderer.cache_clear()
    assert (first.sample_ids.tolist(), second.sample_ids.tolist()) == ([0, 1], [2, 3])
    assert torch.equal(second.target, resumed.target)


def test_a_damaged_sample_stops_the_run_and_is_named(options, tmp_path, folder):
    copied = tmp_path / "data"
    copytree(folder, copied)
    for path in (copied / "warp").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"sample 00000\d: warp\.npz cannot be decoded"):
        train("flow", tmp_path / "run", replace(options, data=copied), quiet)


def test_validation_has_the_first_samples_aligned_by_features(options):
    (batch,) = validation_batches(options, CPU)
    assert batch.sample_ids.tolist() == [0]
    assert batch.truth.stitched_known.any()
