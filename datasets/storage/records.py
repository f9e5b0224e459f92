"""What is written about a data set (`dataset.json`) and about every sample (a line each of `meta.jsonl`)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats
from datasets.options import SampleOptions
from datasets.sample import Sample
from datasets.storage.encoding import STEPS_PER_PIXEL
from stitching.errors import InputError, JobError
from stitching.io.files import atomic_write

FORMAT, VERSION = "parastitch-pairs", 1
MAX_COUNT = 1_000_000  # names have six digits
DESCRIPTION = "dataset.json"


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
    files: dict[str, str]  # path or tar member -> sha256
    digest: str  # sha256 of the line's other keys


@dataclass(frozen=True)
class Description:
    """The contents of `dataset.json`: all that determines the bytes of the samples."""

    layout: str  # "folder" or "shards"
    shard_size: int | None  # samples a shard
    count: int  # samples of the whole data set
    seed: int
    options: dict[str, Any]  # SampleOptions; the last part of paths
    checksum: str | None  # of textures and mesh, from the renderer; None: not known yet
    software: str


def describe(options: SampleOptions, count: int, seed: int, shard_size: int | None) -> Description:
    """The description of a data set before its first sample; `shard_size` None: a folder."""
    values = {key: value.resolve().name if isinstance(value, Path) else value for key, value in asdict(options).items()}
    try:
        software = f"parastitch {version('parastitch')}"
    except PackageNotFoundError:  # run from its source
        software = "parastitch"
    layout = "folder" if shard_size is None else "shards"
    return Description(layout, shard_size, count, seed, json.loads(json.dumps(values)), None, software)


def read_description(folder: Path) -> Description:
    """Read `dataset.json`. Raises InputError where `folder` is no data set, or has another version of the format."""
    path = folder / DESCRIPTION
    try:
        values = json.loads(path.read_bytes())
        name, number = values.pop("format"), values.pop("version")
        if (name, number) == (FORMAT, VERSION):
            return Description(**values)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a folder that `parastitch generate` wrote") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error}); expected what `parastitch generate` wrote") from error
    raise InputError(f"{path}: format {name}, version {number}; expected {FORMAT}, version {VERSION}")


def check_agreement(folder: Path, wanted: Description) -> None:
    """Raise InputError where `folder` holds a data set other than `wanted`; a checksum of None agrees with any."""
    if not (folder / DESCRIPTION).exists():
        return
    found, new = asdict(read_description(folder)), asdict(wanted)
    if wanted.checksum is None:
        found["checksum"] = None
    for old_values, new_values in ((found.pop("options"), new.pop("options")), (found, new)):
        for key, value in new_values.items():
            if old_values.get(key) != value:
                raise InputError(
                    f"{folder} holds a data set with {key} {old_values.get(key)}, now asked for {value}: "
                    "choose another folder, or delete this one"
                )


def write_description(folder: Path, description: Description) -> None:
    """Write `dataset.json` unless it exists; creates the folder. Raises JobError where that fails."""
    path = folder / DESCRIPTION
    if path.exists():
        return
    text = json.dumps({"format": FORMAT, "version": VERSION} | asdict(description), indent=1)
    with atomic_write(path) as temporary:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text + "\n")


def sample_name(index: int) -> str:
    """The index with six digits: `000007`."""
    return f"{index:06d}"


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
        text = json.dumps(line, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError) as error:
        raise JobError(f"sample {sample.index}: its facts cannot be written as JSON ({error})") from error
    return f'{text[:-1]},"digest":"{_digest(text)}"}}\n'.encode()


def read_line(line: bytes) -> Record:
    """Parse a line of `meta.jsonl`, with or without its line end. Raises ValueError where it is damaged."""
    text, _, digest = line.decode().rstrip("\n").rpartition(',"digest":"')
    if not text or digest != _digest(text + "}") + '"}':
        raise ValueError("its digest differs")
    try:
        return _record(json.loads(text + "}"), digest.removesuffix('"}'))
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _record(line: dict[str, Any], digest: str) -> Record:
    return Record(
        index=line["index"],
        name=line["name"],
        facts=line["facts"],
        origin=(line["origin"][0], line["origin"][1]),
        sizes={name: (size[0], size[1]) for name, size in line["sizes"].items()},
        segments=np.asarray(line["segments"], np.float32).reshape(-1, 2, 2, 2),
        segments_visible=np.asarray(line["segments_visible"], np.float32).reshape(-1, 2),
        files=line["files"],
        digest=digest,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _rounded(values: NDArray[np.float32], steps: int) -> Any:
    return (np.rint(values.astype(np.float64) * steps) / steps).tolist()
