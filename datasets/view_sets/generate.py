"""Making a data set of sets: by many processes, written in order, continued after an interruption."""

import time
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.engines import MAX_JOBS, run_local, usable_cores
from datasets.generate import SampleProgress
from datasets.options import MAX_SEED, SampleOptions
from datasets.storage.paths import MAX_COUNT
from datasets.view_sets.options import ViewOptions
from datasets.view_sets.storage import (
    check_sets_folder,
    describe_sets,
    encode_set,
    missing_sets,
    write_set,
    write_sets_description,
)
from stitching.errors import InputError, require
from stitching.io.file_conflicts import check_apart
from stitching.io.files import check_folder

if TYPE_CHECKING:
    from datasets.view_sets.renderer import ViewSetRenderer


@dataclass(frozen=True)
class SetsJob:
    """Which sets to write, where, and by which processes."""

    output: Path
    count: int
    seed: int = 0
    jobs: int | None = None  # processes; None: one a usable core, on a GPU one
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Check the numbers. Raises InputError, which names the option, what was given and what is possible."""
        require(1 <= self.count <= MAX_COUNT, f"--count {self.count}", f"1 to {MAX_COUNT}")
        require(0 <= self.seed <= MAX_SEED, f"--seed {self.seed}", f"0 to {MAX_SEED}")
        require(self.jobs is None or 1 <= self.jobs <= MAX_JOBS, f"--jobs {self.jobs}", f"1 to {MAX_JOBS}")


@dataclass(frozen=True)
class SetsReport:
    """Counts, bytes and seconds of a job."""

    written: int  # sets
    kept: int  # sets that were there already
    bytes: int  # written
    seconds: float  # wall-clock time


def generate_sets(
    options: SampleOptions,
    views: ViewOptions,
    job: SetsJob,
    progress: SampleProgress = lambda done, total: None,
) -> SetsReport:
    """Make the sets that are not there yet and write them; docs/training/datasets.md describes the files.

    Raises:
        InputError: the folder holds something else, is, holds or lies inside one of the inputs, or cannot be written;
            an option is impossible; or torch is missing.
        JobError: a set cannot be made or written. What was written stays, and the same call continues after it.
    """
    views.check(options)
    if find_spec("torch") is None:
        raise InputError("parastitch generate needs torch: pip install 'parastitch[generate]'")
    inputs = ("--textures", options.textures), ("--scene", options.scene)
    check_apart(("OUTPUT", job.output), [(name, path) for name, path in inputs if path is not None])
    check_folder(job.output)
    task = _SetTask(options, views, job.seed, job.device)
    description = describe_sets(options, job.count, views.views, views.ring, job.seed, task.checksum())
    check_sets_folder(job.output, description)
    write_sets_description(job.output, description)
    todo = missing_sets(job.output, job.count)
    start, size, kept = time.perf_counter(), 0, job.count - len(todo)
    progress(kept, job.count)
    processes = min(job.jobs or (usable_cores() if job.device == "cpu" else 1), len(todo))
    with closing(run_local(task, todo, 0 if processes <= 1 else processes)) as results:
        for done, (index, files) in enumerate(zip(todo, results, strict=True), start=1):
            write_set(job.output, index, files)
            size += sum(map(len, files.values()))
            progress(kept + done, job.count)
    return SetsReport(len(todo), kept, size, time.perf_counter() - start)


@dataclass(frozen=True)
class _SetTask:
    """Renders a set and encodes it, in whatever process."""

    options: SampleOptions
    views: ViewOptions
    seed: int
    device: str

    def __call__(self, index: int) -> dict[str, bytes]:
        return encode_set(self._renderer()(index))

    def checksum(self) -> str:
        """Of textures and mesh."""
        return self._renderer().checksum

    def _renderer(self) -> "ViewSetRenderer":
        return _open_once(self.options, self.views, self.seed, self.device)


@lru_cache(maxsize=1)  # a process makes many sets
def _open_once(options: SampleOptions, views: ViewOptions, seed: int, device: str) -> "ViewSetRenderer":
    from datasets.view_sets.renderer import open_view_sets

    return open_view_sets(options, views, seed, device)
