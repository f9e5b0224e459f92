"""Readers for the files of public data sets; they raise InputErrors that name the file."""

import math
import warnings
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, require
from stitching.io.files import check_readable

Map = NDArray[Any]

_MOST_PIXELS = 100_000_000


def read_image(path: Path) -> Map:
    """Read a picture as (h, w, 3) BGR float32, 0 .. 1, as stored: EXIF orientation is not applied.

    Raises InputError where the file is missing, damaged or cut short.
    """
    return np.ascontiguousarray(_read_picture(path, "RGB")[..., ::-1]).astype(np.float32) / 255


def read_numbers(path: Path) -> Map:
    """Read a PNG with one channel as (h, w) uint8 or uint16; of a palette the indices, not the colours.

    Raises InputError where the file is missing, damaged or has several channels.
    """
    return _read_picture(path, None)


def read_array(path: Path) -> Map:
    """Read a .npy file. Raises InputError where it is missing, damaged, too large or holds Python objects."""
    check_readable(path, "a .npy file of numbers")
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)  # a map is never larger than its file
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError, TokenError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a .npy file of numbers") from None
    require(stored.size <= _MOST_PIXELS, f"{path}: an array of shape {stored.shape}", f"at most {_MOST_PIXELS} numbers")
    return _check_numbers(np.array(stored), path)


def read_matlab_array(path: Path, name: str) -> Map:
    """Read the array `name` of a MATLAB file. Raises InputError as `read_matlab`, and where it holds no numbers."""
    return _check_numbers(read_matlab(path, name), path)


def read_matlab(path: Path, name: str) -> Map:
    """Read the variable `name` of a MATLAB file of version 4 to 7, as scipy.io.loadmat returns it.

    Raises InputError where the file is missing, damaged or of version 7.3, or has no such variable.
    """
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    damaged = OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, MatReadError, zlib.error
    check_readable(path, "a MATLAB file")
    try:
        for found, shape, _ in whosmat(path, appendmat=False):
            if found == name and math.prod(shape) > _MOST_PIXELS:
                raise InputError(f"{path}: {name} has the shape {shape}; expected at most {_MOST_PIXELS} numbers")
        variables = loadmat(path, appendmat=False, variable_names=[name])
    except NotImplementedError:  # raised by loadmat for HDF5
        raise InputError(
            f"{path}: a MATLAB file of version 7.3 (HDF5); expected version 4 to 7: save it again with MATLAB's -v7"
        ) from None
    except InputError:
        raise
    except damaged as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a MATLAB file") from None
    if name not in variables:
        raise InputError(f"{path}: no variable {name} in it; expected one")
    return np.asarray(variables[name])


def read_frame(path: Path, index: int) -> Map:
    """Read frame `index`, from 0, of a video as (h, w, 3) BGR float32, 0 .. 1.

    Raises InputError where the file is missing, damaged or shorter.
    """
    check_readable(path, f"a video of more than {index} frames")
    video = cv2.VideoCapture(str(path))
    try:
        # decodes all frames before it: seeking is inexact in some videos
        reached = video.isOpened() and all(video.grab() for _ in range(index))
        success, frame = video.read() if reached else (False, None)
    finally:
        video.release()
    if not success or frame is None:
        raise InputError(f"{path}: frame {index} cannot be read; expected a video of more than {index} frames")
    return np.asarray(frame, np.float32) / 255


def read_lines(path: Path) -> list[str]:
    """Read the non-blank lines of a split list. Raises InputError where it is missing or empty."""
    if not path.exists():
        raise _no_split(path, sorted(other.stem for other in path.parent.glob("*.txt")))
    check_readable(path, "a text file with a name on each line")
    try:
        names = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a name on each line") from None
    if not names:
        raise InputError(f"{path}: empty; expected a name on each line")
    outside = [name for name in names if Path(name).is_absolute() or ".." in Path(name).parts]
    if outside:
        raise InputError(f"{path}: {outside[0][:60]!r} leads out of the data set; expected names of items")
    return names


def find_names(folder: Path, pattern: str, suffix: str) -> list[str]:
    """The sorted paths that match `pattern`, relative to `folder` (that of a split) and without `suffix`.

    Raises InputError where the folder is missing or nothing matches.
    """
    if not folder.is_dir():
        raise _no_split(folder, sorted(other.name for other in folder.parent.glob("*/")))
    names = sorted(path.relative_to(folder).as_posix().removesuffix(suffix) for path in folder.glob(pattern))
    if not names:
        raise InputError(f"{folder}: no {pattern} in it; expected some")
    return names


def _read_picture(path: Path, mode: str | None) -> Map:
    from PIL import Image  # unlike cv2, it reports damaged files and reads palettes

    check_readable(path, "a picture")
    bomb = Image.DecompressionBombWarning  # of a picture above 89 Mpx, before any of it is decoded
    try:
        with warnings.catch_warnings(action="error", category=bomb), Image.open(path) as picture:
            kind = picture.mode
            pixels = np.asarray(picture.convert(mode) if mode else picture)
    except (OSError, ValueError, SyntaxError, EOFError, bomb, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected a picture") from None
    if mode is None and kind not in ("L", "P", "I;16"):
        raise InputError(f"{path}: a picture of type {kind}; expected one channel of 8 or 16 bits")
    return pixels


def _check_numbers(array: Map, path: Path) -> Map:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path}: an array of {array.dtype}; expected numbers")
    return array


def _no_split(path: Path, others: list[str]) -> InputError:
    return InputError(f"split {path.stem}: there is no {path}; splits that are there: {', '.join(others) or 'none'}")
