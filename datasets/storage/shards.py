"""Data sets as WebDataset shards: tar files of many samples, NAME.KIND members in the order of the samples."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from datasets.storage.encoding import decode
from datasets.storage.records import Record, read_line, sample_name
from datasets.storage.samples import EncodedSample, StoredSample
from datasets.storage.writing import disk_errors, lock
from stitching.errors import InputError

SHARD_SIZE = 256  # samples


class ShardWriter:
    """Writes the samples `indices` as tar files; those that exist are complete and stay as they are.

    Shard k holds the samples k * size .. (k + 1) * size - 1 of the data set. It gets its name when it is complete;
    after a kill, the next writer starts it again. Opening a shard raises InputError where another process writes the
    same one, JobError where it cannot be written.
    """

    def __init__(self, folder: Path, indices: range, size: int) -> None:
        """`indices` start at the start of a shard, and end at the end of a shard or of the data set."""
        self._folder, self._indices, self._size = folder, indices, size
        self._open: _OpenShard | None = None

    @property
    def todo(self) -> list[range]:
        """Indices of the shards that do not exist yet."""
        return [part for part in self._parts() if not self._path(part).exists()]

    def __enter__(self) -> Self:
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

    def finish(self, path: Path) -> None:
        self.archive.close()
        self.file.close()
        self.temporary.replace(path)


def shard_name(number: int) -> str:
    """The file name of a shard: `shard-000000.tar`."""
    return f"shard-{number:06d}.tar"


def shard_path(name: str, member: str) -> str:
    """`mask.png` of sample 000000 is the tar member `000000.mask.png`."""
    return f"{name}.{member}"


def read_shard(path: Path) -> Iterator[StoredSample]:
    """All samples of a shard. Raises InputError where it, or one of its samples, is damaged."""
    for name, members in read_members(path):
        yield StoredSample(_record(path, name, members), decode(members, f"{path}, sample {name}"))


def read_shard_records(path: Path) -> Iterator[Record]:
    """The records of all samples of a shard, without reading the pictures. Raises InputError as `read_shard`."""
    for name, members in read_members(path, suffix="json"):
        yield _record(path, name, members)


def _record(path: Path, name: str, members: dict[str, bytes]) -> Record:
    try:
        return read_line(members["json"])
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}, sample {name}: json missing or damaged; make the shard again") from error


def read_members(path: Path, suffix: str = "") -> Iterator[tuple[str, dict[str, bytes]]]:
    """(sample name, member -> contents) of each sample, for the members whose name ends with `suffix`.

    Members after a damaged one are still found. Raises InputError, after the last sample that can be read, where the
    file is cut short or no tar file.
    """
    current, members = "", dict[str, bytes]()
    try:
        # ignore_zeros: look for a next member after a damaged header.
        with path.open("rb") as file, tarfile.open(fileobj=file, ignore_zeros=True) as archive:
            for member in archive:
                name, _, kind = member.name.partition(".")
                if name != current and members:
                    yield current, members
                    members = {}
                current = name
                contents = archive.extractfile(member) if kind.endswith(suffix) else None
                if contents is not None:
                    members[kind] = contents.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        problem: Exception | None = error
    else:
        problem = None if current else tarfile.TarError("no tar file, or an empty one")
    if members:
        yield current, members
    if problem:
        raise InputError(f"{path}: cut short or damaged ({problem}); delete it and generate it again") from problem
