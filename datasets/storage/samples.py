"""A sample as it is written to a data set, and as it is read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.encoding import StoredArrays, encode
from datasets.storage.paths import sample_name
from datasets.storage.records import Record, write_line


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


def encode_sample(sample: Sample, options: SampleOptions, path: Callable[[str, str], str]) -> EncodedSample:
    """Encode a sample; `path` is folder_path or shard_path. Raises JobError as `encode` and `write_line`."""
    name = sample_name(sample.index)
    files = {path(name, member): contents for member, contents in encode(sample, options).items()}
    return EncodedSample(sample.index, files, write_line(sample, files))
