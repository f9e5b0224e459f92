"""One run of one method on one pair, in a folder of its own that appears when the run is complete."""

import json
import os
import shutil
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from apps.evaluation.methods import StitchMethod
from apps.evaluation.timed_process import ProcessCost, run_timed
from apps.pair_folders import PairFiles
from stitching.errors import InputError, JobError

_THREADS = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Limits:
    """What a run may use: `threads`, the same for every method, and `timeout` in seconds."""

    threads: int
    timeout: float


@dataclass(frozen=True)
class Status:
    """How a run ended, as `status.json` beside its outputs says.

    Attributes:
        ok: the method ended well and left a panorama.
        error: why not, one line; empty = ok.
        seconds, cpu_s, peak_mb: of the whole process, see `timed_process.ProcessCost`.
        inputs: digest of the pair's files and of the method's weights.
        threads: that it was allowed.
    """

    ok: bool
    error: str
    seconds: float
    cpu_s: float
    peak_mb: float
    inputs: str
    threads: int


def run_method(method: StitchMethod, files: PairFiles, folder: Path, limits: Limits, again: bool) -> Status:
    """Run a method on a pair, or read how it ended where it ran before on the same files with as many threads.

    Args:
        method: what to run.
        files: the pair.
        folder: for its outputs and `status.json`.
        limits: of the run.
        again: run it in any case.

    Raises:
        InputError: `folder` exists and holds something else.
        JobError: the outputs cannot be stored.
    """
    inputs = files.digest() + method.weights
    before = _read_status(folder)
    if before is not None and (before.inputs, before.threads) == (inputs, limits.threads) and not again:
        return before
    if before is None and folder.exists():
        raise InputError(f"{folder}: exists and holds no run of evaluate; remove it or choose another output")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        if partial.exists():  # of a run that was interrupted
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        command = method.command(files.reference.resolve(), files.target.resolve(), partial.resolve())
        environment = os.environ | dict.fromkeys(_THREADS, str(limits.threads))
        cost = run_timed(command, partial / "log.txt", limits.timeout, environment)
        if cost.exit_code == 0 and method.collect is not None:
            method.collect(partial)
        status = _status(cost, partial, limits, inputs)
        (partial / "status.json").write_text(json.dumps(asdict(status), indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except OSError as error:
        raise JobError(f"cannot store the run in {folder}: {error.strerror or error}") from error
    return status


def _status(cost: ProcessCost, folder: Path, limits: Limits, inputs: str) -> Status:
    error = ""
    if cost.timed_out:
        error = f"took longer than {limits.timeout:g} s"
    elif cost.exit_code < 0:
        error = f"ended by {signal.Signals(-cost.exit_code).name}"
    elif cost.exit_code > 0:
        lines = (folder / "log.txt").read_text(errors="replace").strip().split("\n")
        error = lines[-1].strip()[:200] or f"exit code {cost.exit_code}"
    elif not (folder / "pano.png").exists():
        error = "no panorama written"
    seconds, cpu_seconds, peak_mb = round(cost.seconds, 3), round(cost.cpu_seconds, 3), round(cost.peak_mb, 1)
    return Status(not error, error, seconds, cpu_seconds, peak_mb, inputs, limits.threads)


def _read_status(folder: Path) -> Status | None:
    try:
        return Status(**json.loads((folder / "status.json").read_text()))
    except (OSError, ValueError, TypeError):  # missing, cut short, of another kind
        return None
