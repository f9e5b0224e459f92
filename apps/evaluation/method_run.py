"""One run of one method on one pair, in a folder of its own that appears when the run is complete."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from apps.evaluation.digests import Facts, environment_digest
from apps.evaluation.methods import StitchMethod
from apps.evaluation.timed_process import ProcessCost, run_timed
from apps.pair_folders import PairFiles
from datasets.digests import digest, file_digest
from stitching.errors import InputError, JobError
from stitching.io.files import check_folder

OUTPUTS = ("pano.png", "warp1.png", "mask1.png", "warp2.png", "mask2.png", "map.npz", "shown.npz")  # that are measured

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
        facts: what decided it; empty = it would not end in the same way again.
        outputs: hashes of those of `OUTPUTS` that it left, by name; {} = none, or the run is of an earlier version.
    """

    ok: bool
    error: str
    seconds: float
    cpu_s: float
    peak_mb: float
    facts: Facts
    outputs: Facts


def check_run_folder(folder: Path) -> None:
    """Raise InputError where `folder` cannot be that of a run: it holds something else, or is no folder."""
    check_folder(folder)
    if folder.exists() and _read_status(folder) is None:
        raise InputError(f"{folder}: exists and holds no run of evaluate; remove it or choose another output")


def run_method(
    method: StitchMethod, files: PairFiles, folder: Path, limits: Limits, again: bool, report: Callable[[str], None]
) -> Status:
    """Run a method on a pair, or read how it ended where a run would end in the same way now.

    That is where all that decides a result is the same (`Status.facts`), the run took no longer than it may now, and
    its outputs are as it left them.

    Args:
        method: what to run.
        files: the pair.
        folder: for its outputs and `status.json`; see `check_run_folder`.
        limits: of the run.
        again: run it in any case.
        report: gets, before the run, whether there is one, and why.

    Raises:
        InputError: a file of the pair or the method cannot be read.
        JobError: the outputs cannot be stored.
    """
    environment = os.environ | dict.fromkeys(_THREADS, str(limits.threads))
    facts = _facts(method, files, environment)
    before = _read_status(folder)
    reason = _reason_to_run(before, facts, folder, limits, again)
    report(reason or "kept")
    return _run(method, files, folder, limits, environment, facts) if reason or before is None else before


def _facts(method: StitchMethod, files: PairFiles, environment: Mapping[str, str]) -> Facts:
    """All that decides a result, apart from the time that the run may take."""
    reference, target = files.reference, files.target
    words = method.command(Path(f"reference{reference.suffix}"), Path(f"target{target.suffix}"), Path("folder"))
    own = {"pictures": files.digest(), "command": digest(*words)}
    return own | {"threads or environment": environment_digest(environment)} | method.facts()


def _reason_to_run(before: Status | None, facts: Facts, folder: Path, limits: Limits, again: bool) -> str:
    """In words; empty = the run before, whose outputs `folder` holds, would end in the same way now."""
    if before is None:
        return "run"
    if again:
        return "run again"
    if not before.facts:
        return "run again, the last one failed for want of time or memory, or is of an earlier version"
    if changed := [name for name in facts.keys() | before.facts.keys() if facts.get(name) != before.facts.get(name)]:
        return f"run again, changed: {', '.join(sorted(changed))}"
    if before.seconds > limits.timeout:
        return f"run again, it took longer than {limits.timeout:g} s"
    return "" if before.outputs == _outputs(folder) else "run again, changed: outputs"


def _outputs(folder: Path) -> Facts:
    """Hashes of the files that are measured, by name; of those that are there and are files."""
    return {name: file_digest(folder / name) for name in OUTPUTS if (folder / name).is_file()}


def _run(
    method: StitchMethod,
    files: PairFiles,
    folder: Path,
    limits: Limits,
    environment: Mapping[str, str],
    facts: Facts,
) -> Status:
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        if partial.exists():  # of a run that was interrupted
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        command = method.command(files.reference.resolve(), files.target.resolve(), partial.resolve())
        cost = run_timed(command, partial / "log.txt", limits.timeout, environment)
        if cost.exit_code == 0 and method.collect is not None:
            method.collect(partial)
        # A result of weights or code that changed meanwhile is not used again: nobody knows which it is of.
        decided = facts if _ends_alike(cost, method) and facts == _facts(method, files, environment) else {}
        status = _status(cost, partial, limits, decided)
        (partial / "status.json").write_text(json.dumps(asdict(status), indent=1))
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise JobError(f"cannot store the run in {folder}: {error.strerror or error}") from error
    return status


def _ends_alike(cost: ProcessCost, method: StitchMethod) -> bool:
    """Whether the same run would end in the same way: time, memory and signals come from outside."""
    ended_by_itself = 0 <= cost.exit_code < 128  # a shell, and parastitch, add the number of the signal to 128
    return not cost.timed_out and ended_by_itself and cost.exit_code not in method.passing_failures


def _status(cost: ProcessCost, folder: Path, limits: Limits, facts: Facts) -> Status:
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
    return Status(not error, error, seconds, cpu_seconds, peak_mb, facts, _outputs(folder))


def _read_status(folder: Path) -> Status | None:
    """None where there is no run. One of an earlier version has no facts or no outputs."""
    path = folder / "status.json"
    if not path.is_file():  # also a pipe, which may never end
        return None
    try:
        found = json.loads(path.read_text())
        facts, outputs = dict(found.get("facts", {})), dict(found.get("outputs", {}))
        seconds, cpu_seconds, peak_mb = (float(found[name]) for name in ("seconds", "cpu_s", "peak_mb"))
        return Status(bool(found["ok"]), str(found["error"]), seconds, cpu_seconds, peak_mb, facts, outputs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):  # cut short, of another kind
        return None
