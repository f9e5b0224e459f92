"""Photographs of a folder, and those that come with scikit-image, as arrays."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from datasets.arrays import Pixels
from stitching.errors import InputError, one_line, require
from stitching.io.codecs.jpeg_decoder import decode_jpeg
from stitching.io.codecs.quiet import silent_stderr
from stitching.io.codecs.tiff_check import check_tiff
from stitching.io.files import check_readable
from stitching.io.metadata.formats import detect_format, parse_picture
from stitching.io.picture import MIN_SIDE
from stitching.io.picture_reader import upright

_EXTENSIONS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
_LARGE_FILE = 1 << 20  # bytes; larger files are decoded at reduced size where that suffices
_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}  # of decoding at a part of the size
_MOST_PIXELS = 100_000_000  # of a photograph; decoded in every thread at once
_LONGEST = 32  # times the shorter side
_SHOWN = 10  # files that are named where many are left out
_BUNDLED = ("astronaut", "brick", "chelsea", "coffee", "grass", "gravel", "rocket")  # in scikit-image's wheel

Result = TypeVar("Result")


def map_photographs(
    change: Callable[[Pixels], Result], folder: Path | None, shortest: int
) -> tuple[list[Result], tuple[str, ...]]:
    """What `change` makes of every photograph (h, w, 3) BGR of a folder and its subfolders, else of scikit-image's.

    Args:
        change: called in several threads.
        folder: of JPEG, PNG, TIFF or WebP files, by their extension; None: the photographs of scikit-image.
        shortest: large files are decoded at reduced size if the shorter side still has that many px.

    Returns:
        The results in the order of the paths, and what `warn_of` tells of the files that cannot be used: those are
        left out.

    Raises:
        InputError: the folder is missing or holds no picture, or none that can be used; or no folder is given and
            scikit-image is not installed.
    """
    if folder is None:
        return [change(picture) for picture in _bundled()], ()

    def attempt(path: Path) -> Result | InputError:
        try:
            return change(_read(path, shortest))
        except InputError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(threads.map(attempt, _pictures_in(folder)))
    errors = [error for error in found if isinstance(error, InputError)]
    if len(errors) == len(found):
        raise InputError(f"textures: none of the {len(found)} pictures in {folder} can be used; first: {errors[0]}")
    left_out = [f"textures: {one_line(error)}; left out" for error in errors]
    if len(left_out) > _SHOWN:
        left_out[_SHOWN:] = [f"textures: {len(left_out) - _SHOWN} more pictures in {folder} are left out"]
    return [result for result in found if not isinstance(result, InputError)], tuple(left_out)


def warn_of(left_out: Sequence[str]) -> None:
    """Log warnings, in Python's way on standard error; in the main process only, as workers read the same folder."""
    if multiprocessing.parent_process() is None:
        for line in left_out:
            logging.getLogger("parastitch").warning(line)


def _pictures_in(folder: Path) -> list[Path]:
    """All pictures in the folder and its subfolders, by extension, in an order that no file system changes."""
    if not folder.is_dir():
        raise InputError(f"textures: {folder} is no folder; name a folder of photographs")
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and not path.is_dir()
    ]
    if not found:
        expected = " ".join(sorted(_EXTENSIONS))
        raise InputError(f"textures: {folder} holds no picture; expected files that end in {expected}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _read(path: Path, shortest: int) -> Pixels:
    """The upright photograph (h, w, 3) BGR, decoded at reduced size if its shorter side still has `shortest` px.

    Raises InputError where it cannot be used: damaged, too small, or larger than any photograph.
    """
    check_readable(path, "a photograph")
    try:
        require(path.stat().st_size <= 3 * _MOST_PIXELS, str(path), f"a file of at most {3 * _MOST_PIXELS // 10**6} MB")
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    require(bool(encoded), str(path), "a photograph; the file is empty")
    contents = parse_picture(encoded, str(path))  # says what is wrong with it, where the decoder only logs
    _check_size(path, contents.header.size)
    factor = 1
    if len(encoded) > _LARGE_FILE:
        shorter = 8 * -(-min(contents.header.size) // 8)  # as large as the decoder's eighth seems
        factor = next((factor for factor in (8, 4, 2) if shorter >= factor * shortest), 1)
    kind = detect_format(encoded[:12], str(path))
    if kind == "TIFF":
        check_tiff(encoded, str(path))
    if kind == "JPEG":
        width, height = (-(-side // factor) if factor > 1 else 0 for side in contents.header.size)
        pixels = decode_jpeg(contents.encoded, str(path), (width, height))  # OpenCV does not tell of damage
        if pixels is not None:
            colours = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels
            return np.asarray(upright(colours, contents.orientation), np.uint8)
    return _decode(encoded, path, _FLAGS[factor])


def _check_size(path: Path, size: tuple[int, int]) -> None:
    shorter, longer = sorted(size)
    shown = f"{path}: {size[0]} x {size[1]} px"
    require(shorter >= MIN_SIDE, shown, f"at least {MIN_SIDE} px a side")
    require(shorter * longer <= _MOST_PIXELS, shown, f"at most {_MOST_PIXELS // 10**6} Mpx")
    require(longer <= _LONGEST * shorter, shown, f"at most {_LONGEST} times as long as wide")


def _decode(encoded: bytes, path: Path, flag: int) -> Pixels:
    try:
        with silent_stderr():
            decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise InputError(f"{path} cannot be decoded; copy it again or take it out of the folder")
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
