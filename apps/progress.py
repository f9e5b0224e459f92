"""Progress by stage on stderr: a bar on a terminal, nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
STAGES = ("read", "align", "warp", "blend", "compose", "write")


@contextmanager
def stage_progress(quiet: bool) -> Iterator[Progress]:
    """Yields the callback (stage, share done 0..1) that `stitching.stitch` calls."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:9}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("read", total=len(STAGES))

        def tell(stage: str, share: float) -> None:
            bars.update(task, description=stage, completed=STAGES.index(stage) + share)

        yield tell
