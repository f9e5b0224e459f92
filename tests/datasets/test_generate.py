"""Making data sets: the same bytes whatever happens in between, on processes, parts and clusters."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_renderer import BREAKING, FakeRenderer, contents, open_fake, without_processes

from datasets.generate import GenerateJob, Report, generate
from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.reading import read_records
from datasets.storage.shards import _OpenShard
from datasets.storage.verify import verify
from stitching.errors import InputError, JobError

TESTS = Path(__file__).parents[1]
OPTIONS = SampleOptions(size=(64, 48))
_SCRIPT = """
import signal, sys
from pathlib import Path
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from fake_renderer import open_fake
output, count, shards = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
job = GenerateJob(Path(output), int(count), jobs=2, shards=shards == "shards", shard_size=40)
try:
    generate(SampleOptions(size=(64, 48)), job, open_fake, lambda done, total: print(done, flush=True))
except KeyboardInterrupt:  # as the command does
    sys.exit("interrupted")
"""


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process makes the samples: others take a second to start."""
    without_processes(monkeypatch)


def start(output: Path, count: int, shards: bool) -> subprocess.Popen[str]:
    """A run in a process group of its own; prints how many samples are done."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    layout = "shards" if shards else "folder"
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(output), str(count), layout],
        env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def stop_at(run: subprocess.Popen[str], done: int, how: int) -> str:
    """Send a signal once so many samples are done; returns what the run said on standard error."""
    assert run.stdout
    for line in run.stdout:
        if int(line) >= done:
            break
    if how == signal.SIGINT:
        os.killpg(run.pid, how)  # as a terminal does
    else:
        run.send_signal(how)
    return run.communicate(timeout=30)[1]


@pytest.mark.slow
@pytest.mark.parametrize("shards", [False, True])
def test_killed_runs_end_with_the_bytes_of_an_uninterrupted_one(tmp_path: Path, shards: bool, in_process: None) -> None:
    job = GenerateJob(tmp_path / "expected", 60, shards=shards, shard_size=40)
    generate(OPTIONS, job, open_fake)
    for done in (3, 45):
        run = start(tmp_path / "killed", 60, shards)
        stop_at(run, done, signal.SIGKILL)
        assert run.returncode == -signal.SIGKILL
    wait_for_the_end_of_workers(run)
    report = generate(OPTIONS, replace(job, output=tmp_path / "killed"), open_fake)
    assert report.kept >= (40 if shards else 45)
    assert contents(tmp_path / "killed") == contents(tmp_path / "expected")


def wait_for_the_end_of_workers(run: subprocess.Popen[str]) -> None:
    """They end by themselves when their parent is killed; fails after 10 s."""
    for _ in range(200):
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    pytest.fail("workers outlive their parent")


@pytest.mark.parametrize("shards", [False, True])
def test_ctrl_c_is_one_line_and_leaves_nothing_half_written(tmp_path: Path, shards: bool) -> None:
    said = stop_at(start(tmp_path, 100_000, shards), 50, signal.SIGINT)
    assert said == "interrupted\n"  # nothing from the processes
    assert not list(tmp_path.rglob(".*"))
    problems = list(verify(tmp_path))
    assert not [problem for problem in problems if "missing" not in problem]
    assert len(read_records(tmp_path)) >= 40


@pytest.mark.usefixtures("in_process")
def test_parts_add_up_to_the_data_set(tmp_path: Path) -> None:
    whole, parts = (GenerateJob(tmp_path / name, 7) for name in ("whole", "parts"))
    generate(OPTIONS, whole, open_fake)
    assert generate(OPTIONS, replace(parts, index_range=(4, 7)), open_fake).written == 3
    generate(OPTIONS, replace(parts, index_range=(0, 4)), open_fake)
    generate(OPTIONS, replace(parts, index_range=(4, 7)), open_fake)
    first, second = contents(whole.output), contents(parts.output)
    lines = {name: first.pop(name, b"") + second.pop(name, b"") for name in list(first | second) if "meta" in name}
    assert first == second
    assert lines["meta.jsonl"] == lines["meta-000000-000004.jsonl"] + lines["meta-000004-000007.jsonl"]
    assert not list(verify(parts.output))


def test_a_gpu_makes_samples_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> None:
    """The last one is smaller; the data set is the same."""
    monkeypatch.setattr("datasets.generate.GPU_BATCH", 4)
    asked: list[list[int]] = []
    samples = FakeRenderer.samples

    def noted(renderer: FakeRenderer, indices: Sequence[int]) -> list[Sample]:
        asked.append(list(indices))
        return samples(renderer, indices)

    monkeypatch.setattr(FakeRenderer, "samples", noted)
    generate(OPTIONS, GenerateJob(tmp_path / "gpu", 6, device="cuda"), open_fake)
    assert asked == [[0, 1, 2, 3], [4, 5]]
    generate(OPTIONS, GenerateJob(tmp_path / "cpu", 6), open_fake)
    assert asked[2:] == [[index] for index in range(6)]
    assert contents(tmp_path / "gpu") == contents(tmp_path / "cpu")


def test_report_counts_what_was_done(tmp_path: Path) -> None:
    job = GenerateJob(tmp_path, 6, jobs=2)
    reported: list[tuple[int, int]] = []
    report = generate(OPTIONS, job, open_fake, lambda done, total: reported.append((done, total)))
    assert (report.written, report.kept) == (6, 0)
    assert report.bytes == sum(map(len, contents(tmp_path).values())) - len((tmp_path / "dataset.json").read_bytes())
    assert report.stages["render"] == pytest.approx(3.0)  # half a second each, whoever made it
    assert {"open", "encode", "write"} <= set(report.stages)
    assert reported == [(done, 6) for done in range(7)]
    again = generate(OPTIONS, job, open_fake)
    assert replace(again, seconds=0) == Report(0, 6, 0, 0, {})


@pytest.mark.parametrize(
    ("how", "words"),
    [("raise", r"sample 3 .*: RuntimeError: no such scene \(fake_renderer"), ("die", "sample 3.* code 7")],
)
def test_failing_sample_is_named_and_those_before_it_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    monkeypatch.setenv(BREAKING, f"3 {how}")
    with pytest.raises(JobError, match=words) as caught:
        generate(OPTIONS, GenerateJob(tmp_path, 9, jobs=1), open_fake)
    assert "\n" not in str(caught.value)
    assert len(read_records(tmp_path)) == 3
    monkeypatch.delenv(BREAKING)
    assert generate(OPTIONS, GenerateJob(tmp_path, 9, jobs=1), open_fake).kept == 3


def refuse(options: SampleOptions, seed: int, device: str) -> FakeRenderer:
    raise InputError("--textures x: no folder")


def test_what_the_renderer_refuses_is_an_input_error_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--textures x: no folder$"):
        generate(OPTIONS, GenerateJob(tmp_path / "new", 9, jobs=1), refuse)
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize("room", [0, 3, 16, 30])
def test_a_full_disk_is_reported_and_the_next_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: bool, room: int
) -> None:
    job = GenerateJob(tmp_path / "full", 6, shards=shards, shard_size=2)
    with monkeypatch.context() as patch:
        _fill_disk(patch, room)
        with pytest.raises(JobError, match=r"No space left on device; free some space .* continues"):
            generate(OPTIONS, job, open_fake)
    assert not [path for path in tmp_path.rglob("*.part")]
    generate(OPTIONS, job, open_fake)
    generate(OPTIONS, replace(job, output=tmp_path / "whole"), open_fake)
    assert contents(tmp_path / "full") == contents(tmp_path / "whole")


def _fill_disk(patch: pytest.MonkeyPatch, room: int) -> None:
    """Let the disk take so many files or tar members, and half of the next."""
    left = [room]

    def full(write: Callable[..., Any]) -> Callable[..., Any]:
        def limited(*arguments: Any) -> Any:
            *first, data = arguments
            left[0] -= 1
            if left[0] < 0:
                write(*first, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*arguments)

        return limited

    patch.setattr(Path, "write_bytes", full(Path.write_bytes))
    patch.setattr(_OpenShard, "add", full(_OpenShard.add))


def other_textures(options: SampleOptions, seed: int, device: str) -> FakeRenderer:
    renderer = FakeRenderer(options, seed)
    renderer.checksum = "another"
    return renderer


@pytest.mark.usefixtures("in_process")
def test_other_textures_than_before_are_refused(tmp_path: Path) -> None:
    generate(OPTIONS, GenerateJob(tmp_path, 5, index_range=(0, 2)), open_fake)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="checksum 0123abcd, now asked for another"):
        generate(OPTIONS, GenerateJob(tmp_path, 5, index_range=(2, 5)), other_textures)
    assert contents(tmp_path) == before


def test_other_options_are_refused_before_any_work(tmp_path: Path) -> None:
    job = GenerateJob(tmp_path, 2, jobs=1)
    generate(OPTIONS, job, open_fake)
    with pytest.raises(InputError, match="fov"):
        generate(replace(OPTIONS, fov=(50, 51)), job, refuse)
    with pytest.raises(InputError, match="seed 0, now asked for 1"):
        generate(OPTIONS, replace(job, seed=1), refuse)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 0}, "--count 0"),
        ({"count": -3}, "--count -3"),
        ({"count": 1_000_001}, "--count 1000001"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**63}, f"--seed {2**63}"),
        ({"jobs": 0}, "--jobs 0"),
        ({"jobs": 10**6}, "--jobs 1000000"),
        ({"shard_size": 0, "shards": True}, "--shard-size 0"),
        ({"shard_size": 10**12, "shards": True}, "--shard-size 1000000000000"),
        ({"index_range": (3, 11)}, "--index-range 3 11"),
        ({"index_range": (3, 3)}, "--index-range 3 3"),
        ({"index_range": (-1, 3)}, "--index-range -1 3"),
        ({"index_range": (2, 8), "shards": True, "shard_size": 4}, "multiples of --shard-size 4"),
    ],
)
def test_impossible_jobs_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        GenerateJob(**{"output": Path("out"), "count": 10} | changes)


def test_last_part_of_shards_may_be_shorter() -> None:
    GenerateJob(Path("out"), 10, index_range=(4, 10), shards=True, shard_size=4)


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("datasets.generate", "datasets.engines"):
        monkeypatch.setattr(f"{place}.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'parastitch\[generate\]'"):
        generate(OPTIONS, GenerateJob(tmp_path, 2))
    with pytest.raises(InputError, match=r"pip install 'parastitch\[cluster\]'"):
        generate(OPTIONS, GenerateJob(tmp_path, 2, engine="ray"), open_fake)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (TESTS / "datasets", TESTS, TESTS.parent))))
    job = GenerateJob(tmp_path / "ray", 5, engine="ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        assert generate(OPTIONS, job, open_fake).written == 5
        with pytest.raises(InputError, match=r"^--textures x: no folder$"):
            generate(OPTIONS, replace(job, output=tmp_path / "bad"), refuse)
    finally:
        ray.shutdown()
    generate(OPTIONS, replace(job, output=tmp_path / "whole", engine="local"), open_fake)
    assert contents(tmp_path / "ray") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("in_process")
def test_photographs_that_are_left_out_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def lacking(options: SampleOptions, seed: int, device: str) -> FakeRenderer:
        renderer = FakeRenderer(options, seed)
        renderer.left_out = ("textures: a.jpg: empty; left out",)
        return renderer

    generate(OPTIONS, GenerateJob(tmp_path, 5), lacking)
    assert [record.getMessage() for record in caplog.records] == ["textures: a.jpg: empty; left out"]
