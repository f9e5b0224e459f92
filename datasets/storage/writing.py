"""What writers of folders and of shards have in common: their calls, their locks, their errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from datasets.storage.samples import EncodedSample
from stitching.errors import InputError, JobError


class Writer(Protocol):
    """Writes samples to a data set; a context manager. The same calls in the same order leave the same bytes."""

    @property
    def todo(self) -> list[range]:
        """Indices that are not written yet, in the order in which `write` expects them."""

    def write(self, sample: EncodedSample) -> None:
        """Write the next sample. Raises JobError where that fails, as on a full disk."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the disk into a JobError that names `path` and says what to do."""
    try:
        yield
    except OSError as error:
        advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see that it can be written"
        raise JobError(
            f"cannot write {path}: {error.strerror or error}; {advice} and run the same command again, "
            "it continues where it stopped"
        ) from error


def lock(file: BinaryIO, path: Path) -> None:
    """Lock the file for this process until it is closed. Raises InputError where another process holds the lock."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{path}: another process is writing it; wait for its end, or choose another folder") from None
    except OSError:
        return  # a file system without locks
