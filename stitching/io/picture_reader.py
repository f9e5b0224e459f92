"""Reading picture files and masks, upright and with all their bits."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.io.codec import decode
from stitching.io.files import AnyPath
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.formats import detect_format, parse_picture
from stitching.io.picture import Picture, PixelArray, as_picture, check_array, has_alpha, white_of


def read_picture(path: AnyPath) -> Picture:
    """Read a JPEG, PNG, TIFF or WebP file; its content decides, not its extension.

    Grey becomes BGR, 16 bits stay 16 bits, EXIF orientation is applied, alpha of at least half becomes
    `valid`. Of several pages or frames the first is read. CMYK is converted without its colour profile.

    Raises:
        InputError: the file cannot be read, is damaged or cut short, is smaller than MIN_SIDE px on one side, is
            transparent everywhere, or holds neither 8 nor 16 bits a channel.
    """
    array, metadata = _read_upright(path)
    return as_picture(array, os.fspath(path), metadata)


def read_mask(mask: AnyPath | NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A mask (h, w), 255 = use, 0 = ignore, from a picture file or an array of bool, uint8 or uint16.

    A pixel is used where it is at least half bright (in its brightest channel) and at least half opaque.

    Raises:
        InputError: the mask cannot be read, differs from `size` (w, h) or ignores every pixel.
    """
    if isinstance(mask, np.ndarray):
        name = "mask"
        array = check_array(mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask, name)
    else:
        name = os.fspath(mask)
        array, _ = _read_upright(mask)
    height, width = array.shape[:2]
    if (width, height) != tuple(size):
        raise InputError(
            f"{name}: {width} x {height} px; expected a mask of the picture's size, {size[0]} x {size[1]} px"
        )
    half = white_of(array) // 2 + 1
    brightness = array if array.ndim == 2 else array[..., :3].max(axis=2)
    used = brightness >= half
    if has_alpha(array):
        used &= array[..., 3] >= half
    if not used.any():
        raise InputError(
            f"{name}: ignores every pixel, its largest value is {brightness.max()}; "
            f"expected {white_of(array)} where the picture is to be used, 0 where not"
        )
    return used.astype(np.uint8) * np.uint8(255)


def _read_upright(path: AnyPath) -> tuple[PixelArray, Metadata]:
    """The upright pixels of a file with all their channels, and its metadata."""
    name = os.fspath(path)
    contents = parse_picture(_read_bytes(path), name)
    array = check_array(decode(contents.encoded, name), name)
    if contents.premultiplied and has_alpha(array):
        _divide_by_alpha(array)
    return _upright(array, contents.orientation), contents.metadata


def _read_bytes(path: AnyPath) -> bytes:
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            head = file.peek(12)[:12]
            if not head:
                raise InputError(f"{name}: the file is empty; copy or download it again")
            detect_format(head, name)  # before reading what may be a film
            return file.read()
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; expected a picture file") from error


def _upright(array: PixelArray, orientation: int) -> PixelArray:
    """Apply an EXIF orientation, 1..8 (CIPA DC-008, tag 274); any other number means upright."""
    if orientation in (5, 7):
        array = cv2.transpose(array)
    half, right, left = cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE
    turns = {3: half, 6: right, 7: half, 8: left}
    if orientation in turns:
        return cv2.rotate(array, turns[orientation])
    return cv2.flip(array, {2: 1, 4: 0}[orientation]) if orientation in (2, 4) else array


def _divide_by_alpha(array: PixelArray) -> None:
    """Restore, in place, colours that are multiplied by alpha, where that is above half."""
    white = white_of(array)
    soft = (array[..., 3] > white // 2) & (array[..., 3] < white)
    if soft.any():
        pixels = array[soft].astype(np.float32)
        array[soft, :3] = np.minimum(pixels[:, :3] * white / pixels[:, 3:] + 0.5, white)
