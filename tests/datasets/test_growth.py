"""A data set that grows ends with the bytes of one that was made at once, whatever happens in between."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_renderer import FakeRenderer, contents, open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.storage.reading import read_records
from datasets.storage.verify import verify
from stitching.errors import InputError, JobError

OPTIONS = SampleOptions(size=(64, 48))
SHARDS, FOLDER = {"shards": True, "shard_size": 4}, {"shards": False}


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture(params=[FOLDER, SHARDS], ids=["folder", "shards"])
def job(tmp_path: Path, request: pytest.FixtureRequest) -> GenerateJob:
    return GenerateJob(tmp_path / "set", 6, **request.param)


def count_of(folder: Path) -> int:
    return int(json.loads((folder / "dataset.json").read_text())["count"])


def at_once(job: GenerateJob, count: int) -> dict[str, bytes]:
    whole = replace(job, output=job.output.with_name(f"whole {count}"), count=count)
    generate(OPTIONS, whole, open_fake)
    return contents(whole.output)


@pytest.mark.parametrize("count", [7, 8, 9, 13])
def test_a_grown_data_set_is_that_of_one_run(job: GenerateJob, count: int) -> None:
    generate(OPTIONS, job, open_fake)
    report = generate(OPTIONS, replace(job, count=count), open_fake)
    assert (report.written, report.kept) == (count - 6, 6)
    assert contents(job.output) == at_once(job, count)
    assert list(verify(job.output)) == []


def test_growth_that_fails_leaves_what_was_there_and_goes_on(job: GenerateJob, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(OPTIONS, job, open_fake)
    with monkeypatch.context() as patch:
        patch.setattr(FakeRenderer, "samples", failing_at(7, FakeRenderer.samples))
        with pytest.raises(JobError):
            generate(OPTIONS, replace(job, count=10), open_fake)
    assert {record.index for record in read_records(job.output)} >= set(range(6))
    assert [problem for problem in verify(job.output) if "missing" not in problem and "goes on" not in problem] == []
    generate(OPTIONS, replace(job, count=10), open_fake)
    assert contents(job.output) == at_once(job, 10)


def failing_at(index: int, samples: Callable[..., list[object]]) -> Callable[..., list[object]]:
    def limited(renderer: FakeRenderer, indices: list[int]) -> list[object]:
        if index in indices:
            raise JobError(f"sample {index} cannot be made")
        return samples(renderer, indices)

    return limited


def test_fewer_samples_than_there_are_are_refused(job: GenerateJob) -> None:
    generate(OPTIONS, job, open_fake)
    before = contents(job.output)
    with pytest.raises(InputError, match="a data set of 6 samples, now asked for 5: none are taken away; ask for 6"):
        generate(OPTIONS, replace(job, count=5), open_fake)
    assert contents(job.output) == before


def test_nothing_grows_with_other_textures(job: GenerateJob) -> None:
    def other(options: SampleOptions, seed: int, device: str) -> FakeRenderer:
        renderer = FakeRenderer(options, seed)
        renderer.checksum = "another"
        return renderer

    generate(OPTIONS, job, open_fake)
    before = contents(job.output)
    with pytest.raises(InputError, match="checksum"):
        generate(OPTIONS, replace(job, count=9), other)
    assert contents(job.output) == before


def test_parts_grow(job: GenerateJob) -> None:
    first = replace(job, count=8, index_range=(0, 8))
    generate(OPTIONS, first, open_fake)
    generate(OPTIONS, replace(first, count=14, index_range=(8, 14)), open_fake)
    assert count_of(job.output) == 14
    assert list(verify(job.output)) == []
    pictures = {name: data for name, data in contents(job.output).items() if "meta" not in name}
    assert pictures == {name: data for name, data in at_once(job, 14).items() if "meta" not in name}


def test_the_count_grows_with_shards_that_were_made_elsewhere(tmp_path: Path) -> None:
    here, there = (GenerateJob(tmp_path / name, 4, shards=True, shard_size=4) for name in ("here", "there"))
    generate(OPTIONS, here, open_fake)
    generate(OPTIONS, replace(there, count=8, index_range=(4, 8)), open_fake)
    shutil.copy(there.output / "shard-000001.tar", here.output)
    assert generate(OPTIONS, replace(here, count=8), open_fake).written == 0
    assert contents(here.output) == at_once(here, 8)


@pytest.mark.parametrize("place", [0.1, 0.6, 0.9])
def test_a_shard_that_is_cut_short_is_made_again_from_its_good_samples(tmp_path: Path, place: float) -> None:
    job = GenerateJob(tmp_path / "set", 8, shards=True, shard_size=4)
    generate(OPTIONS, job, open_fake)
    path = job.output / "shard-000001.tar"
    path.write_bytes(path.read_bytes()[: int(place * path.stat().st_size)])
    generate(OPTIONS, job, open_fake)
    assert contents(job.output) == at_once(job, 8)
