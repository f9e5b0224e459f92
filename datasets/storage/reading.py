"""Reading a data set, whether it is a folder or shards."""

from collections.abc import Collection, Iterator
from pathlib import Path

from datasets.storage.description import read_description
from datasets.storage.folder import meta_files, read_lines, read_sample
from datasets.storage.records import Record, check_size
from datasets.storage.samples import StoredSample
from datasets.storage.shards import read_shard, read_shard_records, shard_indices, shard_numbers
from stitching.errors import InputError


def read_records(folder: Path) -> list[Record]:
    """The records of all samples of a data set, in the order of their indices.

    Raises InputError where `folder` is no data set, a line is damaged, or two differ about the same sample.
    """
    description = read_description(folder)
    if description.layout == "shards":
        return [one for k in shard_numbers(folder) for one in read_shard_records(folder, description, k)]
    records: dict[int, Record] = {}
    for path in meta_files(folder):
        for number, record in read_lines(path):
            if record is None or records.get(record.index, record).digest != record.digest:
                problem = "damaged" if record is None else f"differs from another line of sample {record.index}"
                raise InputError(f"{path}, line {number}: {problem}; see parastitch generate --verify {folder}")
            check_size(record, description.size)
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
    for number in shard_numbers(folder):
        if indices is None or any(index in shard_indices(description, number) for index in indices):
            for sample in read_shard(folder, description, number):
                if indices is None or sample.record.index in indices:
                    yield sample
