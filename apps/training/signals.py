"""Ctrl-C and its like during a training: the current step is finished and saved."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from apps.command.interruption import ECHO, Interrupted, heeded


@contextmanager
def caught_signals() -> Iterator[list[signal.Signals]]:
    """A list that takes the ending signals that came; a second Ctrl-C, not an echo of the first, raises Interrupted.

    Not so a second SIGTERM: a cluster sends it first to one process, then to all.
    """
    caught: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():  # only that one may set signal handlers
        yield caught
        return
    last = 0.0

    def note(number: int, frame: object) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if caught and number == signal.SIGINT and last - before > ECHO:
            raise Interrupted(number)
        caught.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in {*heeded(), signal.SIGINT, signal.SIGTERM}}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
