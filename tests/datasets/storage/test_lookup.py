"""Samples of a folder in any order."""

from pathlib import Path

import numpy as np
import pytest
from fake_renderer import open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.lookup import SampleLookup
from stitching.errors import InputError


def open_with_fundamental(options: SampleOptions, seed: int, device: str = "cpu") -> object:
    renderer = open_fake(options, seed)
    made = renderer.samples

    def samples(indices: list[int]) -> list[Sample]:
        found = made(indices)
        for sample in found:
            sample.facts["fundamental"] = np.eye(3).tolist()
        return found

    renderer.samples = samples  # type: ignore[method-assign, assignment]
    return renderer


@pytest.fixture(params=[False, True], ids=["photographed", "clean"])
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    without_processes(monkeypatch)
    options = SampleOptions(size=(64, 48), keep_clean=request.param)
    generate(options, GenerateJob(tmp_path, 3), open_with_fundamental)  # type: ignore[arg-type]
    return tmp_path


def test_a_pair_is_what_training_needs_of_its_sample(folder: Path) -> None:
    lookup = SampleLookup(folder)
    assert lookup.indices == [0, 1, 2]
    for index in (2, 0):
        sample, pair = lookup[index], lookup.pair(index)
        arrays, target = sample.arrays, sample.arrays.target
        clean = arrays.clean_stitched is not None
        assert np.array_equal(pair.stitched, arrays.clean_stitched if clean else arrays.stitched)
        assert np.array_equal(pair.pictures[1], target.clean if clean else target.picture)
        assert np.array_equal(pair.warp, target.warp)
        assert pair.warp.dtype == np.float32
        assert np.array_equal(pair.mask, target.mask)
        assert (pair.index, pair.origin) == (sample.record.index, sample.record.origin)


def test_a_damaged_line_is_named_and_an_incomplete_one_left_out(folder: Path) -> None:
    meta = folder / "meta.jsonl"
    lines = meta.read_bytes().splitlines(keepends=True)
    meta.write_bytes(lines[0].replace(b'"origin"', b'"0rigin"') + lines[1] + lines[2][:-20])
    lookup = SampleLookup(folder)
    assert lookup.indices == [0, 1]
    assert lookup[1].record.index == 1
    with pytest.raises(InputError, match=r"meta\.jsonl, line of sample 0: damaged .*--verify"):
        lookup[0]


def test_what_holds_no_samples_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "meta.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="holds no sample"):
        SampleLookup(folder)
    shards = tmp_path_factory.mktemp("shards")
    generate(SampleOptions(size=(64, 48)), GenerateJob(shards, 1, shards=True), open_fake)
    with pytest.raises(InputError, match="holds shards"):
        SampleLookup(shards)
