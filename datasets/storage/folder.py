"""Data sets as folders: a folder for each kind of file, and `meta.jsonl` with a line for every complete sample."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from datasets.storage.encoding import decode
from datasets.storage.paths import bounded_lines, folder_path, largest_member, open_file, read_file
from datasets.storage.records import Record, read_line
from datasets.storage.samples import EncodedSample, StoredSample
from datasets.storage.writing import check_inside, disk_errors, lock


class FolderWriter:
    """Appends the samples `indices` to a folder, after those that are complete there already.

    Entering raises InputError where another process writes the same samples, JobError where the folder cannot be
    written. After a kill at any moment the next writer continues with the first sample that has no complete line.
    """

    def __init__(self, folder: Path, indices: range, part: bool) -> None:
        """`part`: the indices are a part of the data set, with a meta file of its own."""
        self._folder, self._indices = folder, indices
        self._path = folder / (f"meta-{indices.start:06d}-{indices.stop:06d}.jsonl" if part else "meta.jsonl")
        self.todo = [indices]

    def __enter__(self) -> Self:
        with disk_errors(self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            check_inside(self._folder)
            self._file = self._path.open("ab", buffering=0)
            try:
                lock(self._file, self._path)
                lines, size = _count_complete_lines(self._path, self._indices)
                self._file.truncate(size)
            except BaseException:
                self._file.close()
                raise
        self.todo = [self._indices[lines:]]
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        with suppress(OSError):  # where nothing was written, no file and no folder remain
            if not self._path.stat().st_size:
                self._path.unlink()
                self._folder.rmdir()

    def write(self, sample: EncodedSample) -> None:
        """Write the files, then the line that declares them complete; on an exception before that, delete them."""
        before = self._path.stat().st_size
        try:
            for path, contents in sample.files.items():
                _write_file(self._folder / path, contents)
            with disk_errors(self._path):
                unwritten = memoryview(sample.line)
                while unwritten:
                    unwritten = unwritten[self._file.write(unwritten) :]
        except BaseException:
            if self._path.stat().st_size < before + len(sample.line):
                self._file.truncate(before)
                for path in sample.files:
                    (self._folder / path).unlink(missing_ok=True)
            raise


def read_sample(folder: Path, record: Record) -> StoredSample:
    """Read the files of one sample. Raises InputError where one is missing or cannot be decoded."""
    return StoredSample(record, decode(read_files(folder, record), record.sizes, f"{folder}, sample {record.name}"))


def read_files(folder: Path, record: Record) -> dict[str, bytes]:
    """Member -> contents of the sample's files. Raises InputError where one cannot be read."""
    most = largest_member(record.sizes["reference"])
    return {member: read_file(folder, folder_path(record.name, member), most) for member in record.files}


def meta_files(folder: Path) -> list[Path]:
    """The meta files of a folder: that of the complete data set and those of its parts."""
    return sorted(folder.glob("meta*.jsonl"))


def read_lines(path: Path) -> Iterator[tuple[int, Record | None]]:
    """(line number from 1, record) of a meta file; None for a damaged line. Skips a last line without line end.

    Raises InputError where the file cannot be read.
    """
    with open_file(path.parent, path.name) as file:
        for number, line in enumerate(bounded_lines(file), start=1):
            try:
                record = read_line(line)
            except ValueError:
                record = None
            if line.endswith(b"\n"):
                yield number, record


def count_bytes_after_lines(path: Path) -> int:
    """Bytes after the last line end of a meta file. Raises InputError where the file cannot be read."""
    with open_file(path.parent, path.name) as file:
        return sum(len(line) for line in bounded_lines(file) if not line.endswith(b"\n"))


def _count_complete_lines(path: Path, indices: range) -> tuple[int, int]:
    """How many of the first lines are complete and those of `indices` in their order; and their size in bytes."""
    count = size = 0
    with path.open("rb") as file:
        for line, index in zip(bounded_lines(file), indices, strict=False):
            try:
                complete = line.endswith(b"\n") and read_line(line).index == index
            except ValueError:
                complete = False
            if not complete:
                break
            count, size = count + 1, size + len(line)
    return count, size


def _write_file(path: Path, contents: bytes) -> None:
    """Write atomically. The temporary name depends on the path alone: the run after a kill overwrites it."""
    temporary = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        path.parent.mkdir(exist_ok=True)
        try:
            temporary.write_bytes(contents)
            os.replace(temporary, path)  # noqa: PTH105 - twice as fast
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
