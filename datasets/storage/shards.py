"""Data sets as WebDataset shards: tar files of many samples, NAME.KIND members in the order of the samples."""

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Self

from datasets.options import MAX_SIDE
from datasets.storage.description import Description
from datasets.storage.encoding import decode
from datasets.storage.paths import (
    MAX_LINE,
    MEMBERS,
    OPTIONAL_MEMBERS,
    largest_member,
    open_file,
    sample_name,
    shard_name,
    shard_path,
)
from datasets.storage.records import Record, check_size, read_line
from datasets.storage.samples import EncodedSample, StoredSample
from datasets.storage.writing import check_inside, disk_errors, lock
from stitching.errors import InputError

SHARD_SIZE = 256  # samples
_SHARD = re.compile(r"shard-([0-9]{6})\.tar")
_BLOCK = 512  # bytes, of a tar file


class ShardWriter:
    """Writes the samples `indices` as tar files; those that are complete stay as they are.

    Shard k holds the samples k * size .. (k + 1) * size - 1 of the data set. It gets its name when it is complete;
    after a kill, the next writer starts it again. One that ends early, as the last one of a data set that grows, is
    replaced when a longer one is complete, which begins with copies of its samples. Entering raises InputError where
    a link leads out of the folder; opening a shard does where another process writes the same one, and JobError where
    it cannot be written.
    """

    def __init__(self, folder: Path, indices: range, size: int) -> None:
        """`indices` start at the start of a shard, and end at the end of a shard or of the data set."""
        self._folder, self._indices, self._size = folder, indices, size
        self._open: _OpenShard | None = None

    @property
    def todo(self) -> list[range]:
        """Indices that each shard lacks; those without any are left out."""
        lacking = [range(part.start + self._count_whole(part), part.stop) for part in self._parts()]
        return [part for part in lacking if part]

    def __enter__(self) -> Self:
        check_inside(self._folder)
        return self

    def __exit__(self, *error: object) -> None:
        if self._open:
            self._open.file.close()
            self._open.temporary.unlink(missing_ok=True)

    def write(self, sample: EncodedSample) -> None:
        """Add the sample to its shard; the last sample of a shard completes it."""
        part = self._parts()[(sample.index - self._indices.start) // self._size]
        path = self._path(part)
        with disk_errors(path):
            shard = self._open or _OpenShard.begin(path)
            if not self._open and sample.index > part.start:
                for kept in islice(_whole_samples(path, part), sample.index - part.start):
                    shard.copy(kept)
            self._open = shard
            for name, contents in sample.files.items():
                shard.add(name, contents)
            shard.add(f"{sample_name(sample.index)}.json", sample.line)
            if sample.index == part[-1]:
                shard.finish(path)
                self._open = None

    def _parts(self) -> list[range]:
        """The indices of each shard."""
        first, end, size = self._indices.start, self._indices.stop, self._size
        return [range(start, min(start + size, end)) for start in range(first, end, size)]

    def _count_whole(self, part: range) -> int:
        """How many samples at the beginning of a shard need not be made."""
        path = self._path(part)
        if not path.exists():
            return 0
        return len(part) if _ends_with(path, part[-1]) else sum(1 for _ in _whole_samples(path, part))

    def _path(self, part: range) -> Path:
        return self._folder / shard_name(part.start // self._size)


@dataclass(frozen=True, eq=False)
class _OpenShard:
    """A shard that is being written, under a temporary name."""

    temporary: Path
    file: BinaryIO
    archive: tarfile.TarFile

    @classmethod
    def begin(cls, path: Path) -> Self:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")  # the run after a kill overwrites it
        file = temporary.open("ab")
        try:
            lock(file, path)
            file.truncate(0)
            file.seek(0)  # the archive counts its offsets from here
        except BaseException:
            file.close()
            raise
        return cls(temporary, file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT))

    def add(self, name: str, contents: bytes) -> None:
        member = tarfile.TarInfo(name)  # no date, no owner
        member.size = len(contents)
        self.archive.addfile(member, io.BytesIO(contents))

    def copy(self, sample: "ShardSample") -> None:
        """Add what another shard holds of a sample."""
        for kind, contents in sample.members.items():
            self.add(shard_path(sample.name, kind), contents)

    def finish(self, path: Path) -> None:
        self.archive.close()
        self.file.close()
        self.temporary.replace(path)


def shard_indices(description: Description, number: int) -> range:
    """The indices of the samples of a shard; an empty range for one beyond the data set."""
    size = description.shard_size or 1
    return range(number * size, min((number + 1) * size, description.count))


def shard_numbers(folder: Path) -> list[int]:
    """The numbers of the shards that are there, in order."""
    names = [_SHARD.fullmatch(path.name) for path in folder.iterdir()]
    return sorted(int(name[1]) for name in names if name)


def read_shard(folder: Path, description: Description, number: int) -> Iterator[StoredSample]:
    """All samples of a shard. Raises InputError where it, or one of its samples, is damaged."""
    for record, members in _read_records(folder, description, number, only_json=False):
        name = f"{folder / shard_name(number)}, sample {record.name}"
        yield StoredSample(record, decode(members, record.sizes, name))


def read_shard_records(folder: Path, description: Description, number: int) -> Iterator[Record]:
    """The records of all samples of a shard, without reading the pictures. Raises InputError as `read_shard`."""
    for record, _ in _read_records(folder, description, number, only_json=True):
        yield record


def _read_records(
    folder: Path, description: Description, number: int, only_json: bool
) -> Iterator[tuple[Record, dict[str, bytes]]]:
    path, last = folder / shard_name(number), -1
    for found in read_members(path, largest_member(description.size), only_json):
        record = found.record()
        if record is None or found.problems:
            problem = found.problems[0] if found.problems else "json missing or damaged"
            raise InputError(f"{path}, sample {found.name}: {problem}; make the shard again")
        check_size(record, description.size)
        if record.index not in shard_indices(description, number) or record.index <= last:
            raise InputError(f"{path}: sample {found.name} does not belong there; make the shard again")
        last = record.index
        yield record, found.members


def _whole_samples(path: Path, part: range) -> Iterator["ShardSample"]:
    """The samples at the beginning of a shard that are those of `part` and have all their files undamaged."""
    most = largest_member((MAX_SIDE, MAX_SIDE))
    with suppress(InputError):
        for index, found in zip(part, read_members(path, most), strict=False):
            record = found.record()
            if record is None or record.index != index or found.problems:
                return
            digests = {kind: hashlib.sha256(data).hexdigest() for kind, data in found.members.items() if kind != "json"}
            if digests != record.files:
                return
            yield found


def _ends_with(path: Path, index: int) -> bool:
    """Whether the last record of a shard is that of this sample, and whole."""
    with open_file(path.parent, path.name) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - MAX_LINE - 2 * tarfile.RECORDSIZE))
        tail = file.read()
    place = tail.rfind(f"{sample_name(index)}.json\0".encode())  # no text of JSON has a zero byte
    try:
        header = tarfile.TarInfo.frombuf(tail[place : place + _BLOCK], "utf-8", "surrogateescape")
        return read_line(tail[place + _BLOCK :][: header.size]).index == index
    except (tarfile.HeaderError, ValueError):
        return False


@dataclass(frozen=True, eq=False)
class ShardSample:
    """What a shard holds of one sample."""

    name: str
    members: dict[str, bytes]  # member, or "json" -> contents; without those that have a problem
    problems: list[str]  # "mask.png is there twice"

    def record(self) -> Record | None:
        """Its record; None where that is missing, damaged or of another sample."""
        try:
            record = read_line(self.members["json"])
        except (ValueError, KeyError):
            return None
        return record if record.name == self.name else None


def read_members(path: Path, most: int, only_json: bool = False) -> Iterator[ShardSample]:
    """The samples of a shard, or their records alone; no member with more than `most` bytes is read.

    Neither is anything but the plain files that a sample has: links, devices, sparse files. Members after a damaged
    header are still found. Raises InputError where the file cannot be read and, after the last sample that can be
    read, where it is cut short, damaged or no tar file.
    """
    current: ShardSample | None = None
    damaged = False
    with open_file(path.parent, path.name) as file:
        for header in _headers(file):
            if header is None:
                damaged = True
                continue
            name, _, kind = header.name.partition(".")
            if current is None or name != current.name:
                if current:
                    yield current
                current = ShardSample(name, {}, [])
            if problem := _problem_of(header, current, most):
                current.problems.append(problem)
            elif kind == "json" or not only_json:
                file.seek(header.offset_data)
                current.members[kind] = file.read(header.size)
    if current:
        yield current
    if damaged or not current:
        found = "" if current else " (no tar file, or an empty one)"
        raise InputError(f"{path}: cut short or damaged{found}; delete it and generate it again")


def _problem_of(header: tarfile.TarInfo, sample: ShardSample, most: int) -> str:
    """Why a member is not read; "" where it belongs to the sample."""
    name, _, kind = header.name.partition(".")
    if not re.fullmatch("[0-9]{6}", name) or kind not in (*MEMBERS, *OPTIONAL_MEMBERS, "json"):
        return f"{ascii(header.name)[:60]} is no file of a sample"
    if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return f"{kind} is a link, a device or another thing than a file"
    if header.size > (MAX_LINE if kind == "json" else most):
        return f"{kind} has {header.size} bytes, more than it can have"
    return f"{kind} is there twice" if kind in sample.members else ""


def _headers(file: BinaryIO) -> Iterator[tarfile.TarInfo | None]:
    """The members whose contents lie in a tar file; None for what is neither a header, the contents of one nor zero.

    Not tarfile.open: it reads names and sparse maps of any length, and steps backwards where a header says so.
    """
    size, place = os.fstat(file.fileno()).st_size, 0
    while place < size:
        file.seek(place)
        block = file.read(_BLOCK)
        place += _BLOCK
        if not block.strip(b"\0"):
            continue
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            header = None
        if header is not None and 0 <= header.size <= size - place:
            header.offset_data = place
            place += -(-header.size // _BLOCK) * _BLOCK
            yield header
        else:
            yield None
