"""`parastitch batch`: stitch many sets of pictures, each in one process."""

import sys
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Optional, get_args

import tyro

from apps.batching.picture_sets import PictureSet, find_sets
from apps.batching.set_record import RECORDS, TABLE, RecordFiles, SetRecord, Status, read_records
from apps.batching.set_task import SetTask
from apps.command.interruption import Interrupted
from apps.command.standard_streams import tell
from apps.progress import count_progress
from datasets.engines import MAX_JOBS, check_ray, run_local, run_ray, usable_cores
from stitching.errors import require
from stitching.io.file_conflicts import check_outputs, named_weights
from stitching.io.files import TEMPORARY, check_folder, make_folder
from stitching.options import Options, check_options

_OptionalText = Optional[str]  # noqa: UP045 - for `str | None` tyro imports typeguard: 0.1 s
_OptionalCount = Optional[int]  # noqa: UP045


def batch_command(
    sets: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    options: tyro.conf.OmitArgPrefixes[Options] = Options(),  # noqa: B008 - frozen
    format: Literal["png", "jpg", "tif", "webp"] = "png",
    report: bool = False,
    jobs: _OptionalCount = None,
    engine: Literal["local", "ray"] = "local",
    ray_address: _OptionalText = None,
    quiet: bool = False,
) -> int:
    """Stitch many sets of pictures, each in one process. Exit code 1 where a set has no panorama.

    After an interruption the same command continues where it stopped; sets whose pictures and options have changed are
    stitched again. docs/stitching/batch.md describes everything.

    Args:
        sets: a folder of folders with pictures, a set each; a folder with input1/ and input2/, pairs of equal names; or
            a CSV file, NAME,PICTURE,PICTURE,... below a header.
        output: folder for panoramas, summary.csv and summary.jsonl; a new one, or that of an earlier batch.
        format: of the panoramas.
        report: write a page for each set, too.
        jobs: processes; default: one per usable core.
        engine: ray spreads the work over a Ray cluster, all of whose machines see the pictures and OUTPUT.
        ray_address: of the cluster; default: RAY_ADDRESS, else one on this machine.
        quiet: no progress and no summary; warnings and errors remain.
    """
    start = time.perf_counter()
    require(jobs is None or 1 <= jobs <= MAX_JOBS, f"--jobs {jobs}", f"1 to {MAX_JOBS}")
    require(ray_address is None or engine == "ray", f"--ray-address {ray_address}", "--engine ray beside it")
    if engine == "ray":
        check_ray()
    check_options(options, estimates_warp=True)
    check_folder(output)
    earlier = read_records(output)
    found = find_sets(sets, output)
    earlier = {one.name: earlier[one.name] for one in found if one.name in earlier}
    task = SetTask(output.absolute(), format, report, options, earlier)
    _check_files(sets, found, task)
    make_folder(output)
    records = _stitch_all(found, task, _Processes(jobs, engine, ray_address), quiet)
    if not quiet:
        print(_in_words(output, records, earlier, time.perf_counter() - start), file=sys.stderr)
    return 1 if any(not record.panorama for record in records) else 0


@dataclass(frozen=True)
class _Processes:
    """Where sets are stitched: see the options of these names."""

    jobs: int | None
    engine: Literal["local", "ray"]
    ray_address: str | None

    def run(self, task: SetTask, sets: Sequence[PictureSet]) -> Generator[SetRecord, None, None]:
        """Yield a record of each set, as they are ready."""

        def lost(pictures: PictureSet, how: str) -> SetRecord:
            return SetRecord(pictures.name, "failed", len(pictures.inputs), error=how)

        if self.engine == "ray":
            device = "cuda" if task.options.device == "cuda" else "cpu"
            return run_ray(task, sets, device, address=self.ray_address, in_order=False, lost=lost)
        return run_local(task, sets, min(self.jobs or usable_cores(), len(sets)), in_order=False, lost=lost)


def _check_files(given: Path, sets: Sequence[PictureSet], task: SetTask) -> None:
    """Raise InputError where a file that is written, or one of an earlier run that may be removed, is an input."""
    outputs = {path for one in sets for path in task.files_of(one.name)}
    outputs |= {path for record in task.earlier.values() for path in record.files(task.output)}
    outputs |= {task.output / RECORDS, task.output / TABLE}
    inputs = [("picture", path) for one in sets for path in one.inputs]
    weights = named_weights("--warp", task.options.warp) + named_weights("--blend", task.options.blend)
    check_outputs([("-o", path) for path in sorted(outputs)], [("sets", given), *inputs, *weights])


def _stitch_all(sets: Sequence[PictureSet], task: SetTask, processes: _Processes, quiet: bool) -> list[SetRecord]:
    """Stitch what is not done yet; returns the records in the order of the sets. What is done is recorded at once."""
    _remove_half_written(task.output)
    done: dict[str, SetRecord] = {}
    files = RecordFiles(task.output, task.earlier.values())
    try:
        with count_progress(quiet) as progress, closing(processes.run(task, sets)) as records:
            progress(0, len(sets))
            for record in records:
                done[record.name] = record
                if record != task.earlier.get(record.name):
                    files.add(record)
                if record.error:
                    tell(f"{record.name}: {record.status}: {record.error}")
                progress(len(done), len(sets))
    except Interrupted as signalled:
        tell(f"interrupted: {len(done)} of {len(sets)} sets are done; the same command continues")
        raise Interrupted(signalled.number, told=True) from None
    finally:
        _remove_half_written(task.output)
        kept = {name: record for name, record in task.earlier.items() if record.is_there(task.output)} | done
        files.write_all(kept[one.name] for one in sets if one.name in kept)
    return [done[one.name] for one in sets]


def _remove_half_written(output: Path) -> None:
    """What processes left behind that were killed."""
    for path in output.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            path.unlink()


def _in_words(output: Path, records: Sequence[SetRecord], earlier: Mapping[str, SetRecord], seconds: float) -> str:
    counts = Counter(record.status for record in records)
    words = ", ".join(f"{counts[status]} {status}" for status in get_args(Status) if counts[status])
    kept = sum(bool(record.digest) and record == earlier.get(record.name) for record in records)
    were_done = f"; {kept} of them done before" if kept else ""
    return f"{output}: {len(records)} set{'s' * (len(records) > 1)}: {words}{were_done}; {seconds:.1f} s; see {TABLE}"
