"""What is written about a data set: `dataset.json`."""

import json
import reprlib
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from datasets.options import MAX_SEED, MAX_SIDE, SampleOptions
from datasets.storage.checked_json import check_keys, integer, integer_pair, mapping, parse_object, text
from datasets.storage.paths import MAX_COUNT, read_file
from stitching.errors import InputError
from stitching.io.files import atomic_write

FORMAT, VERSION = "parastitch-pairs", 1
DESCRIPTION = "dataset.json"
_MOST_BYTES = 1 << 16


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

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px of all pictures."""
        width, height = self.options["size"]
        return width, height


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
    """Read `dataset.json`, every value of it checked.

    Raises InputError where `folder` is no data set, or has another version of the format, or a value is impossible.
    """
    if not (folder / DESCRIPTION).exists():
        raise InputError(f"{folder / DESCRIPTION} is missing; expected a folder that `parastitch generate` wrote")
    contents = read_file(folder, DESCRIPTION, _MOST_BYTES)
    try:
        values = parse_object(contents)
        name, number = values.pop("format"), values.pop("version")
        if name == FORMAT and type(number) is int and number == VERSION:
            return _checked(values)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{folder / DESCRIPTION}: damaged ({error}); expected what `parastitch generate` wrote"
        ) from None
    wrong = f"format {reprlib.repr(name)}, version {reprlib.repr(number)}"
    raise InputError(f"{folder / DESCRIPTION}: {wrong}; expected {FORMAT}, version {VERSION}")


def _checked(values: dict[str, Any]) -> Description:
    """The description of these values. Raises ValueError where one is impossible."""
    check_keys(values, [field.name for field in fields(Description)])
    options = mapping(values["options"], "options")
    integer_pair(options["size"], "size", 1, MAX_SIDE)  # the only option that readers need
    layout, shard_size = values["layout"], values["shard_size"]
    if layout not in ("folder", "shards"):
        raise ValueError(f"layout {reprlib.repr(layout)}: expected folder or shards")
    if (layout == "folder") != (shard_size is None):
        raise ValueError(f"a {layout} layout with shard_size {reprlib.repr(shard_size)}")
    return Description(
        layout=layout,
        shard_size=None if shard_size is None else integer(shard_size, "shard_size", 1, MAX_COUNT),
        count=integer(values["count"], "count", 1, MAX_COUNT),
        seed=integer(values["seed"], "seed", 0, MAX_SEED),
        options=options,
        checksum=None if values["checksum"] is None else text(values["checksum"], "checksum"),
        software=text(values["software"], "software"),
    )


def check_agreement(folder: Path, wanted: Description) -> None:
    """Raise InputError where `folder` holds a data set that `wanted` does not continue; it may have more samples.

    A checksum of None agrees with any.
    """
    if not (folder / DESCRIPTION).exists():
        return
    found, new = asdict(read_description(folder)), asdict(wanted)
    if wanted.checksum is None:
        found["checksum"] = None
    count = found.pop("count")
    if new.pop("count") < count:
        raise InputError(
            f"{folder} holds a data set of {count} samples, now asked for {wanted.count}: none are taken away; "
            f"ask for {count} or more, or choose another folder"
        )
    for old_values, new_values in ((found.pop("options"), new.pop("options")), (found, new)):
        for key, value in new_values.items():
            if old_values.get(key) != value:
                raise InputError(
                    f"{folder} holds a data set with {key} {old_values.get(key)}, now asked for {value}: "
                    "choose another folder, or delete this one"
                )


def write_description(folder: Path, description: Description) -> None:
    """Write `dataset.json` unless it says so already; creates the folder. Raises JobError where that fails."""
    path = folder / DESCRIPTION
    if path.exists() and read_description(folder) == description:
        return
    encoded = json.dumps({"format": FORMAT, "version": VERSION} | asdict(description), indent=1)
    with atomic_write(path) as temporary:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(encoded + "\n")


def update_count(folder: Path, count: int) -> None:
    """Let `dataset.json`, where there is one, name so many samples; for a run that found nothing left to make."""
    if (folder / DESCRIPTION).exists():
        write_description(folder, replace(read_description(folder), count=count))
