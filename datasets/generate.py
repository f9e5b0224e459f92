"""Making a data set: samples from many processes or machines, written in order, continued after an interruption."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal

from datasets.engines import check_ray, failure, run_local, run_ray, usable_cores
from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.encoding import encode
from datasets.storage.folder import Encoded, FolderWriter, Writer, folder_path
from datasets.storage.records import (
    LARGEST_COUNT,
    Description,
    check_agreement,
    describe,
    sample_name,
    write_description,
    write_line,
)
from datasets.storage.shards import SHARD_SIZE, ShardWriter, shard_path
from stitching.errors import InputError, JobError, require
from stitching.io.files import check_folder

RenderSample = Callable[[int], Sample]
OpenRenderer = Callable[[SampleOptions, int, str], RenderSample]  # of options, seed, device; can be pickled
Progress = Callable[[int, int], None]  # samples done, of how many


@dataclass(frozen=True)
class GenerateJob:
    """What to write where, and with what."""

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
        """Refuse impossible numbers.

        Raises:
            InputError: names the option, what was given and what is possible.
        """
        first, end = self.index_range or (0, self.count)
        indices = f"--index-range {first} {end}"
        require(1 <= self.count <= LARGEST_COUNT, f"--count {self.count}", f"1 to {LARGEST_COUNT}")
        require(self.seed >= 0, f"--seed {self.seed}", "0 or above")
        require(self.shard_size >= 1, f"--shard-size {self.shard_size}", "1 or above")
        require(self.jobs is None or self.jobs >= 1, f"--jobs {self.jobs}", "1 or above")
        require(0 <= first < end <= self.count, indices, f"first and end within 0 {self.count}")
        if self.shards:
            ends = f"multiples of --shard-size {self.shard_size} (or --count as the end)"
            require(first % self.shard_size == 0, indices, ends)
            require(end % self.shard_size == 0 or end == self.count, indices, ends)


@dataclass(frozen=True)
class Report:
    """What a job did."""

    written: int  # samples
    kept: int  # samples that were there already
    bytes: int  # written
    seconds: float  # of the clock
    stages: dict[str, float]  # seconds by stage, summed over the processes


def generate(
    options: SampleOptions,
    job: GenerateJob,
    open_renderer: OpenRenderer | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Make the samples that are not there yet and write them; docs/datasets.md is the format.

    `open_renderer` (default: the ray caster's) is called in every process. Scripts that call this need
    `if __name__ == "__main__"`, as the processes import them.
    Raises InputError where the folder holds another data set, cannot be written, or a package is missing; JobError
    where a sample cannot be made or written. What was written stays, and the same call continues behind it.
    """
    if open_renderer is None and find_spec("torch") is None:
        raise InputError("parastitch generate needs torch: pip install 'parastitch[generate]'")
    if job.engine == "ray":
        check_ray()
    check_folder(job.output)
    wanted = describe(options, job.count, job.seed, job.shard_size if job.shards else None)
    check_agreement(job.output, wanted)
    task = _Task(options, job.seed, job.device, job.shards, open_renderer or _ray_caster)
    with _writer(job) as writer:
        return _write(task, job, writer, wanted, progress)


def _writer(job: GenerateJob) -> Writer:
    indices = range(*(job.index_range or (0, job.count)))
    if job.shards:
        return ShardWriter(job.output, indices, job.shard_size)
    return FolderWriter(job.output, indices, part=job.index_range is not None)


def _write(task: "_Task", job: GenerateJob, writer: Writer, wanted: Description, progress: Progress) -> Report:
    first, end = job.index_range or (0, job.count)
    todo = writer.todo
    missing = sum(map(len, todo))
    kept = end - first - missing
    start, size, stages, written = time.perf_counter(), 0, Counter[str](), 0
    progress(kept, end - first)
    for made in _results(task, job, todo, missing):
        if isinstance(made, Exception):
            raise made
        if not written:
            wanted = replace(wanted, checksum=made.checksum)
            check_agreement(job.output, wanted)
            write_description(job.output, wanted)
        elif made.checksum != wanted.checksum:
            raise JobError(f"sample {made.sample.index}: made with other textures or another mesh than the first one")
        begin = time.perf_counter()
        writer.write(made.sample)
        stages.update(made.seconds | {"write": time.perf_counter() - begin})
        size += sum(map(len, made.sample.files.values())) + len(made.sample.line)
        written += 1
        progress(kept + written, end - first)
    return Report(written, kept, size, time.perf_counter() - start, dict(stages))


def _results(
    task: "_Task", job: GenerateJob, todo: list[range], missing: int
) -> Iterator["_Made | InputError | JobError"]:
    if not missing:
        return iter(())
    indices = chain.from_iterable(todo)
    if job.engine == "ray":
        return run_ray(task, indices, job.device)
    default = usable_cores() if job.device == "cpu" else 1
    return run_local(task, indices, min(job.jobs or default, missing))


@dataclass(frozen=True, eq=False)
class _Made:
    sample: Encoded
    checksum: str  # of what the renderer read: textures, mesh
    seconds: dict[str, float]  # by stage


@dataclass(frozen=True)
class _Task:
    """Makes and encodes one sample, in whatever process; what goes wrong is returned, not raised."""

    options: SampleOptions
    seed: int
    device: str
    shards: bool
    open_renderer: OpenRenderer

    def __call__(self, index: int) -> "_Made | InputError | JobError":
        start = time.perf_counter()
        try:
            renderer = _opened(self.open_renderer, self.options, self.seed, self.device)
        except (InputError, JobError) as error:
            return error
        opened = time.perf_counter() - start
        try:
            return self._made(renderer, index, opened)
        except JobError as error:
            return error
        except Exception as error:
            return failure(f"sample {index}", error)

    def _made(self, renderer: RenderSample, index: int, opened: float) -> _Made:
        before = dict(getattr(renderer, "seconds", {}))
        sample = renderer(index)
        after = getattr(renderer, "seconds", {})
        start = time.perf_counter()
        name, path = sample_name(index), shard_path if self.shards else folder_path
        files = {path(name, member): contents for member, contents in encode(sample, self.options).items()}
        encoded = Encoded(index, files, write_line(sample, files))
        seconds = {stage: value - before.get(stage, 0.0) for stage, value in after.items()}
        seconds = {"open": opened} | seconds | {"encode": time.perf_counter() - start}
        return _Made(encoded, getattr(renderer, "checksum", ""), seconds)


@lru_cache(maxsize=1)  # a process makes many samples
def _opened(open_renderer: OpenRenderer, options: SampleOptions, seed: int, device: str) -> RenderSample:
    return open_renderer(options, seed, device)


def _ray_caster(options: SampleOptions, seed: int, device: str) -> RenderSample:
    from datasets.sample_renderer import open_renderer

    return open_renderer(options, seed, device)
