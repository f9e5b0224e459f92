"""A sample as it is written to a data set, and as it is read back."""

from collections.abc import Mapping
from dataclasses import dataclass

from datasets.storage.encoding import StoredArrays
from datasets.storage.records import Record


@dataclass(frozen=True, eq=False)
class EncodedSample:
    """A sample as files, ready to be written."""

    index: int
    files: Mapping[str, bytes]  # path in the folder, or member of the tar file -> contents
    line: bytes  # of meta.jsonl


@dataclass(frozen=True, eq=False)
class StoredSample:
    """A sample as read back from a folder or a shard."""

    record: Record
    arrays: StoredArrays
