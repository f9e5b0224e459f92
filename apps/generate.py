"""`parastitch generate`: training pairs with exact ground truth; checking and looking at them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from apps.progress import count_progress
from datasets.options import SampleOptions
from datasets.view_sets.options import ViewOptions
from stitching.errors import InputError, require

if TYPE_CHECKING:
    from datasets.generate import Report


def generate_command(
    output: tyro.conf.Positional[Path | None] = None,
    count: int | None = None,
    seed: int = 0,
    sample: tyro.conf.OmitArgPrefixes[SampleOptions] = SampleOptions(),  # noqa: B008 - frozen
    views: int = 2,
    ring: bool = False,
    index_range: tuple[int, int] | None = None,
    shards: bool = False,
    shard_size: int = 256,
    jobs: int | None = None,
    device: str = "cpu",
    engine: Literal["local", "ray"] = "local",
    preview: bool = False,
    quiet: bool = False,
    verify: Path | None = None,
    stats: Path | None = None,
) -> int:
    """Generate pairs of pictures with large parallax and exact ground truth; or check such a data set, or show it.

    With --views above 2, or --ring: sets of pictures instead of pairs.

    After an interruption the same command continues where it stopped. Sample i depends on the seed, i and the options
    alone. docs/training/datasets.md describes every file.

    Args:
        output: folder for the data set; created if it does not exist.
        count: samples of the whole data set.
        seed: of the random numbers; another one gives other samples.
        views: pictures of a scene. Above 2, samples are sets: a row of cameras that also move, each with --overlap and
            --parallax to the next.
        ring: the cameras of a set look outwards all around, in even steps.
        index_range: only the samples FIRST to END - 1 of --count, to share the work among machines.
        shards: WebDataset tar files instead of single files.
        shard_size: samples in each tar file.
        jobs: processes; default: one per usable core, one on a GPU.
        device: where to render: cpu, cuda, cuda:1.
        engine: ray spreads the work over a Ray cluster; this machine writes.
        preview: also write preview.jpg and histograms.png, and print a table of statistics.
        quiet: no progress and no summary; warnings and errors remain.
        verify: check this data set instead: presence, checksums, contents. Exit code 1 where something is wrong.
        stats: show this data set instead: write and print what --preview does.
    """
    chosen = [path for path in (output, verify, stats) if path is not None]
    if len(chosen) != 1:
        raise InputError("expected one folder: OUTPUT to generate into, or --verify DIR, or --stats DIR")
    if verify:
        return _verify(verify, quiet)
    if stats:
        _show(stats)
        return 0
    if count is None:
        raise InputError("--count is missing: expected the number of samples of the whole data set")
    if views != 2 or ring:
        others = {
            "--shards": shards, "--index-range": index_range, "--engine ray": engine == "ray", "--preview": preview,
            "--keep-clean": sample.keep_clean, "--geometry": sample.geometry,
        }  # fmt: skip
        given = [name for name, value in others.items() if value]
        require(not given, f"--views or --ring with {' '.join(given)}", "pairs (--views 2) for that")
        return _generate_sets(chosen[0], count, seed, sample, ViewOptions(views, ring), jobs, device, quiet)
    from datasets.generate import GenerateJob, generate

    job = GenerateJob(chosen[0], count, seed, index_range, shards, shard_size, jobs, device, engine)
    with count_progress(quiet) as progress:
        report = generate(sample, job, progress=progress)
    if not quiet:
        print(_summary(job.output, report), file=sys.stderr)
    if preview:
        _show(job.output)
    return 0


def _generate_sets(
    output: Path,
    count: int,
    seed: int,
    sample: SampleOptions,
    views: ViewOptions,
    jobs: int | None,
    device: str,
    quiet: bool,
) -> int:
    from datasets.view_sets.generate import SetsJob, generate_sets

    with count_progress(quiet) as progress:
        report = generate_sets(sample, views, SetsJob(output, count, seed, jobs, device), progress)
    if not quiet:
        rate = report.written / report.seconds if report.seconds else 0.0
        written = f"{report.written} sets written, {report.kept} were there already"
        print(f"{output}: {written}; {report.bytes / 1e6:.1f} MB, {rate:.2f} sets/s", file=sys.stderr)
    return 0


def _summary(folder: Path, report: "Report") -> str:
    rate = report.written / report.seconds if report.seconds else 0.0
    seconds = ", ".join(f"{stage} {value:.1f}" for stage, value in report.stages.items())
    return (
        f"{folder}: {report.written} samples written, {report.kept} were there already; "
        f"{report.bytes / 1e6:.1f} MB, {rate:.2f} pairs/s"
        + (f"; seconds over all processes: {seconds}" if seconds else "")
    )


def _verify(folder: Path, quiet: bool) -> int:
    """Print the problems as they are found; returns the exit code, 1 where there are any."""
    from datasets.storage.verify import verify
    from datasets.view_sets.storage import holds_sets, verify_sets

    problems = 0
    for problem in verify_sets(folder) if holds_sets(folder) else verify(folder):
        print(problem, flush=True)
        problems += 1
    if not quiet:
        found = f"{problems} problem{'s' if problems > 1 else ''}"
        print(f"{folder}: {found if problems else 'all is well'}", file=sys.stderr)
    return 1 if problems else 0


def _show(folder: Path) -> None:
    from apps.tables import aligned_text
    from datasets.overview.overview import write_overview

    print(aligned_text(write_overview(folder)))
    print(f"written: {folder / 'preview.jpg'}, {folder / 'histograms.png'}")
