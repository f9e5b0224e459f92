"""Keeps libraries in C from printing to the user's terminal."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO

_STDERR = 2
_lock = Lock()
_one_listener = Lock()
_silencers = 0  # threads that are inside
_original: int | None = None  # a copy of the descriptor while it is silent


@contextmanager
def silent_stderr() -> Iterator[None]:
    """What the process prints on standard error is lost meanwhile, in all threads.

    libtiff, libpng and libjpeg print their remarks there, and Python cannot redirect what C prints.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


@contextmanager
def heard_stderr() -> Iterator[BinaryIO]:
    """As `silent_stderr`; what is printed meanwhile, by other threads too, is in the file."""
    with _one_listener, silent_stderr(), TemporaryFile() as words:
        os.dup2(words.fileno(), _STDERR)
        try:
            yield words
        finally:
            _to_nowhere()


def _enter() -> None:
    global _silencers, _original
    with _lock:
        _silencers += 1
        if _silencers == 1:
            with suppress(OSError):  # closed, or no descriptor is left
                _original = os.dup(_STDERR)
                _to_nowhere()


def _leave() -> None:
    global _silencers, _original
    with _lock:
        _silencers -= 1
        if _silencers == 0 and _original is not None:
            os.dup2(_original, _STDERR)
            os.close(_original)
            _original = None


def _to_nowhere() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)
