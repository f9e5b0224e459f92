"""Standard output and error where they are closed, or cannot be written to."""

import os
import sys
from contextlib import suppress

from stitching.errors import printable


def open_closed_streams() -> None:
    """Give the descriptors 0, 1 and 2 to the null device where they are closed.

    Else the next file that is opened gets their number, and what a library prints is written into it. Output and input
    fail, as nothing may be lost in silence; messages vanish.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, mode)  # the lowest free number: this one
            os.set_inheritable(null, True)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w")
    if sys.stderr is None:  # sys.__stderr__ stays None
        sys.stderr = os.fdopen(2, "w", buffering=1)


def output_error(suspected: bool) -> OSError | None:
    """Why standard output does not take what was printed; None: it does. After an error it takes no more.

    suspected: something was not written: unbuffered output has forgotten what.
    """
    try:
        if suspected:
            print()
        sys.stdout.flush()
    except OSError as error:
        discarded = os.open(os.devnull, os.O_WRONLY)
        os.dup2(discarded, 1)  # Python flushes again when it ends
        os.close(discarded)
        return error
    return None


def tell(message: object) -> None:
    """Print one line to standard error, or to standard output where that cannot be."""
    for stream in (sys.stderr, sys.stdout) if sys.__stderr__ else (sys.stdout,):
        with suppress(OSError):
            print(f"parastitch: {printable(str(message))}", file=stream, flush=True)
            return
