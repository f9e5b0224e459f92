"""Damaged pictures as reference, target and mask; and what a reader makes of them, against the true pixels."""

import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from dead_leaves import make_pair
from numpy.typing import NDArray

from attacks.case import Command, Family, Maker, Stock, pixels_of
from attacks.damage import DAMAGES, Damage
from attacks.encodings import ENCODINGS
from stitching.errors import InputError
from stitching.io.picture_reader import read_picture

Pixels = NDArray[Any]  # (h, w, 3) BGR, uint8 or uint16

READ_MEGAPIXELS = 0.2  # of the pictures that are only read
MAX_DIFFERENCE = 10  # of 255; a pixel with a larger one in a channel is wrong
NOTICEABLE = 0.02  # share of wrong pixels


def stitch_arguments(*more: str, reference: str = "1.png", target: str = "2.png") -> tuple[str, ...]:
    """The cheapest stitch: one homography and a seam."""
    return "stitch", reference, target, "-o", "out.png", "--warp", "homography", "--quiet", *more


def copy_pair(folder: Path, stock: Stock) -> None:
    """Put the generated pair into a folder: 1.png and 2.png."""
    for path in (stock.first, stock.second):
        (folder / path.name).write_bytes(path.read_bytes())


def _maker(encoding: str, damage: Damage) -> Maker:
    extension, encode = ENCODINGS[encoding]

    def make(folder: Path, stock: Stock, rng: random.Random) -> Command:
        copy_pair(folder, stock)
        place = rng.choice(("1", "2", "mask"))
        name = f"{place}{extension}" if place != "mask" else f"mask{extension}"
        pixels = pixels_of(stock.first if place == "1" else stock.second)
        if place == "mask":
            pixels = np.full_like(pixels, 255)
            pixels[:40, :60] = 0
        (folder / name).write_bytes(damage(encode(np.asarray(pixels, np.uint8)), rng))
        if place == "mask":
            return Command(stitch_arguments("--mask-target", name), outputs=("out.png",))
        names = {"1": "1.png", "2": "2.png"} | {place: name}
        return Command(stitch_arguments(reference=names["1"], target=names["2"]), outputs=("out.png",))

    return make


def read_damaged(encoding: str, kind: str, rng: random.Random, folder: Path) -> tuple[float, bool]:
    """Damage a file and read it: the share of pixels that are wrong, 0 to 1, and whether it was accepted.

    Of a file that the product refuses, the share is what OpenCV makes of it; 1 where it makes nothing.
    """
    path = folder / f"damaged{ENCODINGS[encoding][0]}"
    content, read_true, opencv_true = _undamaged(encoding, path)
    path.write_bytes(DAMAGES[kind](content, rng))
    try:
        return _wrong_share(read_picture(path).pixels, read_true), True
    except InputError:
        found = cv2.imread(str(path), cv2.IMREAD_COLOR)
        return (1.0 if found is None else _wrong_share(found, opencv_true)), False


_kept: dict[str, tuple[bytes, Pixels, Pixels]] = {}


def _undamaged(encoding: str, path: Path) -> tuple[bytes, Pixels, Pixels]:
    """An undamaged file; its pixels as the product reads them, and as OpenCV does."""
    if encoding not in _kept:
        content = ENCODINGS[encoding][1](make_pair(READ_MEGAPIXELS)[0])
        path.write_bytes(content)
        _kept[encoding] = content, read_picture(path).pixels, pixels_of(path)
    return _kept[encoding]


def _wrong_share(found: Pixels, true: Pixels) -> float:
    if found.shape != true.shape:
        return 1.0
    difference = np.abs(_as_8_bits(found) - _as_8_bits(true))  # (h, w, 3)
    return float((difference.max(axis=-1) > MAX_DIFFERENCE).mean())


def _as_8_bits(pixels: Pixels) -> NDArray[np.int64]:
    return np.asarray(pixels >> 8 if pixels.dtype == np.uint16 else pixels, np.int64)


FAMILY = Family("pictures", 0.52, {f"{e}/{d}": _maker(e, damage) for e in ENCODINGS for d, damage in DAMAGES.items()})
