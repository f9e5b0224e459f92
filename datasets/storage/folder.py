"""Data sets as folders: a folder for each kind of file, and `meta.jsonl` with a line for every whole sample."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from datasets.storage.encoding import StoredArrays, decode
from datasets.storage.records import Record, read_line
from stitching.errors import InputError, JobError


@dataclass(frozen=True, eq=False)
class EncodedSample:
    """A sample as files, ready to be written."""

    index: int
    files: Mapping[str, bytes]  # path in the folder, or member of the tar file -> contents
    line: bytes  # of meta.jsonl


class Writer(Protocol):
    """Where samples go; a context manager. The same calls in the same order leave the same bytes."""

    @property
    def todo(self) -> list[range]:
        """Indices that are not written yet, in the order in which `write` wants them."""

    def write(self, sample: EncodedSample) -> None:
        """Write the next sample; raises JobError where that fails (a full disk)."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


@dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample as read back from a folder or a shard."""

    record: Record
    arrays: StoredArrays


class FolderWriter:
    """Appends the samples `indices` to a folder, after those that are whole there already.

    Entering raises InputError where another process writes the same ones, JobError where the folder cannot be
    written. After a kill at any moment the next writer continues with the first sample that has no whole line.
    """

    def __init__(self, folder: Path, indices: range, part: bool) -> None:
        """`part`: the indices are a part of the data set, with a meta file of its own."""
        self._folder, self._indices = folder, indices
        self._path = folder / (f"meta-{indices.start:06d}-{indices.stop:06d}.jsonl" if part else "meta.jsonl")
        self.todo = [indices]

    def __enter__(self) -> Self:
        with readable_errors(self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            try:
                lock(self._file, self._path)
                lines, size = _whole_lines(self._path, self._indices)
                self._file.truncate(size)
            except BaseException:
                self._file.close()
                raise
        self.todo = [self._indices[lines:]]
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        with suppress(OSError):  # nothing was written: leave nothing
            if not self._path.stat().st_size:
                self._path.unlink()
                self._folder.rmdir()

    def write(self, sample: EncodedSample) -> None:
        """Write the files, then the line that says that they are whole; interrupted before that, take all back."""
        before = self._path.stat().st_size
        try:
            for path, contents in sample.files.items():
                _write_file(self._folder / path, contents)
            with readable_errors(self._path):
                rest = memoryview(sample.line)
                while rest:
                    rest = rest[self._file.write(rest) :]
        except BaseException:
            if self._path.stat().st_size < before + len(sample.line):
                self._file.truncate(before)
                for path in sample.files:
                    (self._folder / path).unlink(missing_ok=True)
            raise


def folder_path(name: str, member: str) -> str:
    """`mask.reference.png` of sample 000000 is the file `mask/000000.reference.png`."""
    folder, _, extension = member.partition(".")
    return f"{folder}/{name}.{extension}"


def folder_member(path: str, name: str) -> str:
    """The other way."""
    folder, _, file = path.partition("/")
    return folder + file.removeprefix(name)


def read_sample(folder: Path, record: Record) -> StoredSample:
    """Read the files of one sample. Raises InputError where one is missing or cannot be decoded."""
    return StoredSample(record, decode(read_files(folder, record), f"{folder}, sample {record.name}"))


def read_files(folder: Path, record: Record) -> dict[str, bytes]:
    """Member -> contents of the sample's files that can be read."""
    members = {}
    for path in record.files:
        with suppress(OSError):
            members[folder_member(path, record.name)] = (folder / path).read_bytes()
    return members


def meta_files(folder: Path) -> list[Path]:
    """All meta files of a folder: of the whole and of its parts."""
    return sorted(folder.glob("meta*.jsonl"))


def read_lines(path: Path) -> Iterator[tuple[int, Record | None]]:
    """(number from 1, record) of each line of a meta file; None for a damaged one. Skips a torn last line."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, read_line(line)
            except ValueError:
                if line.endswith(b"\n"):
                    yield number, None


@contextmanager
def readable_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the disk into a JobError that says what to do."""
    try:
        yield
    except OSError as error:
        advice = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "see that it can be written"
        raise JobError(
            f"cannot write {path}: {error.strerror or error}; {advice} and run the same command again, "
            "it continues where it stopped"
        ) from error


def lock(file: BinaryIO, path: Path) -> None:
    """Hold the file for this process, until it is closed. Raises InputError where another process holds it."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{path}: another process is writing it; wait for its end, or choose another folder") from None
    except OSError:
        return  # file systems that know no locks


def _whole_lines(path: Path, indices: range) -> tuple[int, int]:
    """How many lines from the start are whole and belong to `indices` in their order, and their bytes."""
    count = size = 0
    with path.open("rb") as file:
        for line, index in zip(file, indices, strict=False):
            try:
                whole = line.endswith(b"\n") and read_line(line).index == index
            except ValueError:
                whole = False
            if not whole:
                break
            count, size = count + 1, size + len(line)
    return count, size


def _write_file(path: Path, contents: bytes) -> None:
    """Whole or not at all. The temporary name is always the same, so that a killed run leaves nothing behind."""
    temporary = path.with_name(f".{path.name}.part")
    with readable_errors(path):
        path.parent.mkdir(exist_ok=True)
        try:
            temporary.write_bytes(contents)
            os.replace(temporary, path)  # noqa: PTH105 - twice as fast
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
