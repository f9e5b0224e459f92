"""The stitches that the page asks for: one at a time, each in a process that can be killed."""

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fastapi import HTTPException

from apps.command.watched_process import ADVICE
from apps.ui_server.stitching_jobs.run_task import run_task
from apps.ui_server.stitching_jobs.stitch_task import Outcome, StitchTask, TaskPicture
from apps.ui_server.work_process import ProcessEndedError, WorkProcess
from apps.ui_server.work_processes import WorkProcesses
from stitching.errors import InputError, JobError
from stitching.options import Options

State = Literal["running", "done", "failed", "cancelled"]

_KEPT = 2  # finished previews, and finished stitches at full size


@dataclass(eq=False)
class Job:
    """A stitch that was asked for.

    Attributes:
        number: names it in requests.
        preview: small, so that another one may take its place.
        stage, share: what is being done, and how much of all is done, 0..1.
        process: that works on it.
    """

    number: int
    task: StitchTask
    preview: bool
    state: State = "running"
    stage: str = "start"
    share: float = 0.0
    error: str | None = None
    outcome: Outcome | None = None
    process: WorkProcess | None = None
    writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def as_json(self) -> dict[str, Any]:
        """What the page is told."""
        outcome = self.outcome
        return {
            "id": self.number, "state": self.state, "preview": self.preview, "stage": self.stage,
            "share": round(self.share, 4), "error": self.error, "warnings": outcome.warnings if outcome else [],
            "summary": outcome.summary if outcome else {}, "size": outcome.size if outcome else None,
            "views": outcome.views if outcome else [],
        }  # fmt: skip


class Jobs:
    """All stitches by their numbers.

    Args:
        folder: an empty temporary folder.
        processes: that stitch.
    """

    def __init__(self, folder: Path, processes: WorkProcesses) -> None:
        self._folder, self._processes = folder, processes
        self._jobs: dict[int, Job] = {}
        self._last_number = 0
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def __getitem__(self, number: int) -> Job:
        """The job with a number; HTTPException 404 where there is none, or no more."""
        try:
            return self._jobs[number]
        except KeyError:
            raise HTTPException(404, f"no job {number}") from None

    def done(self, number: int) -> tuple[Job, Outcome]:
        """A finished job and its result; HTTPException 404: none has this number, 409: it has no result."""
        job = self[number]
        if job.outcome is None:
            raise HTTPException(409, f"job {number} is {job.state}: it has no panorama")
        return job, job.outcome

    def uses(self, picture: int) -> bool:
        """Whether a stitch that runs needs a picture."""
        with self._lock:
            running = [job for job in self._jobs.values() if job.state == "running"]
        return any(one.number == picture for job in running for one in job.task.pictures)

    def start(
        self, pictures: tuple[TaskPicture, ...], reference: int | None, options: Options, *, preview: bool
    ) -> Job:
        """Begin to stitch. A preview that runs is cancelled for it.

        Args:
            pictures, reference, options: see `StitchTask`.
            preview: small, so that another one may take its place.

        Raises:
            HTTPException: a stitch at full size runs, 409.
        """
        with self._lock:
            running = [other for other in self._jobs.values() if other.state == "running"]
            if any(not other.preview for other in running):
                raise HTTPException(409, "a stitch at full size runs; cancel it first")
            for other in running:
                self._cancel(other)
            self._last_number += 1
            folder = self._folder / str(self._last_number)
            folder.mkdir()
            job = Job(self._last_number, StitchTask(pictures, reference, options, folder), preview)
            self._jobs[job.number] = job
            self._forget_old()
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def cancel(self, number: int) -> None:
        """End a job that runs, and its process; one that has ended stays as it is."""
        with self._lock:
            self._cancel(self[number])

    def _cancel(self, job: Job) -> None:
        if job.state == "running":
            if job.process is not None:
                self._processes.discard(job.process)
            self._end(job, "cancelled")

    def _run(self, job: Job) -> None:
        with self._turn:  # the job before it has ended
            with self._lock:
                if job.state != "running":
                    return
                job.process = process = self._processes.for_stitching()
            outcome, error = None, "the server failed; its terminal says why"
            try:
                outcome = process.call(run_task, job.task, report=lambda stage, share: self._report(job, stage, share))
            except (InputError, JobError) as known:
                error = str(known)
            except ProcessEndedError:  # where nobody here has killed it, the job still counts as running
                error = f"the process that stitched has ended: {ADVICE}"
            except Exception:
                self._processes.discard(process)  # it may still be talking
                raise
            finally:
                self._settle(job, outcome, error)
                job.process = None

    def _report(self, job: Job, stage: str, share: float) -> None:
        stages = job.task.stages
        job.stage, job.share = stage, (stages.index(stage) + share) / len(stages)

    def _settle(self, job: Job, outcome: Outcome | None, error: str) -> None:
        """Let a job end, unless it was cancelled; `error` counts where it has no result."""
        with self._lock:
            if job.state == "running":
                job.outcome = outcome
                self._end(job, "failed" if outcome is None else "done", None if outcome else error)

    def _end(self, job: Job, state: State, error: str | None = None) -> None:
        job.error, job.state = error, state
        if state == "done":
            job.share = 1.0
        else:
            shutil.rmtree(job.task.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        """Remove all but the last results of each kind."""
        for preview in (True, False):
            done = [job for job in self._jobs.values() if job.preview == preview and job.state == "done"]
            for job in done[:-_KEPT]:
                del self._jobs[job.number]
                shutil.rmtree(job.task.folder, ignore_errors=True)
