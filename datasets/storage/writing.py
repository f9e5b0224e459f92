"""What writers of folders and of shards have in common: their calls, their locks, their errors."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from datasets.storage.paths import FOLDERS, leads_inside
from datasets.storage.samples import EncodedSample
from stitching.errors import InputError, JobError

_FILES = re.compile(r"meta.*\.jsonl|dataset\.json|\.?shard-\d{6}\.tar(\.part)?")


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


def check_inside(folder: Path) -> None:
    """Raise InputError where a writer would follow a link out of the folder, or write to a pipe or device."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        expected = "folder" if path.name in FOLDERS else "file" if _FILES.fullmatch(path.name) else ""
        plain = path.is_dir() if expected == "folder" else path.is_file()
        if expected and not (plain and leads_inside(folder, path)):
            raise InputError(
                f"{path}: a link out of the data set, a pipe or a device; expected a {expected}: remove it"
            )
