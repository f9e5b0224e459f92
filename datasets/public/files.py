"""Reading one file of a public data set; what cannot be read is an InputError that names the file."""

import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError

Map = NDArray[Any]


def read_image(path: Path) -> Map:
    """(h, w, 3) BGR float32, 0 .. 1, of a picture file as stored: EXIF orientation is not applied.

    Raises InputError where the file is missing, damaged or cut short.
    """
    return np.ascontiguousarray(_read_picture(path, "RGB")[..., ::-1]).astype(np.float32) / 255


def read_numbers(path: Path) -> Map:
    """(h, w) uint8 or uint16 numbers of a PNG with one channel; of one with a palette the indices, not the colours.

    Raises InputError where the file is missing, damaged or has several channels.
    """
    return _read_picture(path, None)


def read_array(path: Path) -> Map:
    """The array of a .npy file. Raises InputError where it is missing, damaged or holds Python objects."""
    try:
        found = np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a .npy file of numbers") from None
    return _check_numbers(found, path)


def read_matlab_array(path: Path, name: str) -> Map:
    """The array `name` of a MATLAB file. Raises InputError as `read_matlab` does, and where it holds no numbers."""
    return _check_numbers(read_matlab(path, name), path)


def read_matlab(path: Path, name: str) -> Map:
    """The variable `name` of a MATLAB file of version 4 to 7, as scipy.io.loadmat gives it.

    Raises InputError where the file is missing, damaged or of version 7.3, or has no such variable.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    damaged = OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, MatReadError, zlib.error
    try:
        found = loadmat(path, appendmat=False, variable_names=[name])
    except NotImplementedError:  # what loadmat says to HDF5
        raise InputError(
            f"{path}: a MATLAB file of version 7.3 (HDF5); expected version 4 to 7: save it again with MATLAB's -v7"
        ) from None
    except damaged as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a MATLAB file") from None
    if name not in found:
        raise InputError(f"{path}: no variable {name} in it; expected one")
    return np.asarray(found[name])


def read_frame(path: Path, index: int) -> Map:
    """(h, w, 3) BGR float32, 0 .. 1: frame `index` of a video, from 0.

    Raises InputError where the file is missing, damaged or shorter.
    """
    video = cv2.VideoCapture(str(path))
    try:
        # decodes its way there: jumping is inexact in some videos
        reached = video.isOpened() and all(video.grab() for _ in range(index))
        there, frame = video.read() if reached else (False, None)
    finally:
        video.release()
    if not there or frame is None:
        raise InputError(f"{path}: frame {index} cannot be read; expected a video of more than {index} frames")
    return np.asarray(frame, np.float32) / 255


def read_lines(path: Path) -> list[str]:
    """The lines of a split list without blank ones. Raises InputError where it is missing or empty."""
    if not path.is_file():
        raise _no_split(path, sorted(other.stem for other in path.parent.glob("*.txt")))
    try:
        names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a name on each line") from None
    if not names:
        raise InputError(f"{path}: empty; expected a name on each line")
    return names


def find_names(folder: Path, pattern: str, suffix: str) -> list[str]:
    """What matches `pattern`, sorted: paths from `folder`, which is of one split, without `suffix`.

    Raises InputError where the folder is missing or nothing matches.
    """
    if not folder.is_dir():
        raise _no_split(folder, sorted(other.name for other in folder.parent.glob("*/")))
    names = sorted(path.relative_to(folder).as_posix().removesuffix(suffix) for path in folder.glob(pattern))
    if not names:
        raise InputError(f"{folder}: no {pattern} in it; expected some")
    return names


def _read_picture(path: Path, mode: str | None) -> Map:
    from PIL import Image  # tells damaged files and reads palettes, which cv2 does not

    try:
        with Image.open(path) as picture:
            kind = picture.mode
            found = np.asarray(picture.convert(mode) if mode else picture)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a picture") from None
    if mode is None and kind not in ("L", "P", "I;16"):
        raise InputError(f"{path}: a picture of type {kind}; expected one channel of 8 or 16 bits")
    return found


def _check_numbers(found: Map, path: Path) -> Map:
    if found.dtype.kind not in "biuf":
        raise InputError(f"{path}: an array of {found.dtype}; expected numbers")
    return found


def _no_split(path: Path, others: list[str]) -> InputError:
    there = ", ".join(others) or "none"
    return InputError(f"split {path.stem}: there is no {path}; splits that are there: {there}")
