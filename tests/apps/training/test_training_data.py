"""Examples to train on: their order, mirrored ones, the truth of the matching, and the cache."""

import pickle
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from fake_renderer import open_fake
from training_runs import SIZE, quiet
from worlds import CPU

from apps.training import data
from apps.training.data import Cached, FromFolder, FromGenerator, mirrored, shuffled, training_batches
from apps.training.objectives import known_pixels, true_cells
from apps.training.run import train
from datasets.examples.batch import collate_examples
from datasets.options import SampleOptions
from stitching.errors import InputError
from stitching.network.losses.warp import epipolar_loss


@pytest.fixture(scope="module")
def batch(folder):
    source = FromFolder(folder, SIZE, jitter_alignment=False)
    return collate_examples([source(index) for index in source.indices])


# --- the order of examples ---


def test_shuffled_is_a_permutation_in_each_epoch_another_one():
    indices = [3, 5, 8, 13, 21, 34, 55]
    row = list(islice(shuffled(indices, 1, 0), 35))
    epochs = [tuple(row[k : k + 7]) for k in range(0, 35, 7)]
    assert all(sorted(epoch) == indices for epoch in epochs)
    assert len(set(epochs)) == 5
    assert row != list(islice(shuffled(indices, 2, 0), 35))


def test_shuffled_goes_on_from_any_place():
    row = list(islice(shuffled(range(7), 1, 0), 40))
    for first in range(30):
        assert list(islice(shuffled(range(7), 1, first), 10)) == row[first : first + 10]


def test_batches_go_on_at_a_step_and_ranks_share_them(options):
    def targets(step, count, **ranks):
        with_ranks = training_batches(replace(options, batch_size=2), step, CPU, **ranks)
        return [target for batch in islice(with_ranks, count) for target in batch.target]

    whole = targets(0, 6)
    assert Counter(str(target.sum().item()) for target in whole[:4]).keys() == {
        str(target.sum().item()) for target in whole[4:8]
    }  # an epoch
    for step in (1, 2, 5):
        assert all(map(torch.equal, targets(step, 6 - step), whole[2 * step :]))
    shared = [targets(1, 2, rank=rank, ranks=2) for rank in (0, 1)]
    assert all(map(torch.equal, shared[0], whole[4:12:2]))
    assert all(map(torch.equal, shared[1], whole[5:12:2]))


def test_a_run_on_one_batch_keeps_to_it_when_it_goes_on(options):
    one = replace(options, overfit_batch=True)
    first, second = next(training_batches(one, 0, CPU)), next(training_batches(one, 3, CPU))
    assert torch.equal(first.target, second.target)


def open_fake_pair(options, seed, device="cpu"):
    make = open_fake(options, seed, device)

    def with_fundamental(index):
        sample = make(index)
        return replace(sample, facts=sample.facts | {"fundamental": np.eye(3).tolist()})

    return with_fundamental


def test_examples_made_while_training_depend_on_their_number_alone(options, monkeypatch):
    monkeypatch.setattr(data, "open_renderer", open_fake_pair)
    made = replace(options, data=None, cache=None, batch_size=2)
    first = list(islice(training_batches(made, 0, CPU), 2))
    again = next(training_batches(made, 1, CPU))
    assert torch.equal(first[1].target, again.target)
    assert not torch.equal(first[0].target, again.target)


# --- mirrored ---


def test_mirrored_twice_is_the_same_batch(batch):
    twice = mirrored(mirrored(batch))
    for there, here in ((batch, twice), (batch.truth, twice.truth)):
        for name, value in vars(there).items():
            if isinstance(value, torch.Tensor):
                assert torch.allclose(getattr(here, name), value, atol=1e-5), name
                assert torch.equal(getattr(here, name), value) or name in ("fundamental", "segments"), name


def test_mirrored_turns_pictures_and_keeps_the_truth_true(batch):
    """Cameras: places stay on their epipolar lines. Warp: a pixel and its place are mirrored together."""
    turned = mirrored(batch)
    assert torch.equal(turned.target.flip(3), batch.target)
    assert torch.equal(turned.truth.stitched.flip(3), batch.truth.stitched)
    columns = torch.arange(64.0)
    place, turned_place = columns + batch.truth.residual[:, 0], columns + turned.truth.residual[:, 0]
    assert torch.allclose(turned_place, 63 - place.flip(2), atol=1e-4)
    assert torch.equal(turned.truth.residual[:, 1].flip(2), batch.truth.residual[:, 1])
    off = [epipolar_loss(b.truth.residual, b.truth.fundamental, known_pixels(b.truth)) for b in (batch, turned)]
    assert off[1] == pytest.approx(off[0].item(), rel=1e-2)
    wrong = epipolar_loss(turned.truth.residual, batch.truth.fundamental, known_pixels(turned.truth))
    assert off[1] < 0.1 < wrong
    assert torch.allclose(turned.truth.segments[..., 0], 63 - batch.truth.segments[..., 0], atol=1e-4)
    assert torch.equal(turned.truth.owner, batch.truth.owner)


def test_a_batch_without_truth_is_mirrored_too(batch):
    turned = mirrored(replace(batch, truth=None))
    assert turned.truth is None
    assert torch.equal(turned.start[:, 0], -batch.start[:, 0].flip(2))


# --- the truth of the matching ---


def test_true_cells_hold_the_places_of_what_is_visible(batch):
    """A visible cell's true match, in px, is where the truth moves it, to the cell's half."""
    cell = true_cells(batch, batch.truth).view(-1, 8, 8)
    assert cell.shape[0] == 4
    assert -1 <= cell.min() <= cell.max() <= 64
    matched = (cell >= 0) & (cell < 64)
    assert matched.sum() > 20
    for b, row, column in matched.nonzero().tolist():
        part = (b, slice(None), slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
        assert batch.truth.visible[part].mean() > 0.5
        valid = batch.truth.visible[part][0] > 0
        middle = torch.tensor([8.0 * column, 8.0 * row]) + 3.5 + batch.truth.residual[part][:, valid].mean(1)
        found = cell[b, row, column]
        there = torch.tensor([8.0 * (found % 8), 8.0 * (found // 8)]) + 3.5
        assert (middle - there).abs().max() <= 4.01
    unseen = (batch.truth.visible == 0).all().item()
    assert not unseen
    dustbin = (cell == 64).nonzero().tolist()
    for b, row, column in dustbin:
        part = (b, 0, slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
        gone = batch.truth.visible[part].mean() <= 0.5
        x = 8 * column + torch.arange(8.0) + batch.truth.residual[b, 0, part[2], part[3]]
        y = 8 * row + torch.arange(8.0)[:, None] + batch.truth.residual[b, 1, part[2], part[3]]
        outside = not (-4 <= x.mean() <= 68 and -4 <= y.mean() <= 68)
        assert gone or outside


# --- cache ---


def test_cached_examples_are_those_of_their_source(folder, tmp_path):
    source = FromFolder(folder, SIZE, jitter_alignment=True)
    cached = Cached(source, tmp_path / "new" / "cache")
    made, read = cached(2), cached(2)
    for name in ("target", "start", "trusted"):
        assert np.array_equal(getattr(made, name), getattr(read, name))  # made or read: the run is the same
    assert np.array_equal(source(2).target, read.target)
    assert np.allclose(source(2).start, read.start, rtol=1e-3)
    assert np.array_equal(Cached(source, tmp_path / "new" / "cache")(2).target, read.target)


def test_sources_work_in_other_processes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "open_renderer", open_fake_pair)
    made = FromGenerator(SampleOptions(size=SIZE), 3, jitter_alignment=True)
    expected = made(1)  # its renderer is open now, and stays here
    for source in (made, FromFolder(folder, SIZE, jitter_alignment=True), Cached(made, tmp_path)):
        sent = pickle.loads(pickle.dumps(source))
        assert np.array_equal(sent(1).target, source(1).target)
    assert np.array_equal(made(1).target, expected.target)
    assert repr(made) == repr(FromGenerator(SampleOptions(size=SIZE), 3, jitter_alignment=True))  # which labels a cache


def test_a_cache_of_another_source_is_refused(folder, tmp_path):
    Cached(FromFolder(folder, SIZE, jitter_alignment=True), tmp_path)
    samples = SampleOptions(size=SIZE)
    for other in (
        FromFolder(folder, SIZE, jitter_alignment=False),
        FromFolder(folder, (72, 64), jitter_alignment=True),
        FromFolder(folder / "other", SIZE, jitter_alignment=True),
        FromGenerator(samples, 0, jitter_alignment=True),
    ):
        with pytest.raises(InputError, match="choose another --cache"):
            Cached(other, tmp_path)


def test_a_cache_that_cannot_be_a_folder_is_refused(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder that can be written"):
        Cached(FromFolder(folder, SIZE, jitter_alignment=True), tmp_path / "file" / "cache")


def test_a_damaged_example_stops_the_run_and_is_named(options, tmp_path):
    own = replace(options, cache=tmp_path / "cache")
    next(training_batches(own, 0, CPU))
    for path in own.cache.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cache/00000\d\.safetensors: .* delete it"):
        train("flow", tmp_path / "run", own, quiet)
