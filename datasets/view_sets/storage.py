"""Sets of pictures on disk: a folder each, with `1.png`, `2.png`, ... and `truth.npz`; `dataset.json` beside them."""

import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Pixels
from datasets.options import MAX_SEED, MAX_SIDE, SampleOptions
from datasets.storage.checked_json import check_keys, integer, integer_pair, mapping, parse_object, text
from datasets.storage.description import DESCRIPTION, describe
from datasets.storage.encoding import decode_image, encode_npz
from datasets.storage.paths import MAX_COUNT, find_problem, read_file, sample_name
from datasets.storage.writing import disk_errors
from datasets.view_sets.options import MAX_VIEWS
from datasets.view_sets.view_set import ViewSet
from stitching.errors import InputError, printable
from stitching.io.files import atomic_write
from stitching.io.npz_file import ArrayForm, read_arrays

FORMAT, VERSION = "parastitch-views", 1
TRUTH = "truth.npz"
_MOST_BYTES = 1 << 16  # of dataset.json
_BYTES_PER_PIXEL = 16  # that a picture's PNG, or its part of the truth, never exceeds
_SET_NAME = re.compile(r"\d{6}")


@dataclass(frozen=True)
class SetsDescription:
    """The contents of `dataset.json`: all that determines the bytes of the sets."""

    count: int  # sets
    views: int  # pictures a set
    ring: bool
    seed: int
    options: dict[str, Any]  # SampleOptions; the last part of paths
    checksum: str  # of textures and mesh
    software: str

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px of all pictures."""
        width, height = self.options["size"]
        return width, height


def describe_sets(
    options: SampleOptions, count: int, views: int, ring: bool, seed: int, checksum: str
) -> SetsDescription:
    """The description of a data set of `count` sets."""
    pairs = describe(options, count, seed, None)
    return SetsDescription(count, views, ring, seed, pairs.options, checksum, pairs.software)


def holds_sets(folder: Path) -> bool:
    """Whether a folder's `dataset.json` says that it holds sets, not pairs."""
    try:
        return parse_object(read_file(folder, DESCRIPTION, _MOST_BYTES)).get("format") == FORMAT
    except (InputError, ValueError):
        return False


def read_sets_description(folder: Path) -> SetsDescription:
    """Read `dataset.json`, its values checked. Raises InputError where it is no data set of sets, or damaged."""
    try:
        values = parse_object(read_file(folder, DESCRIPTION, _MOST_BYTES))
        found = values.pop("format"), values.pop("version")
        if found != (FORMAT, VERSION):
            raise ValueError(f"format and version {found}")
        check_keys(values, list(SetsDescription.__dataclass_fields__))
        options = mapping(values["options"], "options")
        integer_pair(options["size"], "size", 1, MAX_SIDE)
        return SetsDescription(
            count=integer(values["count"], "count", 1, MAX_COUNT),
            views=integer(values["views"], "views", 2, MAX_VIEWS),
            ring=values["ring"] is True,
            seed=integer(values["seed"], "seed", 0, MAX_SEED),
            options=options,
            checksum=text(values["checksum"], "checksum"),
            software=text(values["software"], "software"),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{folder / DESCRIPTION}: {printable(str(error))}; expected what `parastitch generate --views` wrote"
        ) from None


def write_sets_description(folder: Path, description: SetsDescription) -> None:
    """Write `dataset.json`; creates the folder. Raises JobError where that fails."""
    encoded = json.dumps({"format": FORMAT, "version": VERSION} | asdict(description), indent=1)
    with atomic_write(folder / DESCRIPTION) as temporary:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(encoded + "\n")


def check_sets_folder(folder: Path, wanted: SetsDescription) -> None:
    """Raise InputError where a folder holds what `wanted` does not continue; it may have more sets."""
    if not (folder / DESCRIPTION).exists():
        if folder.is_dir() and (foreign := sorted(path.name for path in folder.iterdir() if _is_set_name(path.name))):
            raise InputError(f"{folder} holds {foreign[0]}, but no {DESCRIPTION}: choose another folder")
        return
    found, new = asdict(read_sets_description(folder)), asdict(wanted)
    if found.pop("count") > new.pop("count"):
        raise InputError(f"{folder} holds more sets than {wanted.count}: ask for as many, or choose another folder")
    found |= found.pop("options")
    new |= new.pop("options")
    if different := [key for key, value in new.items() if found.get(key) != value]:
        raise InputError(
            f"{folder} holds sets made with other options: {different[0]} was {found.get(different[0])}, now asked for "
            f"{new[different[0]]}; choose another folder, or delete this one"
        )


def _is_set_name(name: str) -> bool:
    return _SET_NAME.fullmatch(name) is not None


def missing_sets(folder: Path, count: int) -> list[int]:
    """Numbers of the sets that are not there: a set's folder gets its name when it is complete."""
    return [index for index in range(count) if not (folder / sample_name(index)).is_dir()]


def encode_set(views: ViewSet) -> dict[str, bytes]:
    """File name -> contents; the same set gives the same bytes."""
    files = {f"{k}.png": cv2.imencode(".png", picture)[1].tobytes() for k, picture in enumerate(views.pictures, 1)}
    truth: dict[str, NDArray[Any]] = {
        "reference": np.array(views.reference, np.int64),
        "intrinsics": views.intrinsics,
        "rotation": views.rotation,
        "translation": views.translation,
        "depth": views.depth,
        "seen": views.seen,
    }
    return files | {TRUTH: encode_npz(truth)}


def write_set(folder: Path, index: int, files: Mapping[str, bytes]) -> None:
    """Write the folder of a set, complete or not at all. Raises JobError where that fails."""
    path = folder / sample_name(index)
    temporary = folder / f".{path.name}.part"
    with disk_errors(path):
        shutil.rmtree(temporary, ignore_errors=True)  # of a killed run
        temporary.mkdir(parents=True)
        for name, contents in files.items():
            (temporary / name).write_bytes(contents)
        os.replace(temporary, path)  # noqa: PTH105 - of folders: Path.replace says the same


def read_set(folder: Path, index: int, description: SetsDescription) -> ViewSet:
    """Read a set, every value checked. Raises InputError where a file is missing, damaged or of another size."""
    name, views, (w, h) = sample_name(index), description.views, description.size
    forms = {
        "reference": ArrayForm("iu", ()),
        "intrinsics": ArrayForm("f", (views, 3, 3)),
        "rotation": ArrayForm("f", (views, 3, 3)),
        "translation": ArrayForm("f", (views, 3)),
        "depth": ArrayForm("f", (views, h, w)),
        "seen": ArrayForm("iu", (views, h, w)),
    }
    most = _MOST_BYTES + _BYTES_PER_PIXEL * views * w * h
    contents = _read(folder, f"{name}/{TRUTH}", most)
    try:
        arrays = read_arrays(io.BytesIO(contents), forms, most)
    except InputError as error:
        raise InputError(f"{name}/{TRUTH}: {error}; delete {name} and generate again") from None
    _check_truth(arrays, views, name)
    return ViewSet(
        index=index,
        reference=int(arrays["reference"]),
        pictures=tuple(_read_picture(folder, name, f"{k}.png", (w, h)) for k in range(1, views + 1)),
        **{key: arrays[key] for key in ("intrinsics", "rotation", "translation", "depth")},
        seen=arrays["seen"].astype(np.uint16),
    )


def _check_truth(arrays: Mapping[str, NDArray[Any]], views: int, name: str) -> None:
    """Raise InputError where values of the truth are impossible."""
    rotation = arrays["rotation"]
    rules = {
        "a reference among the pictures": 0 <= int(arrays["reference"]) < views,
        "finite cameras": all(np.isfinite(arrays[key]).all() for key in ("intrinsics", "rotation", "translation")),
        "rotations": np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3), atol=1e-6),
        "depths above 0": bool((arrays["depth"] > 0).all()),
        "bits of seen pictures": bool((arrays["seen"] >> views == 0).all())
        and all(bool((arrays["seen"][k] >> k & 1).all()) for k in range(views)),
    }
    if broken := [rule for rule, kept in rules.items() if not kept]:
        raise InputError(f"{name}/{TRUTH}: expected {', '.join(broken)}; delete {name} and generate again")


def _read_picture(folder: Path, name: str, file: str, size: tuple[int, int]) -> Pixels:
    contents = _read(folder, f"{name}/{file}", _MOST_BYTES + _BYTES_PER_PIXEL * size[0] * size[1])
    return decode_image({file: contents}, file, size, name)


def _read(folder: Path, path: str, most: int) -> bytes:
    if problem := find_problem(folder, path, most):
        raise InputError(f"{path} {problem}; delete its folder and generate again")
    return read_file(folder, path, most)


def verify_sets(folder: Path) -> Iterator[str]:
    """Yield a line for each problem, with what to do about it; none where all is well.

    PNG and npz hold checksums of their contents, so that reading a set finds damage.
    """
    description = read_sets_description(folder)
    missing = missing_sets(folder, description.count)
    for index in range(description.count):
        if index not in missing:
            try:
                read_set(folder, index, description)
            except InputError as error:
                yield printable(str(error))
    if missing:
        first = sample_name(missing[0])
        yield f"{len(missing)} of {description.count} sets are missing, the first is {first}; generate them"
