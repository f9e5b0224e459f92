"""A process that works for the server: it has imported the stitcher already, and may end at any time."""

import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from apps.command.ending import OUT_OF_MEMORY
from apps.command.freed_memory import keep_freed_memory
from apps.command.uninterrupted_processes import end_with_parent, without_interruptions
from stitching.errors import InputError, JobError, is_out_of_memory, one_line

Report = Callable[[str, float], None]  # called with (stage, share of it that is done, 0..1)
Result = TypeVar("Result")

_PRELOADED = "apps.ui_server.stitching_jobs.run_task", "apps.ui_server.pictures.picture_copies"


class ProcessEndedError(Exception):
    """The process has ended: it was killed, it crashed, or memory ran out."""


class WorkProcess:
    """A child process that calls functions, one after the other."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._busy = threading.Lock()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with without_interruptions():
            self._process.start()
        theirs.close()  # so that its end is seen here

    @property
    def is_alive(self) -> bool:
        """Whether it can work."""
        return self._process.is_alive()

    def call(self, function: Callable[..., Result], *arguments: Any, report: Report | None = None) -> Result:
        """Call a module's function there; with `report`, that is its last argument.

        Raises:
            InputError, JobError: as from the function; JobError for any other error of it.
            ProcessEndedError: the process has ended.
        """
        with self._busy:
            try:
                self._connection.send((function, arguments, report is not None))
                while True:
                    kind, value = self._connection.recv()
                    if kind == "error":
                        raise value
                    if kind == "result":
                        result: Result = value
                        return result
                    if report is not None:
                        report(*value)
            except (EOFError, OSError) as error:
                raise ProcessEndedError from error

    def kill(self) -> None:
        """End it at once, and wait for that."""
        self._process.kill()
        self._process.join()


def _serve(connection: Connection) -> None:
    """Call what comes through the connection, until it closes."""
    end_with_parent()
    for module in _PRELOADED:
        import_module(module)
    keep_freed_memory()
    with suppress(EOFError, OSError):
        while True:
            function, arguments, reports = connection.recv()
            if reports:
                arguments = *arguments, lambda stage, share: connection.send(("progress", (stage, share)))
            connection.send(_answer(function, arguments))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """What a call gives, or its error."""
    try:
        return "result", function(*arguments)
    except (InputError, JobError) as error:
        return "error", error
    except Exception as error:
        return "error", JobError(OUT_OF_MEMORY if is_out_of_memory(error) else f"a defect: {one_line(error)}")
