"""Reading picture files and masks, upright and with all their bits."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, require
from stitching.io.codecs.cmyk_decoder import decode_cmyk
from stitching.io.codecs.codec import decode
from stitching.io.files import AnyPath, check_readable
from stitching.io.metadata.contents import Contents
from stitching.io.metadata.formats import HEAD_BYTES, detect_format, parse_picture
from stitching.io.picture import Picture, PixelArray, as_picture, check_array, check_side, has_alpha, white_of
from stitching.io.raw.develop import WhiteBalance, develop
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX, check_size, largest_file


def read_picture(
    path: AnyPath,
    *,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
    held: int = 0,
    white_balance: WhiteBalance | None = None,
) -> Picture:
    """Read a picture file; its content decides its format, not its extension.

    Grey becomes BGR, 16 bits stay 16 bits, EXIF orientation is applied, alpha of at least half becomes
    `valid`. Of several pages or frames the first is read. CMYK becomes sRGB, by its colour profile if it has one.

    Args:
        path: of the file.
        max_megapix: the largest picture that is read, Mpx; see stitching/io/size_limit.py.
        held: bytes of the pictures that were read before and stay in memory: they count, too.
        white_balance: of a camera's RAW file; None = its own.

    Raises:
        InputError: the file cannot be read, is damaged or cut short, is larger than allowed, has a side out of the
            range MIN_SIDE to MAX_SIDE px, is transparent everywhere, or holds neither 8 nor 16 bits a channel.
        MemoryError: there is not enough to decode it.
    """
    name = os.fspath(path)
    contents = _read_contents(path, max_megapix)
    check_side(contents.size, name)
    check_size(contents, name, max_megapix, held)
    metadata, turned = contents.metadata, contents.orientation if contents.orientation > 1 else contents.applied
    array, is_raw = _upright_pixels(contents, name, white_balance), contents.is_raw
    del contents  # the file's bytes
    return replace(as_picture(array, name, metadata), orientation=turned, is_raw=is_raw)


def read_mask(
    mask: AnyPath | NDArray[Any],
    size: tuple[int, int],
    *,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
    held: int = 0,
    may_be_empty: bool = False,
) -> NDArray[np.uint8]:
    """A mask (h, w), 255 = use, 0 = ignore, from a picture file or an array of bool, uint8 or uint16.

    A pixel is used where it is at least half bright (in its brightest channel) and at least half opaque.

    Args:
        mask: path or array.
        size: (w, h) px that it must have.
        max_megapix, held: as for `read_picture`.
        may_be_empty: a mask that ignores every pixel is one, too.

    Raises:
        InputError: the mask cannot be read, differs from `size` (w, h) or ignores every pixel.
    """
    if isinstance(mask, np.ndarray):
        name = "mask"
        array = check_array(mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask, name)
        _check_mask_size((array.shape[1], array.shape[0]), size, name)
    else:
        require(isinstance(mask, str | os.PathLike), f"mask: {type(mask).__name__}", "a path or an array (h, w)")
        name = os.fspath(mask)
        contents = _read_contents(mask, max_megapix)
        _check_mask_size(contents.size, size, name)
        check_size(contents, name, max_megapix, held)
        array = _upright_pixels(contents, name)
    half = white_of(array) // 2 + 1
    brightness = array if array.ndim == 2 else array[..., :3].max(axis=2)
    used = brightness >= half
    if has_alpha(array):
        used &= array[..., 3] >= half
    if not used.any() and not may_be_empty:
        raise InputError(
            f"{name}: ignores every pixel, its largest value is {brightness.max()}; "
            f"expected {white_of(array)} where the picture is to be used, 0 where not"
        )
    return used.astype(np.uint8) * np.uint8(255)


def _check_mask_size(found: tuple[int, int], expected: tuple[int, int], name: str) -> None:
    if tuple(found) != tuple(expected):
        raise InputError(
            f"{name}: {found[0]} x {found[1]} px; "
            f"expected a mask of the picture's size, {expected[0]} x {expected[1]} px"
        )


def _upright_pixels(contents: Contents, name: str, white_balance: WhiteBalance | None = None) -> PixelArray:
    """The upright pixels of a file with all their channels."""
    array = check_array(_decoded(contents, name, white_balance), name)
    if contents.premultiplied and has_alpha(array):
        _divide_by_alpha(array)
    return upright(array, contents.orientation)


def _decoded(contents: Contents, name: str, white_balance: WhiteBalance | None) -> PixelArray:
    """The pixels of a file as it stores them; colours of a sensor or of inks become sRGB."""
    if contents.is_raw:
        return develop(contents.encoded, name, white_balance)
    if contents.inks:
        return decode_cmyk(contents.encoded, contents.inks, name)
    return decode(contents.encoded, name)


def _read_contents(path: AnyPath, max_megapix: float) -> Contents:
    """The parsed file; one that is no picture, or larger than pictures that fit, is only read at its beginning."""
    name, limit = os.fspath(path), largest_file(max_megapix)
    check_readable(path, "a picture file")
    try:
        with Path(path).open("rb") as file:
            head = file.peek(HEAD_BYTES)[:HEAD_BYTES]
            if not head:
                raise InputError(f"{name}: the file is empty; copy or download it again")
            detect_format(head, name)  # before reading what may be a film
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise InputError(
                    f"{name}: the file has {size / 1e9:.2f} GB, more than a picture of {max_megapix:g} Mpx; "
                    "make it smaller or raise --max-megapix"
                )
            data = file.read(size)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; expected a picture file") from error
    return parse_picture(data, name)


def upright(array: PixelArray, orientation: int) -> PixelArray:
    """Apply an EXIF orientation, 1..8 (CIPA DC-008, tag 274); any other number means upright."""
    turns = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 7: cv2.ROTATE_180, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}
    if orientation in (5, 7):
        array = cv2.transpose(array)
    if orientation in turns:
        return cv2.rotate(array, turns[orientation])
    return cv2.flip(array, {2: 1, 4: 0}[orientation]) if orientation in (2, 4) else array


def _divide_by_alpha(array: PixelArray) -> None:
    """Restore, in place, colours that are multiplied by alpha, where that is above half."""
    white = white_of(array)
    for rows in np.array_split(array, -(-len(array) // 64)):  # views, so that few floats exist at once
        soft = (rows[..., 3] > white // 2) & (rows[..., 3] < white)
        if soft.any():
            pixels = rows[soft].astype(np.float32)
            rows[soft, :3] = np.minimum(pixels[:, :3] * white / pixels[:, 3:] + 0.5, white)
