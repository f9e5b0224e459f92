"""Seconds that each stage of a stitch takes, and the caller's progress callback."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str, float], None]  # called with (stage, share done 0..1)


@dataclass
class StageClock:
    """Seconds by stage.

    Attributes:
        progress: told when a stage begins, goes on and ends.
        seconds: of the stages that have ended.
    """

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done within."""
        self.report(name, 0.0)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.report(name, 1.0)

    def report(self, stage: str, share: float) -> None:
        """Tell the share of a stage that is done, 0..1."""
        if self.progress is not None:
            self.progress(stage, share)
