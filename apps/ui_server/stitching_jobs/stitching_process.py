"""The process that stitches for the page: it has imported the stitcher already, and may be killed at any time."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from threading import Thread

from apps.command.ending import OUT_OF_MEMORY
from apps.command.watched_process import ADVICE
from apps.ui_server.stitching_jobs.stitch_task import Outcome, StitchTask
from stitching.errors import InputError, JobError, is_out_of_memory, one_line

Report = Callable[[str, float], None]


class ProcessEndedError(Exception):
    """The process has ended, because it was killed or because memory ran out."""


class StitchingProcess:
    """A child process that stitches one task after the other."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _without_interruptions():
            self._process.start()
        theirs.close()  # so that its end is seen here

    @property
    def pid(self) -> int | None:
        """Its number."""
        return self._process.pid

    def stitch(self, task: StitchTask, report: Report) -> Outcome:
        """Stitch; `report` is called with (stage, share of it that is done, 0..1).

        Raises:
            InputError, JobError: as from `stitching.stitch` and `stitch_many`.
            ProcessEndedError: the process was killed, by `kill` or by the system.
        """
        try:
            self._connection.send(task)
            while True:
                answer = self._connection.recv()
                if isinstance(answer, Outcome):
                    return answer
                if isinstance(answer, Exception):
                    raise answer
                report(*answer)
        except (EOFError, OSError) as error:
            raise ProcessEndedError(f"the process that stitches has ended: {ADVICE}") from error

    def kill(self) -> None:
        """End it at once, and wait for that."""
        self._process.kill()
        self._process.join()


@contextmanager
def _without_interruptions() -> Iterator[None]:
    """A process that is started within never sees Ctrl-C, which goes to all; the server ends it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection) -> None:
    """Stitch what comes through the connection, until it closes."""
    Thread(target=_end_with_parent, daemon=True).start()
    from apps.command.freed_memory import keep_freed_memory
    from apps.ui_server.stitching_jobs.run_task import run_task  # the stitcher: now, not when the first task comes

    keep_freed_memory()
    with suppress(EOFError, OSError):
        while True:
            task: StitchTask = connection.recv()
            connection.send(_answer(task, lambda stage, share: connection.send((stage, share)), run_task))


def _answer(
    task: StitchTask, report: Report, run_task: Callable[[StitchTask, Report], Outcome]
) -> Outcome | InputError | JobError:
    """What becomes of a task."""
    try:
        return run_task(task, report)
    except (InputError, JobError) as error:
        return error
    except Exception as error:
        if is_out_of_memory(error):
            return JobError(OUT_OF_MEMORY)
        return JobError(f"the stitch failed: {one_line(error)}")


def _end_with_parent() -> None:
    import os

    if parent := parent_process():
        parent.join()
    os._exit(1)
