"""Streams: the samples of the generator as batches, in order, continued exactly, with nothing left behind."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from banks import small_bank
from fake_renderer import open_fake
from torch import Tensor
from training_pairs import arrays_of

from datasets import streaming
from datasets.options import SampleOptions
from datasets.pair_batch import PairBatch, collate
from datasets.sample import Sample, Visibility
from datasets.sample_renderer import SampleRenderer
from datasets.streaming import stream
from datasets.viewpoints.search import MAX_MISFIT
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(64, 48), supersampling=1)


def open_small(options: SampleOptions, seed: int, device: str = "cpu", pairs_per_scene: int = 1) -> SampleRenderer:
    """The real renderer with a bank that is there at once."""
    return SampleRenderer(options, seed, torch.device(device), small_bank(), (), pairs_per_scene)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "open_renderer", open_small)


def fake_sample(index: int) -> Sample:
    """At no cost, with all that a batch needs; canvases differ in size."""
    sample = open_fake(OPTIONS, 0)(index)
    return replace(sample, facts=sample.facts | {"fundamental": np.eye(3).tolist()})


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of a batch."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors(getattr(value, field.name))


def equal(first: PairBatch, second: PairBatch) -> bool:
    pairs = zip(tensors(first), tensors(second), strict=True)
    return first.indices == second.indices and all(torch.equal(a, b) for a, b in pairs)


def test_batches_hold_the_samples_of_the_renderer(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where viewpoints must fit as exactly as those of samples."""
    monkeypatch.setattr("datasets.sample_renderer._LOOSE", MAX_MISFIT)
    batch = next(stream(OPTIONS, 5, 2, first=3, workers=0, pairs_per_scene=1))
    renderer = open_small(OPTIONS, 5)
    assert batch.indices == (3, 4)
    for number, sample in enumerate(renderer.render([renderer.sample_scene(index) for index in (3, 4)])):
        for view, pictures in ((sample.reference, batch.reference), (sample.target, batch.target)):
            np.testing.assert_array_equal((pictures[number] * 255).round().permute(1, 2, 0), view.clean)
        np.testing.assert_array_equal(batch.warp[number].permute(1, 2, 0), sample.target.warp)
        np.testing.assert_array_equal(batch.mask[number], sample.target.mask)
        rows, columns = sample.stitched_mask.shape
        stitched = (batch.stitched[number, :, :rows, :columns] * 255).round().permute(1, 2, 0)
        np.testing.assert_array_equal(stitched, sample.clean_stitched)
        assert batch.stitched_known[number, :rows, :columns].all()
        assert tuple(batch.origins[number].tolist()) == sample.origin
        np.testing.assert_array_equal(batch.segments[batch.owner == number], sample.segments)
        np.testing.assert_allclose(batch.fundamental[number], sample.facts["fundamental"], rtol=1e-6)


def test_batch_agrees_with_itself(small: None) -> None:
    """Shapes and frames are as said: what the target sees lies where its warp says, on the epipolar line."""
    batch = next(stream(OPTIONS, 0, 2, workers=0))
    for number in range(2):
        rows, columns = torch.nonzero(batch.mask[number] == int(Visibility.VISIBLE), as_tuple=True)
        places = batch.warp[number][:, rows, columns]
        inside = (places > -0.51) & (places < torch.tensor([[64], [48]]) - 0.49)
        assert len(rows) > 100
        assert inside.all()
        ones = torch.ones(len(rows))
        lines = batch.fundamental[number] @ torch.stack([columns.float(), rows.float(), ones])
        distance = (torch.cat([places, ones[None]]) * lines).sum(0).abs() / lines[:2].norm(dim=0)
        assert float(distance.max()) < 0.01


def test_pairs_of_a_scene_differ_and_scenes_take_turns(small: None) -> None:
    sampler = open_small(OPTIONS, 1, pairs_per_scene=3).sample_scene
    samples = [sampler(index) for index in range(13)]
    shown = [samples[:12].index(next(s for s in samples if s.scene is one.scene)) for one in samples[:12]]
    assert shown == [0, 1, 2, 3] * 3
    requests = [one.request for one in samples[0:12:4]]
    assert len({request.overlap for request in requests}) == len({float(r.eyes[0, 0]) for r in requests}) == 3
    alone = open_small(OPTIONS, 1, pairs_per_scene=3).sample_scene(9)  # whatever was asked for before
    np.testing.assert_array_equal(alone.scene.corners, samples[9].scene.corners)
    np.testing.assert_array_equal(alone.request.eyes, samples[9].request.eyes)


def test_pairs_of_one_scene_are_rendered_together(small: None) -> None:
    """As they are one by one, up to rounding: shadow maps cover all of them."""
    renderer = open_small(OPTIONS, 2, pairs_per_scene=2)
    scenes = [renderer.sample_scene(index) for index in (0, 4)]
    together = renderer.render_batch(scenes)
    assert not torch.equal(together.target[0], together.target[1])
    for number, scene in enumerate(scenes):
        alone = renderer.render_batch([scene])
        assert torch.equal(alone.mask[0], together.mask[number])
        assert float((alone.warp[0] - together.warp[number]).abs().max()) < 1e-2
        difference = (alone.target[0] - together.target[number]).abs()
        assert float((difference < 0.02).float().mean()) > 0.95


def test_canvases_are_padded_with_nothing() -> None:
    samples = [fake_sample(index) for index in range(3)]
    batch = collate([arrays_of(sample) for sample in samples])
    shapes = np.array([sample.stitched_mask.shape for sample in samples])
    assert len({*shapes[:, 1].tolist()}) > 1
    padded = np.array(batch.stitched.shape[2:])
    assert ((padded % 8 == 0) & (padded >= shapes.max(0)) & (padded < shapes.max(0) + 8)).all()
    for number, (rows, columns) in enumerate(shapes.tolist()):
        outside = torch.ones(tuple(padded), dtype=torch.bool)
        outside[:rows, :columns] = False
        assert not batch.stitched_known[number][outside].any()
        assert not batch.stitched[number][:, outside].any()
        assert batch.stitched_known[number][~outside].all()


@pytest.mark.slow
def test_workers_make_no_difference_and_end_with_the_iterator(small: None) -> None:
    assert not multiprocessing.active_children()
    batches = stream(OPTIONS, 1, 2, workers=1)
    first, second = next(batches), next(batches)
    assert len(multiprocessing.active_children()) == 1
    batches.close()  # type: ignore[attr-defined]  # a generator
    assert not multiprocessing.active_children()
    assert first.indices == (0, 1)
    assert equal(next(stream(OPTIONS, 1, 2, first=2, workers=0)), second)  # a resumed stream


def test_sample_that_cannot_be_made_is_named(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such\nscene")

    monkeypatch.setattr("datasets.scene_sampler.build_scene", fail)
    expected = r"^sample 2 to 3 cannot be made: RuntimeError: no such scene \(test_streaming.py, line \d+\)$"
    with pytest.raises(JobError, match=expected):
        next(stream(OPTIONS, 0, 2, first=2, workers=0))


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
        ({"pairs_per_scene": 0}, "pairs_per_scene 0"),
    ],
)
def test_impossible_numbers_are_refused_at_once(changes: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        stream(OPTIONS, **{"seed": 0, "batch_size": 1} | changes)
