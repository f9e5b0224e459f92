"""Signals that end a command: SIGTERM and SIGHUP do what Ctrl-C does, so that what is half done is removed."""

import signal
import time
from types import FrameType

ENDING = [signal.Signals(n) for name in ("SIGINT", "SIGTERM", "SIGHUP") if (n := getattr(signal, name, None))]
ECHO = 0.5  # s after a signal in which it comes again: to the process group, and from the process that watches this one


class Interrupted(KeyboardInterrupt):
    """A signal asks for the end of the command. `told`: the user knows already what was kept."""

    def __init__(self, number: int, told: bool = False) -> None:
        super().__init__(number, told)
        self.number = number
        self.told = told


def raise_when_signalled() -> None:
    """Let the ending signals raise Interrupted, but those that this process was started to ignore (nohup)."""
    last = -float("inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > ECHO:
            raise Interrupted(number)

    for number in heeded():
        signal.signal(number, interrupt)


def heeded() -> list[signal.Signals]:
    """The ending signals that this process does not ignore."""
    return [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
