"""`verify` finds what is missing, damaged or contradicts itself, and says what is still good."""

import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_renderer import FakeRenderer, open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample import Sample, Visibility
from datasets.storage.verify import verify
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(64, 48), geometry=True)
Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


def write_data_set(folder: Path, *, shards: bool = False) -> GenerateJob:
    job = GenerateJob(folder, 8, shards=shards, shard_size=4)
    generate(OPTIONS, job, open_fake)
    return job


def flip(path: Path, place: int = -40) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(data)


def test_nothing_is_wrong_with_what_was_generated(tmp_path: Path) -> None:
    for shards in (False, True):
        write_data_set(tmp_path / str(shards), shards=shards)
        assert list(verify(tmp_path / str(shards))) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: (d / "input1" / "000003.jpg").unlink(), r"sample 000003: input1.jpg is missing; .* 3 4"),
        (lambda d: flip(d / "mask" / "000003.reference.png"), r"sample 000003: mask.reference.png is damaged.* 3 4"),
        (lambda d: (d / "warp" / "000003.npz").write_bytes(b""), r"sample 000003: warp.npz is damaged.* 3 4"),
        (lambda d: (d / "input2" / "000009.jpg").write_bytes(b""), r"input2/000009.jpg: belongs to no complete sample"),
        (lambda d: (d / "input2" / ".000003.jpg.part").write_bytes(b""), r"\.000003.jpg.part: belongs to no"),
    ],
)
def test_wrong_file_is_named(tmp_path: Path, change: Change, expected: str) -> None:
    write_data_set(tmp_path)
    change(tmp_path)
    (problem,) = verify(tmp_path)
    assert re.search(expected, problem)


def test_a_damaged_sample_is_repaired_by_the_advised_command(tmp_path: Path) -> None:
    job = write_data_set(tmp_path)
    (tmp_path / "stitched" / "000005.png").unlink()
    assert len(list(verify(tmp_path))) == 1
    generate(OPTIONS, replace(job, index_range=(5, 6)), open_fake)
    assert list(verify(tmp_path)) == []


def test_missing_samples_are_listed(tmp_path: Path) -> None:
    meta = tmp_path / "meta.jsonl"
    write_data_set(tmp_path)
    lines = meta.read_bytes().splitlines(keepends=True)
    meta.write_bytes(b"".join(lines[1:3] + lines[5:]))
    problems = list(verify(tmp_path))
    assert problems[-1] == "3 of 8 samples are missing: 0, 3-4; generate them"
    assert any("input1/000003.jpg: belongs to no complete sample" in problem for problem in problems)


def test_a_damaged_line_is_named_and_repaired_by_the_next_run(tmp_path: Path) -> None:
    job = write_data_set(tmp_path)
    lines = (tmp_path / "meta.jsonl").read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"median", b"medium")
    (tmp_path / "meta.jsonl").write_bytes(b"".join(lines))
    problems = list(verify(tmp_path))
    assert problems[0].startswith("meta.jsonl, line 2: damaged")
    assert problems[-1].startswith("1 of 8 samples are missing: 1;")
    generate(OPTIONS, job, open_fake)
    assert list(verify(tmp_path)) == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (lambda lines: bytes(500), ["500 bytes after its last complete line; generate again"]),
        (lambda lines: lines[3][:70], ["70 bytes after its last complete line; generate again"]),
        (lambda lines: lines[3][:-1], ["bytes after its last complete line; generate again"]),
        (lambda lines: lines[2], ["line 9: sample 2 is there twice"]),
        (lambda lines: b"".join(lines), [f"line {9 + n}: sample {n} is there twice" for n in range(8)]),
    ],
)
def test_what_follows_the_last_line_is_named_and_removed_by_the_next_run(
    tmp_path: Path, after: Callable[[list[bytes]], bytes], expected: list[str]
) -> None:
    job = write_data_set(tmp_path)
    meta = tmp_path / "meta.jsonl"
    whole = meta.read_bytes()
    meta.write_bytes(whole + after(whole.splitlines(keepends=True)))
    problems = list(verify(tmp_path))
    assert len(problems) == len(expected)
    for problem, words in zip(problems, expected, strict=True):
        assert problem.startswith("meta.jsonl")
        assert words in problem
    assert generate(OPTIONS, job, open_fake).written == 0
    assert meta.read_bytes() == whole
    assert list(verify(tmp_path)) == []


def test_contradicting_lines_are_named(tmp_path: Path) -> None:
    job = write_data_set(tmp_path)
    generate(OPTIONS, replace(job, output=tmp_path / "other", seed=1), open_fake)
    (tmp_path / "meta-000000-000008.jsonl").write_bytes((tmp_path / "other" / "meta.jsonl").read_bytes())
    problems = [problem for problem in verify(tmp_path) if "differs from another line" in problem]
    assert len(problems) == 8


def in_target(**changes: Callable[[Sample], object]) -> Callable[[Sample], Sample]:
    return lambda sample: replace(sample, target=replace(sample.target, **{k: f(sample) for k, f in changes.items()}))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (in_target(mask=lambda s: s.target.mask - (s.target.mask == 85)), "target mask holds other values"),
        (in_target(mask=lambda s: np.full_like(s.target.mask, Visibility.VISIBLE)), "target warp contradicts its mask"),
        (in_target(mask=lambda s: np.full_like(s.target.mask, Visibility.OUTSIDE)), "target warp contradicts its mask"),
        (
            in_target(warp=lambda s: s.target.warp[:-1]),
            r"warp.npz .*target is int32 \(47, 64, 2\), expected .*\(48, 64, 2\)",
        ),
        (lambda s: replace(s, stitched_mask=s.stitched_mask | 4), "mask.stitched does not show"),
        (lambda s: replace(s, origin=(1, 0)), "mask.stitched does not show"),
        (lambda s: replace(s, stitched_mask=s.stitched_mask & 2), "mask.stitched does not show"),
    ],
)
def test_contradiction_within_a_sample_is_named(
    tmp_path: Path, change: Callable[[Sample], Sample], expected: str
) -> None:
    class Wrong(FakeRenderer):
        def __call__(self, index: int) -> Sample:
            sample = super().__call__(index)
            return change(sample) if index == 1 else sample

    generate(OPTIONS, GenerateJob(tmp_path, 2), lambda options, seed, device: Wrong(options, seed))
    (problem,) = verify(tmp_path)
    assert re.search(f"sample 000001: {expected}", problem)


def cut(path: Path) -> None:
    with tarfile.open(path) as archive:
        path.write_bytes(path.read_bytes()[: archive.getmember("000006.warp.npz").offset + 700])


def break_header(path: Path) -> None:
    with tarfile.open(path) as archive:
        flip(path, archive.getmember("000005.mask.png").offset + 3)


def break_contents(path: Path) -> None:
    with tarfile.open(path) as archive:
        flip(path, archive.getmember("000004.input1.jpg").offset_data + 300)


def break_line(path: Path) -> None:
    with tarfile.open(path) as archive:
        flip(path, archive.getmember("000007.json").offset_data + 30)


@pytest.mark.parametrize(
    ("change", "expected", "missing"),
    [
        (cut, ["sample 000006: json missing", "cut short or damaged", "2 of its 4 samples are good; delete it"], "6-7"),
        (
            break_header,
            ["sample 000005: mask.png is missing", "cut short or damaged", "3 of its 4 samples are good"],
            "5",
        ),
        (break_contents, ["sample 000004: input1.jpg is damaged", "3 of its 4 samples are good"], "4"),
        (break_line, ["sample 000007: json missing or damaged", "3 of its 4 samples are good"], "7"),
        (Path.unlink, ["missing; generate it"], "4-7"),
        (lambda path: path.write_bytes(b""), ["cut short or damaged", "0 of its 4 samples are good"], "4-7"),
    ],
)
def test_damaged_shard_is_named_with_what_is_left(
    tmp_path: Path, change: Change, expected: list[str], missing: str
) -> None:
    job = write_data_set(tmp_path, shards=True)
    path = tmp_path / "shard-000001.tar"
    change(path)
    *problems, last = verify(tmp_path)
    assert len(problems) == len(expected)
    for problem, words in zip(problems, expected, strict=True):
        assert words in problem
        assert "shard-000001.tar" in problem
    assert last.endswith(f"of 8 samples are missing: {missing}; generate them")
    path.unlink(missing_ok=True)
    generate(OPTIONS, job, open_fake)
    assert list(verify(tmp_path)) == []


def test_unfinished_data_set_lists_what_is_missing(tmp_path: Path) -> None:
    for shards in (False, True):
        folder = tmp_path / str(shards)
        generate(OPTIONS, GenerateJob(folder, 8, index_range=(0, 4), shards=shards, shard_size=4), open_fake)
        *_, last = verify(folder)
        assert last == "4 of 8 samples are missing: 4-7; generate them"


def test_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="parastitch generate"):
        list(verify(tmp_path))
