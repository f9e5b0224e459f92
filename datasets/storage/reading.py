"""Reading a data set, whether it is a folder or shards."""

from collections.abc import Collection, Iterator
from pathlib import Path

from datasets.storage.folder import meta_files, read_lines, read_sample
from datasets.storage.records import Record, read_description
from datasets.storage.samples import StoredSample
from datasets.storage.shards import read_shard, read_shard_records
from stitching.errors import InputError


def read_records(folder: Path) -> list[Record]:
    """The records of all samples of a data set, in the order of their indices.

    Raises InputError where `folder` is no data set, a line is damaged, or two differ about the same sample.
    """
    if read_description(folder).layout == "shards":
        return [record for path in shard_files(folder) for record in read_shard_records(path)]
    records: dict[int, Record] = {}
    for path in meta_files(folder):
        for number, record in read_lines(path):
            if record is None or records.get(record.index, record).digest != record.digest:
                problem = "damaged" if record is None else f"differs from another line of sample {record.index}"
                raise InputError(f"{path}, line {number}: {problem}; see parastitch generate --verify {folder}")
            records[record.index] = record
    return [records[index] for index in sorted(records)]


def read_samples(folder: Path, indices: Collection[int] | None = None) -> Iterator[StoredSample]:
    """All samples, or those of `indices`, in the order of their indices.

    Raises InputError as `read_records` does, and where a file is missing or cannot be decoded.
    """
    description = read_description(folder)
    if description.layout != "shards":
        for record in read_records(folder):
            if indices is None or record.index in indices:
                yield read_sample(folder, record)
        return
    for path in shard_files(folder):
        number, size = int(path.stem.removeprefix("shard-")), description.shard_size or 1
        if indices is None or any(index // size == number for index in indices):
            yield from (sample for sample in read_shard(path) if indices is None or sample.record.index in indices)


def shard_files(folder: Path) -> list[Path]:
    """The paths of the shards of a data set, in order."""
    return sorted(folder.glob("shard-[0-9]*.tar"))
