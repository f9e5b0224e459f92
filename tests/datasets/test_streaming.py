"""Streams: the samples of the generator as batches, in order, continued exactly, with nothing left behind."""

import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from banks import small_bank
from fake_renderer import BREAKING, open_fake
from torch import Tensor

import datasets
from datasets import generate as generating
from datasets import streaming
from datasets.batches import Batch, collate, read_batches
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample import Visibility
from datasets.sample_renderer import SampleRenderer
from datasets.streaming import stream
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(64, 48), supersampling=1, geometry=True)
ROOT = Path(__file__).parents[2]


def open_small(options: SampleOptions, seed: int, device: str = "cpu") -> SampleRenderer:
    """The real renderer with a bank that is there at once."""
    return SampleRenderer(options, seed, torch.device(device), small_bank())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "open_renderer", open_small)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of canvases of different sizes, at no cost."""
    monkeypatch.setattr(streaming, "open_renderer", open_fake_pair)


def open_fake_pair(options: SampleOptions, seed: int, device: str = "cpu") -> Any:
    renderer = open_fake(options, seed, device)
    return partial(with_fundamental, renderer)


def with_fundamental(renderer: Any, index: int) -> Any:
    sample = renderer(index)
    sample.facts["fundamental"] = (np.eye(3) * index).tolist()
    return sample


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of a batch."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from tensors(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


def equal(first: Batch, second: Batch) -> bool:
    pairs = zip(tensors(first), tensors(second), strict=True)
    return first.indices == second.indices and all(torch.equal(a, b) for a, b in pairs)


def test_batches_are_the_makers_samples(small: None) -> None:
    batch = next(stream(OPTIONS, 5, 2, first=3, workers=0))
    renderer = open_small(OPTIONS, 5)
    assert batch.indices == (3, 4)
    for number, index in enumerate(batch.indices):
        sample = renderer(index)
        for view, mine in ((sample.reference, batch.reference), (sample.target, batch.target)):
            assert view.geometry is not None
            assert mine.geometry is not None
            np.testing.assert_array_equal((mine.picture[number] * 255).round().permute(1, 2, 0), view.picture)
            np.testing.assert_array_equal(mine.warp[number].permute(1, 2, 0), view.warp)
            np.testing.assert_array_equal(mine.mask[number], view.mask)
            np.testing.assert_array_equal(mine.geometry.depth[number], view.geometry.depth)
            np.testing.assert_array_equal(mine.geometry.normals[number].permute(1, 2, 0), view.geometry.normals)
        rows, columns = sample.stitched_mask.shape
        stitched = (batch.stitched[number, :, :rows, :columns] * 255).round().permute(1, 2, 0)
        np.testing.assert_array_equal(stitched, sample.stitched)
        np.testing.assert_array_equal(batch.stitched_mask[number, :rows, :columns], sample.stitched_mask)
        assert tuple(batch.origins[number].tolist()) == sample.origin
        np.testing.assert_array_equal(batch.segments[number], sample.segments)
        np.testing.assert_allclose(batch.fundamental[number], sample.facts["fundamental"], rtol=1e-6)


def test_batch_agrees_with_itself(small: None) -> None:
    """Shapes and frames are as said: what the target sees lies where its warp says, on the epipolar line."""
    batch = next(stream(OPTIONS, 0, 2, workers=0))
    for number in range(2):
        rows, columns = torch.nonzero(batch.target.mask[number] == int(Visibility.VISIBLE), as_tuple=True)
        places = batch.target.warp[number][:, rows, columns]
        inside = (places > -0.51) & (places < torch.tensor([[64], [48]]) - 0.49)
        assert len(rows) > 100
        assert inside.all()
        ones = torch.ones(len(rows))
        lines = batch.fundamental[number] @ torch.stack([columns.float(), rows.float(), ones])
        distance = (torch.cat([places, ones[None]]) * lines).sum(0).abs() / lines[:2].norm(dim=0)
        assert float(distance.max()) < 0.01


def test_canvases_are_padded_with_nothing(fake: None) -> None:
    batch = next(stream(OPTIONS, 0, 3, workers=0))
    samples = [open_fake_pair(OPTIONS, 0)(index) for index in range(3)]
    shapes = np.array([sample.stitched_mask.shape for sample in samples])
    assert len({*shapes[:, 1].tolist()}) > 1
    padded = np.array(batch.stitched.shape[2:])
    assert ((padded % 8 == 0) & (padded >= shapes.max(0)) & (padded < shapes.max(0) + 8)).all()
    for number, (rows, columns) in enumerate(shapes.tolist()):
        outside = torch.ones(tuple(padded), dtype=torch.bool)
        outside[:rows, :columns] = False
        assert not batch.stitched_mask[number][outside].any()
        assert not batch.stitched[number][:, outside].any()
        assert batch.stitched_mask[number][~outside].all()


def test_workers_make_the_same_batches_in_order_and_end_with_the_iterator(small: None) -> None:
    assert not multiprocessing.active_children()
    batches = stream(OPTIONS, 1, 2, workers=2)
    made = list(islice(batches, 2))
    assert len(multiprocessing.active_children()) == 2
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert not multiprocessing.active_children()
    here = list(islice(stream(OPTIONS, 1, 2, workers=0), 2))
    assert all(equal(*pair) for pair in zip(made, here, strict=True))
    assert equal(next(stream(OPTIONS, 1, 2, first=2, workers=0)), here[1])  # a resumed stream


def test_scenes_drawn_ahead_are_rendered_as_here(small: None) -> None:
    """What a GPU does, done by a CPU."""
    drawn = streaming._render_here(OPTIONS, 1, 2, "cpu", 2, workers=1)
    batch = next(drawn)
    del drawn
    assert not multiprocessing.active_children()
    renderer = open_small(OPTIONS, 1)
    assert equal(batch, collate(renderer.batch([2, 3])))


@pytest.mark.parametrize("workers", [0, 1])
def test_sample_that_cannot_be_made_is_named(fake: None, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setenv(BREAKING, "5 raise")
    batches = stream(OPTIONS, 0, 2, first=2, workers=workers)
    assert next(batches).indices == (2, 3)
    with pytest.raises(
        JobError, match=r"^sample 5 cannot be made: RuntimeError: no such scene \(fake_renderer.py, line \d+\)$"
    ):
        next(batches)
    assert not multiprocessing.active_children()


def test_refused_textures_are_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        next(stream(SampleOptions(textures=tmp_path / "nowhere"), 0, 1, workers=0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 0}, "batch_size 0: expected 1 or above"),
        ({"seed": -1}, "seed -1"),
        ({"first": -1}, "first -1"),
        ({"workers": -1}, "workers -1"),
    ],
)
def test_impossible_numbers_are_refused_at_once(changes: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stream(OPTIONS, **{"seed": 0, "batch_size": 1} | changes)


@pytest.mark.parametrize("shards", [False, True])
def test_written_samples_are_read_as_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: bool) -> None:
    monkeypatch.setattr(generating, "run_local", lambda task, indices, processes: map(task, indices))
    generate(OPTIONS, GenerateJob(tmp_path, 5, shards=shards, shard_size=2), open_fake_pair)
    batches = list(read_batches(tmp_path, 2))
    assert [batch.indices for batch in batches] == [(0, 1), (2, 3), (4,)]
    assert [batch.indices for batch in read_batches(tmp_path, 2, indices={1, 4, 3})] == [(1, 3), (4,)]
    monkeypatch.setattr(streaming, "open_renderer", open_fake_pair)
    streamed = next(stream(OPTIONS, 0, 2, workers=0))
    for read, made in zip(tensors(batches[0]), tensors(streamed), strict=True):
        assert read.shape == made.shape
        assert read.dtype == made.dtype
    assert torch.equal(batches[0].stitched, streamed.stitched)  # PNG
    assert float((batches[0].target.warp - streamed.target.warp).abs().max()) <= 1 / 512
    assert float((batches[0].target.picture - streamed.target.picture).abs().mean()) < 0.02  # JPEG


def test_stream_is_offered_without_importing_torch() -> None:
    script = "import sys, datasets; assert 'torch' not in sys.modules; assert datasets.__all__ == ['stream']"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    assert datasets.stream is stream
    with pytest.raises(AttributeError, match="no attribute 'streams'"):
        datasets.streams  # noqa: B018
