"""Pairs whose truth is known, photographed or generated."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from apps.evaluation.true_places import TrueMap, TruePlaces, read_places
from apps.pair_folders import TRUTHS, find_pairs
from datasets.sample import Visibility
from datasets.storage.description import DESCRIPTION
from datasets.storage.reading import read_samples
from stitching.errors import InputError
from stitching.io.picture import Picture, as_picture
from stitching.io.picture_reader import read_picture

MAX_PLACES = 2000  # of a pair


@dataclass(frozen=True, eq=False)
class KnownPair:
    """A pair, and at most `MAX_PLACES` places that both of its pictures show."""

    name: str
    reference: Picture
    target: Picture
    places: TruePlaces


def known_pairs(folder: Path, count: int | None = None) -> Iterator[KnownPair]:
    """The pairs of a folder, or `count` of them.

    Args:
        folder: photographs as `find_pairs` takes them, those with a truth; or what `parastitch generate` wrote, whose
            places are the target's visible pixels.
        count: of photographs, pairs at even steps (neighbours are often of one scene); of a data set, the first ones.

    Raises:
        InputError: there is no such pair, or a file cannot be read.
    """
    return _generated(folder, count) if (folder / DESCRIPTION).exists() else _photographed(folder, count)


def _generated(folder: Path, count: int | None) -> Iterator[KnownPair]:
    for sample in islice(read_samples(folder), count):
        name, reference, target = sample.record.name, sample.arrays.reference, sample.arrays.target
        truth = TrueMap(target.warp, target.mask == Visibility.VISIBLE)
        places = TruePlaces.of_map(truth).spread(MAX_PLACES)
        if len(places.target):
            yield KnownPair(name, as_picture(reference.picture, name), as_picture(target.picture, name), places)


def _photographed(folder: Path, count: int | None) -> Iterator[KnownPair]:
    known = [(files, files.truth) for files in find_pairs(folder) if files.truth]
    if not known:
        raise InputError(f"{folder}: no pair has a truth; expected NAME/{' or NAME/'.join(TRUTHS)}")
    chosen = np.linspace(0, len(known) - 1, min(count or len(known), len(known))).round().astype(int)
    for files, truth in (known[index] for index in chosen):
        places = read_places(truth).spread(MAX_PLACES)
        yield KnownPair(files.name, read_picture(files.reference), read_picture(files.target), places)
