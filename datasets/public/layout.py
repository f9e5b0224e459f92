"""The layout of a public data set on disk: where the files of an item are, and how they decode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.labels import Labels
from datasets.public.readers import Map
from stitching.errors import InputError
from stitching.io.files import check_readable


@dataclass(frozen=True)
class MapFile:
    """Where a picture or label map of an item lies, and how to read it.

    Attributes:
        paths: from the data set's folder, with {split} and {name} of the item; the first that exists is read.
        decode: reads such a file. It returns what `Labels` says, but normals as (h, w, 3) of any length, 0 where
            unknown; the image is (h, w, 3) BGR float32, 0 .. 1. Raises InputError that names the file.
    """

    paths: tuple[str, ...]
    decode: Callable[[Path], Map]

    def find(self, folder: Path, split: str, name: str) -> Path:
        """The file of an item. Raises InputError where there is none, or a pipe, a device or a folder in its place."""
        paths = [folder / path.format(split=split, name=name) for path in self.paths]
        try:
            found = next((path for path in paths if path.exists()), None)
        except OSError as error:  # no permission, a name too long
            raise InputError(f"{name[:99]} of {split} in {folder}: cannot be read ({error.strerror})") from error
        if found is None:
            missing = " nor ".join(map(str, paths))
            raise InputError(f"{name} of {split}: there is no {missing}; unpack it or drop the item")
        check_readable(found, f"a file, of the item {name} in {split}")
        return found


@dataclass(frozen=True)
class Layout:
    """The layout of a data set, or of one of its variants.

    Attributes:
        marker: a path, with {split}, that exists in this layout's folder and in no other's.
        names: lists the items of a split of the folder. Raises InputError where there is no such split.
        image: of an item.
        labels: task -> what its maps mean.
        maps: task -> its label map of an item.
    """

    marker: str
    names: Callable[[Path, str], list[str]]
    image: MapFile
    labels: Mapping[str, Labels]
    maps: Mapping[str, MapFile]
