"""What can go wrong, in two kinds: the user's input (exit code 2) and the job itself (exit code 1)."""

import errno
import math
from collections.abc import Iterable

# Each library has its own words for it: torch, OpenCV, C++, the dynamic linker, ONNX Runtime, Python's threads.
_OUT_OF_MEMORY = (
    "out of memory", "allocate memory", "insufficient memory", "failed to allocate", "bad_alloc", "bad allocation",
    "failed to map segment", "can't start new thread",
)  # fmt: skip


class InputError(ValueError):
    """The input cannot be used. The message is one line: what was received, what was expected, what to do."""


class JobError(RuntimeError):
    """The input was fine but the work failed, a full disk for example. The message is one line."""


def require(condition: bool, given: str, expected: str) -> None:
    """Raise InputError("<given>: expected <expected>") unless the condition holds; `given` names option and value."""
    if not condition:
        raise InputError(f"{given}: expected {expected}")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """What ends the message on an unknown name: "; did you mean 'seam'?", or nothing where none is similar."""
    from difflib import get_close_matches  # only where something is wrong

    similar = get_close_matches(given, list(known), 1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def percent_below(share: float) -> str:
    """A share 0..1 that is too small, in tenths of a percent, rounded down: else it may read as enough."""
    return f"{math.floor(1000 * share) / 1000:.1%}"


def one_line(error: Exception) -> str:
    """The message of a library's error on one line, cut to 200 characters; its type where it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def printable(text: str, longest: int = 2000) -> str:
    """The text as it may be printed on a terminal, on one line: names of files can hold anything."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= longest else shown[:longest] + " ..."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that there is not enough memory."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    library = not isinstance(error, OSError | InputError | JobError)  # these name files, which may be called anything
    if library and any(words in str(error).lower() for words in _OUT_OF_MEMORY):
        return True
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return cause is not None and is_out_of_memory(cause)
