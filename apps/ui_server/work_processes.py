"""The two processes that work for the server."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from apps.ui_server.work_process import ProcessEndedError, WorkProcess

Result = TypeVar("Result")


class WorkProcesses:
    """One process stitches. The other one opens pictures, whose decoders may crash; and takes the first one's place.

    So nobody waits for imports after a stitch was cancelled.
    """

    def __init__(self) -> None:
        self._lock, self._calling = threading.Lock(), threading.Lock()
        self._closed = False
        self._stitching, self._other = WorkProcess(), WorkProcess()

    def for_stitching(self) -> WorkProcess:
        """The process that stitches; another one where it has ended by itself."""
        for _ in range(2):  # the other one may have ended, too; new ones that end at once are not tried for ever
            if not self._stitching.is_alive:
                self.discard(self._stitching)
        return self._stitching

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function in the process that does not stitch. Errors: as `WorkProcess.call`.

        A process that ends meanwhile may have been killed for another reason: a second one tries again.
        """
        try:
            return self._call(function, *arguments)
        except ProcessEndedError:
            return self._call(function, *arguments)

    def discard(self, process: WorkProcess) -> None:
        """Kill a process, and replace it."""
        with self._lock:
            process.kill()
            if self._closed:
                return
            if process is self._stitching:
                self._stitching, self._other = self._other, WorkProcess()
            elif process is self._other:
                self._other = WorkProcess()

    def _call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        with self._calling:  # whoever waits here waits for no process that stitches by then
            process = self._other
            try:
                return process.call(function, *arguments)
            except ProcessEndedError:
                self.discard(process)
                raise

    def close(self) -> None:
        """End both."""
        with self._lock:
            self._closed = True
            for process in (self._stitching, self._other):
                process.kill()
