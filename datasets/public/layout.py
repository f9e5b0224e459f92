"""How a public data set lies on disk: where the files of an item are, and how they decode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from datasets.labels import Labels
from datasets.public.files import Map
from stitching.errors import InputError


@dataclass(frozen=True)
class Source:
    """Where a map of an item lies and how to read it.

    Attributes:
        paths: from the data set's folder, with {split} and {name} for the item's; the first that is there counts.
        decode: reads such a file. It gives what `Labels` says, but normals as (h, w, 3), any length but 0 where
            known; the image is (h, w, 3) BGR float32, 0 .. 1. Raises InputError that names the file.
    """

    paths: tuple[str, ...]
    decode: Callable[[Path], Map]

    def find(self, folder: Path, split: str, name: str) -> Path:
        """The file of an item. Raises InputError where there is none."""
        paths = [folder / path.format(split=split, name=name) for path in self.paths]
        for path in paths:
            if path.is_file():
                return path
        raise InputError(f"{name} of {split}: there is no {' nor '.join(map(str, paths))}; unpack it or drop the item")


@dataclass(frozen=True)
class Layout:
    """One data set, or one form of it.

    Attributes:
        marker: a path, with {split}, that exists in this layout's folder and in no other's.
        names: the names of the items, from the folder and the split. Raises InputError where there is no such split.
        image: the picture.
        labels: task -> what its maps mean.
        maps: task -> its maps.
    """

    marker: str
    names: Callable[[Path, str], list[str]]
    image: Source
    labels: Mapping[str, Labels]
    maps: Mapping[str, Source]
