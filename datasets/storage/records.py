"""What is written about every sample: a line each of `meta.jsonl`."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles, Floats
from datasets.options import MAX_SIDE
from datasets.sample import Sample
from datasets.storage.checked_json import check_keys, integer, integer_pair, mapping, numbers, parse_object, text
from datasets.storage.encoding import STEPS_PER_PIXEL
from datasets.storage.paths import MAX_COUNT, MEMBERS, OPTIONAL_MEMBERS, folder_path, sample_name, shard_path
from stitching.errors import InputError, JobError

MAX_CANVAS = 3  # sides of the true stitch, in sides of a picture; datasets.rendering.pair_renderer makes up to 2.5
_FARTHEST = 1e9  # px that the end of a segment can be away
_PATHS = folder_path, shard_path  # of a member; a line is of one or the other layout
_KEYS = "index", "name", "facts", "origin", "sizes", "segments", "segments_visible", "files"


@dataclass(frozen=True, eq=False)
class Record:
    """One line of `meta.jsonl`."""

    index: int
    name: str  # the index with six digits
    facts: dict[str, Any]
    origin: tuple[int, int]  # reference pixel (x, y) that lies at canvas (0, 0)
    sizes: dict[str, tuple[int, int]]  # reference, target, stitched: (width, height) px
    segments: Floats  # (m, 2, 2, 2) px, as Sample.segments
    segments_visible: Floats  # (m, 2) 0 .. 1
    files: dict[str, str]  # member -> sha256
    digest: str  # sha256 of the line's other keys

    @property
    def fundamental(self) -> Doubles:
        """(3, 3) the fundamental matrix. Raises InputError where the facts hold none."""
        try:
            return numbers(self.facts.get("fundamental"), "fundamental", (3, 3), -1e9, 1e9)
        except ValueError as error:
            raise InputError(f"sample {self.name}: {error}; make the sample again") from None


def write_line(sample: Sample, files: Mapping[str, bytes]) -> bytes:
    """The sample's line of `meta.jsonl`, with its line end; `files`: path or tar member -> contents.

    Raises JobError where the facts are not JSON: NaN, infinity, arrays.
    """
    views = {"reference": sample.reference.picture, "target": sample.target.picture, "stitched": sample.stitched}
    line = {
        "index": sample.index,
        "name": sample_name(sample.index),
        "facts": sample.facts,
        "origin": [int(value) for value in sample.origin],
        "sizes": {name: [pixels.shape[1], pixels.shape[0]] for name, pixels in views.items()},
        "segments": _rounded(sample.segments, STEPS_PER_PIXEL),
        "segments_visible": _rounded(sample.segments_visible, STEPS_PER_PIXEL),
        "files": {path: hashlib.sha256(contents).hexdigest() for path, contents in files.items()},
    }
    try:
        encoded = json.dumps(line, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError) as error:
        raise JobError(f"sample {sample.index}: its facts cannot be written as JSON ({error})") from error
    return f'{encoded[:-1]},"digest":"{_digest(encoded)}"}}\n'.encode()


def read_line(line: bytes) -> Record:
    """Parse a line of `meta.jsonl`, with or without its line end; every value is checked.

    Raises ValueError where it is damaged or a value is impossible.
    """
    before, _, digest = line.decode().rstrip("\n").rpartition(',"digest":"')
    if not before or digest != _digest(before + "}") + '"}':
        raise ValueError("its digest differs")
    return _checked(parse_object((before + "}").encode()), digest.removesuffix('"}'))


def check_size(record: Record, size: tuple[int, int]) -> None:
    """Raise InputError unless its pictures have the (width, height) px of the data set."""
    found = record.sizes["reference"]
    if found != size:
        expected = f"{size[0]} x {size[1]} px, as dataset.json says"
        raise InputError(f"{record.name}: pictures of {found[0]} x {found[1]} px; expected {expected}")


def _checked(line: dict[str, Any], digest: str) -> Record:
    check_keys(line, _KEYS)
    index = integer(line["index"], "index", 0, MAX_COUNT - 1)
    name = sample_name(index)
    if line["name"] != name:
        raise ValueError(f"name {text(line['name'], 'name')!r} of sample {index}: expected {name}")
    segments = numbers(line["segments"], "segments", (-1, 2, 2, 2), -_FARTHEST, _FARTHEST)
    visible = numbers(line["segments_visible"], "segments_visible", (len(segments), 2), 0, 1)
    return Record(
        index=index,
        name=name,
        facts=mapping(line["facts"], "facts"),
        origin=integer_pair(line["origin"], "origin", -MAX_CANVAS * MAX_SIDE, MAX_CANVAS * MAX_SIDE),
        sizes=_checked_sizes(mapping(line["sizes"], "sizes")),
        segments=segments.astype(np.float32),
        segments_visible=visible.astype(np.float32),
        files=_checked_files(mapping(line["files"], "files"), name),
        digest=digest,
    )


def _checked_sizes(sizes: dict[str, Any]) -> dict[str, tuple[int, int]]:
    check_keys(sizes, ("reference", "target", "stitched"))
    checked = {name: integer_pair(size, f"size of {name}", 1, MAX_CANVAS * MAX_SIDE) for name, size in sizes.items()}
    width, height = checked["reference"]
    if checked["target"] != (width, height) or max(width, height) > MAX_SIDE:
        raise ValueError(f"pictures of {width} x {height} and {checked['target']} px: expected two of one size")
    canvas = checked["stitched"]
    if canvas[0] > MAX_CANVAS * width or canvas[1] > MAX_CANVAS * height:
        raise ValueError(f"a true stitch of {canvas[0]} x {canvas[1]} px of pictures of {width} x {height} px")
    return checked


def _checked_files(files: dict[str, Any], name: str) -> dict[str, str]:
    """Member -> sha256 of the sample with this name. No other names are accepted, so that nothing else is read."""
    members = {path(name, member): member for member in (*MEMBERS, *OPTIONAL_MEMBERS) for path in _PATHS}
    if unknown := [path for path in files if path not in members]:
        raise ValueError(f"{unknown[0][:60]!r} is no file of sample {name}")
    checked = {members[path]: text(digest, f"checksum of {path}", 64) for path, digest in files.items()}
    if missing := [member for member in MEMBERS if member not in checked]:
        raise ValueError(f"{missing[0]} is not among its files")
    return checked


def _digest(encoded: str) -> str:
    return hashlib.sha256(encoded.encode()).hexdigest()


def _rounded(values: NDArray[np.float32], steps: int) -> Any:
    return (np.rint(values.astype(np.float64) * steps) / steps).tolist()
