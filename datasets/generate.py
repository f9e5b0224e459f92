"""Making a data set: samples from many processes or machines, written in order, continued after an interruption."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import Literal, Protocol

from datasets.engines import MAX_JOBS, IndexBatch, check_ray, run_local, run_ray, usable_cores
from datasets.options import MAX_SEED, SampleOptions
from datasets.sample import Sample
from datasets.storage.description import Description, check_agreement, describe, update_count, write_description
from datasets.storage.folder import FolderWriter
from datasets.storage.foreign_files import check_no_foreign_files
from datasets.storage.paths import MAX_COUNT, folder_path, shard_path
from datasets.storage.samples import EncodedSample, encode_sample
from datasets.storage.shards import SHARD_SIZE, ShardWriter
from datasets.storage.writing import Writer
from datasets.textures.photographs import warn_of
from stitching.errors import InputError, JobError, require
from stitching.io.file_conflicts import check_apart
from stitching.io.files import check_folder

OpenRenderer = Callable[[SampleOptions, int, str], "Renderer"]  # of options, seed, device; is pickled
SampleProgress = Callable[[int, int], None]  # samples done, samples in total

GPU_BATCH = 16  # samples that a GPU renders together


class Renderer(Protocol):
    """Makes samples by their indices; datasets.sample_renderer.SampleRenderer, for one."""

    @property
    def checksum(self) -> str:
        """Of what it read: textures, mesh."""

    @property
    def left_out(self) -> Sequence[str]:
        """What could not be read and is left out, a line each."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Stage -> seconds spent in it so far."""

    def samples(self, indices: Sequence[int]) -> list[Sample]:
        """The same index gives the same sample."""


@dataclass(frozen=True)
class GenerateJob:
    """Which samples to write, where, and by which processes."""

    output: Path
    count: int
    seed: int = 0
    index_range: tuple[int, int] | None = None  # half open: only these of the `count` samples
    shards: bool = False
    shard_size: int = SHARD_SIZE
    jobs: int | None = None  # processes; None: one a usable core, on a GPU one
    device: str = "cpu"
    engine: Literal["local", "ray"] = "local"

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InputError: names the option, what was given and what is possible.
        """
        first, end = self.index_range or (0, self.count)
        indices = f"--index-range {first} {end}"
        require(1 <= self.count <= MAX_COUNT, f"--count {self.count}", f"1 to {MAX_COUNT}")
        require(0 <= self.seed <= MAX_SEED, f"--seed {self.seed}", f"0 to {MAX_SEED}")
        require(1 <= self.shard_size <= MAX_COUNT, f"--shard-size {self.shard_size}", f"1 to {MAX_COUNT}")
        require(self.jobs is None or 1 <= self.jobs <= MAX_JOBS, f"--jobs {self.jobs}", f"1 to {MAX_JOBS}")
        require(0 <= first < end <= self.count, indices, f"first and end within 0 {self.count}")
        if self.shards:
            ends = f"multiples of --shard-size {self.shard_size} (or --count as the end)"
            require(first % self.shard_size == 0, indices, ends)
            require(end % self.shard_size == 0 or end == self.count, indices, ends)


@dataclass(frozen=True)
class Report:
    """Counts, bytes and seconds of a job."""

    written: int  # samples
    kept: int  # samples that were there already
    bytes: int  # written
    seconds: float  # wall-clock time
    stages: dict[str, float]  # stage -> seconds, summed over the processes


def generate(
    options: SampleOptions,
    job: GenerateJob,
    open_renderer: OpenRenderer | None = None,
    progress: SampleProgress = lambda done, total: None,
) -> Report:
    """Make the samples that are not there yet and write them; docs/training/datasets.md describes the format.

    Args:
        options: what the samples are like.
        job: how many of them, and where to.
        open_renderer: called once in every process; None: the ray caster's. Scripts that call `generate` need
            `if __name__ == "__main__"`, as the processes import them.
        progress: called with (samples done, samples in total) after each sample.

    Raises:
        InputError: the folder holds another data set or somebody's files, is, holds or lies inside one of the inputs,
            or cannot be written; or a package is missing.
        JobError: a sample cannot be made or written. What was written stays, and the same call continues after it.
    """
    if open_renderer is None and find_spec("torch") is None:
        raise InputError("parastitch generate needs torch: pip install 'parastitch[generate]'")
    if job.engine == "ray":
        check_ray()
    inputs = ("--textures", options.textures), ("--scene", options.scene)
    check_apart(("OUTPUT", job.output), [(name, path) for name, path in inputs if path is not None])
    check_folder(job.output)
    check_no_foreign_files(job.output)
    description = describe(options, job.count, job.seed, job.shard_size if job.shards else None)
    check_agreement(job.output, description)
    task = _SampleTask(options, job.seed, job.device, job.shards, open_renderer or _open_ray_caster)
    with _writer(job) as writer:
        return _write_samples(task, job, writer, description, progress)


def _writer(job: GenerateJob) -> Writer:
    indices = range(*(job.index_range or (0, job.count)))
    if job.shards:
        return ShardWriter(job.output, indices, job.shard_size)
    return FolderWriter(job.output, indices, part=job.index_range is not None)


def _write_samples(
    task: "_SampleTask", job: GenerateJob, writer: Writer, description: Description, progress: SampleProgress
) -> Report:
    first, end = job.index_range or (0, job.count)
    todo = writer.todo
    missing = sum(map(len, todo))
    kept = end - first - missing
    start, size, stages, written = time.perf_counter(), 0, Counter[str](), 0
    progress(kept, end - first)
    with closing(_results(task, job, todo, missing)) as results:
        for result in results:
            if not written:
                warn_of(result.left_out)
                description = replace(description, checksum=result.checksum)
                check_agreement(job.output, description)
                write_description(job.output, description)
            elif result.checksum != description.checksum:
                raise JobError(f"sample {result.sample.index}: its textures or mesh differ from the first sample's")
            write_start = time.perf_counter()
            writer.write(result.sample)
            stages.update(result.seconds | {"write": time.perf_counter() - write_start})
            size += sum(map(len, result.sample.files.values())) + len(result.sample.line)
            written += 1
            progress(kept + written, end - first)
    if not written:
        update_count(job.output, job.count)
    return Report(written, kept, size, time.perf_counter() - start, dict(stages))


def _results(
    task: "_SampleTask", job: GenerateJob, todo: list[range], missing: int
) -> Generator["_TaskResult", None, None]:
    if not missing:
        return
    indices, together = chain.from_iterable(todo), 1 if job.device == "cpu" else GPU_BATCH
    batches = iter(lambda: IndexBatch(islice(indices, together)), ())
    if job.engine == "ray":
        results = run_ray(task, batches, job.device)
    else:
        default = usable_cores() if job.device == "cpu" else 1
        results = run_local(task, batches, min(job.jobs or default, missing))
    with closing(results):
        yield from chain.from_iterable(results)


@dataclass(frozen=True, eq=False)
class _TaskResult:
    sample: EncodedSample
    checksum: str  # of the renderer
    left_out: Sequence[str]  # of the renderer
    seconds: dict[str, float]  # by stage


@dataclass(frozen=True)
class _SampleTask:
    """Renders samples together and encodes them, in whatever process."""

    options: SampleOptions
    seed: int
    device: str
    shards: bool
    open_renderer: OpenRenderer

    def __call__(self, indices: IndexBatch) -> list[_TaskResult]:
        start = time.perf_counter()
        renderer = _open_once(self.open_renderer, self.options, self.seed, self.device)
        opened = time.perf_counter()
        before = dict(renderer.seconds)
        samples = renderer.samples(indices)
        rendered = time.perf_counter()
        path = shard_path if self.shards else folder_path
        encoded = [encode_sample(sample, self.options, path) for sample in samples]
        stages = {stage: seconds - before.get(stage, 0.0) for stage, seconds in renderer.seconds.items()}
        stages = {"open": opened - start} | stages | {"encode": time.perf_counter() - rendered}
        each = {stage: seconds / len(indices) for stage, seconds in stages.items()}
        return [_TaskResult(sample, renderer.checksum, renderer.left_out, each) for sample in encoded]


@lru_cache(maxsize=1)  # a process makes many samples
def _open_once(open_renderer: OpenRenderer, options: SampleOptions, seed: int, device: str) -> Renderer:
    return open_renderer(options, seed, device)


def _open_ray_caster(options: SampleOptions, seed: int, device: str) -> Renderer:
    from datasets.sample_renderer import open_renderer

    return open_renderer(options, seed, device)
