"""Data sets as WebDataset shards: tar files of many samples, NAME.KIND members in the order of the samples."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from datasets.storage.encoding import decode
from datasets.storage.folder import EncodedSample, StoredSample, lock, readable_errors
from datasets.storage.records import Record, read_line, sample_name
from stitching.errors import InputError

SHARD_SIZE = 256  # samples


class ShardWriter:
    """Writes the samples `indices` as tar files; those that exist are whole and stay as they are.

    Shard k holds the samples k * size .. (k + 1) * size - 1, as far as the data set goes. It gets its name when it
    is whole; after a kill, the next writer begins it again. Entering raises nothing; opening a shard raises
    InputError where another process writes the same one, JobError where the disk does not take it.
    """

    def __init__(self, folder: Path, indices: range, size: int) -> None:
        """`indices` begin at a shard's begin and end at a shard's or the data set's end."""
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
        """Add the sample to its shard; the last one of a shard finishes it."""
        part = self._parts()[(sample.index - self._indices.start) // self._size]
        path = self._path(part)
        with readable_errors(path):
            shard = self._open or _OpenShard.begin(path)
            self._open = shard
            for name, contents in sample.files.items():
                shard.add(name, contents)
            shard.add(f"{sample_name(sample.index)}.json", sample.line)
            if sample.index == part[-1]:
                shard.finish(path)
                self._open = None

    def _parts(self) -> list[range]:
        """Of each shard its indices."""
        first, end, size = self._indices.start, self._indices.stop, self._size
        return [range(start, min(start + size, end)) for start in range(first, end, size)]

    def _path(self, part: range) -> Path:
        return self._folder / shard_name(part.start // self._size)


@dataclass(frozen=True, eq=False)
class _OpenShard:
    temporary: Path
    file: BinaryIO
    archive: tarfile.TarFile

    @classmethod
    def begin(cls, path: Path) -> Self:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")  # the same after a kill: nothing is left behind
        file = temporary.open("ab")
        try:
            lock(file, path)
            file.truncate(0)
            file.seek(0)  # where the archive takes its offsets from
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
    """`shard-000000.tar`."""
    return f"shard-{number:06d}.tar"


def shard_path(name: str, member: str) -> str:
    """`mask.png` of sample 000000 is the tar member `000000.mask.png`."""
    return f"{name}.{member}"


def read_shard(path: Path) -> Iterator[StoredSample]:
    """All samples of a shard. Raises InputError where it, or one of its samples, is damaged."""
    for name, members in read_members(path):
        yield stored(path, name, members)


def stored(path: Path, name: str, members: dict[str, bytes]) -> StoredSample:
    """A sample from its members. Raises InputError where one of them is missing or damaged."""
    try:
        record = read_line(members["json"])
    except (ValueError, KeyError) as error:
        raise InputError(f"{path}, sample {name}: json missing or damaged; make the shard again") from error
    return StoredSample(record, decode(members, f"{path}, sample {name}"))


def read_members(path: Path, only: str = "") -> Iterator[tuple[str, dict[str, bytes]]]:
    """(sample name, member -> contents) of each sample, of the members that end with `only`.

    What lies behind a damaged place is still found. Raises InputError, after the last sample that can be read,
    where the file is cut short or no tar file.
    """
    current, members = "", dict[str, bytes]()
    try:
        # ignore_zeros: go on looking for a member behind a damaged header.
        with path.open("rb") as file, tarfile.open(fileobj=file, ignore_zeros=True) as archive:
            for member in archive:
                name, _, kind = member.name.partition(".")
                if name != current and members:
                    yield current, members
                    members = {}
                current = name
                contents = archive.extractfile(member) if kind.endswith(only) else None
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


def read_shard_records(path: Path) -> Iterator[Record]:
    """What `read_shard` yields, without the pictures."""
    for name, members in read_members(path, only="json"):
        try:
            yield read_line(members["json"])
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}, sample {name}: json damaged; make the shard again") from error
