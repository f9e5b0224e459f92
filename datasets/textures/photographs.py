"""Photographs of a folder, and those that come with scikit-image, as arrays."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from datasets.arrays import Pixels
from stitching.errors import InputError
from stitching.io.metadata.formats import parse_picture

_EXTENSIONS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
_LARGE_FILE = 1 << 20  # bytes; larger files are decoded at reduced size where that suffices
_BUNDLED = ("astronaut", "brick", "chelsea", "coffee", "grass", "gravel", "rocket")  # in scikit-image's wheel

Result = TypeVar("Result")


def map_photographs(change: Callable[[Pixels], Result], folder: Path | None, shortest: int) -> list[Result]:
    """What `change` makes of every photograph (h, w, 3) BGR of a folder and its subfolders, else of scikit-image's.

    shortest: large files are decoded at reduced size if the shorter side still has that many px.
    Raises InputError where the folder is missing or holds no picture, a picture in it cannot be read, or
    no folder is given and scikit-image is not installed.
    """
    if folder is None:
        return [change(picture) for picture in _bundled()]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda path: change(_read(path, shortest)), _pictures_in(folder)))


def _pictures_in(folder: Path) -> list[Path]:
    """All pictures in the folder and its subfolders, by extension, in an order that no file system changes."""
    if not folder.is_dir():
        raise InputError(f"textures: {folder} is no folder; name a folder of photographs")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not found:
        expected = " ".join(sorted(_EXTENSIONS))
        raise InputError(f"textures: {folder} holds no picture; expected files that end in {expected}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _read(path: Path, shortest: int) -> Pixels:
    """The upright photograph (h, w, 3) BGR, decoded at reduced size if its shorter side still has `shortest` px."""
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"textures: cannot read {path}: {error.strerror}") from error
    if not encoded:
        raise InputError(f"textures: {path} is empty; copy it again or take it out of the folder")
    parse_picture(encoded, f"textures: {path}")  # says what is wrong with it, where the decoder only logs
    flag = cv2.IMREAD_COLOR
    if len(encoded) > _LARGE_FILE:
        shorter = 8 * min(_decode(encoded, path, cv2.IMREAD_REDUCED_COLOR_8).shape[:2])
        reduced = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
        flag = next((flag for factor, flag in reduced.items() if shorter >= factor * shortest), flag)
    return _decode(encoded, path, flag)


def _decode(encoded: bytes, path: Path, flag: int) -> Pixels:
    try:
        decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise InputError(f"textures: {path} cannot be decoded; copy it again or take it out of the folder")
    return np.asarray(decoded, np.uint8)


def _bundled() -> Iterable[Pixels]:
    """The photographs that come with scikit-image, BGR."""
    try:
        from skimage import data
    except ImportError as error:
        raise InputError(
            "textures: no folder is given, and scikit-image, whose photographs would do, is not installed; "
            "name a folder of photographs or install scikit-image"
        ) from error
    for name in _BUNDLED:
        picture = getattr(data, name)()
        conversion = cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR
        yield np.asarray(cv2.cvtColor(picture, conversion), np.uint8)
