"""Ctrl-C and SIGTERM during a training: the current step is finished and saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}  # what a cluster or `timeout` ends a job with


@contextmanager
def caught_signals() -> Iterator[list[str]]:
    """A list that takes the names of the signals that came; a second one, if it is Ctrl-C, raises KeyboardInterrupt.

    Not so a second SIGTERM: `timeout` and `torchrun` may send it twice.
    """
    caught: list[str] = []
    if threading.current_thread() is not threading.main_thread():  # only that one may set signal handlers
        yield caught
        return

    def note(number: int, frame: object) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(_NAMES[signal.Signals(number)])

    before = {number: signal.signal(number, note) for number in _NAMES}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
