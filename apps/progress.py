"""Progress bars on stderr: on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

PAIR_STAGES = ("read", "align", "warp", "blend", "compose", "write")
MANY_STAGES = ("read", "match", "adjust", "place", "compose", "write")


@contextmanager
def stage_progress(quiet: bool, stages: Sequence[str]) -> Iterator[Callable[[str, float], None]]:
    """Yields the callback (stage, share done 0..1) that `stitching.stitch` and `stitch_many` call, of these stages."""
    with _progress_bar(quiet, time_left=False) as update:
        yield lambda stage, share: update(stage, stages.index(stage) + share, len(stages))


@contextmanager
def count_progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yields the callback (done, total) of a job that makes many things."""
    with _progress_bar(quiet, time_left=True) as update:
        yield lambda done, total: update(f"{done}/{total}", done, total)


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Yields the callback (text, done, total) that `train` calls; None where no bar is shown."""
    if sys.stderr.isatty():
        with _progress_bar(quiet=False, time_left=False) as update:
            yield update
    else:
        yield None


@contextmanager
def _progress_bar(quiet: bool, time_left: bool) -> Iterator[Callable[[str, float, float], None]]:
    """Yields the callback (text, completed, total) that moves a bar; beside it the seconds left, or those elapsed."""
    if quiet or not sys.stderr.isatty():
        yield lambda text, completed, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBars

    time = TimeRemainingColumn() if time_left else TimeElapsedColumn()
    columns = TextColumn("{task.description:9}"), BarColumn(), time
    to_terminal = sys.stdout.isatty()  # what is printed moves above the bar, but not out of a file
    bars = ProgressBars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=to_terminal)
    task = bars.add_task("", total=None)

    def update(text: str, completed: float, total: float) -> None:
        bars.start()  # now, not before: of several processes that train, the first one alone has something to show
        bars.update(task, description=text, completed=completed, total=total)

    try:
        yield update
    finally:
        bars.stop()
