"""Masks that users paint onto a picture: what is left out of the panorama, and what it must show."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.io.codecs.codec import decode
from stitching.io.metadata.formats import detect_format, parse_picture
from stitching.io.picture import has_alpha, white_of
from stitching.io.picture_writer import write_picture
from stitching.io.size_limit import check_size

Purpose = Literal["leave_out", "keep"]


def store_mask(encoded: bytes, path: Path, max_megapix: float) -> None:
    """Write a painted mask; where nothing is painted there is none.

    Args:
        encoded: a PNG of any size; a pixel is painted where it is at least half bright and half opaque.
        path: of the PNG to write, grey, 255 = painted; removed where nothing is painted.
        max_megapix: the largest picture that is read, Mpx.

    Raises:
        InputError: it is no PNG, damaged or too large.
    """
    if detect_format(encoded[:12], "mask") != "PNG":
        raise InputError("mask: expected a PNG")
    contents = parse_picture(encoded, "mask")
    check_size(contents, "mask", max_megapix, held=0)
    pixels = decode(contents.encoded, "mask")
    half = white_of(pixels) // 2 + 1
    painted = (pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)) >= half
    if has_alpha(pixels):
        painted &= pixels[..., 3] >= half
    if painted.any():
        write_picture(path, painted * np.uint8(255))
    else:
        path.unlink(missing_ok=True)


def load_mask(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A stored mask (h, w), 255 = painted, else 0, scaled to a picture of `size` (w, h)."""
    stored = decode(path.read_bytes(), "mask")
    scaled = cv2.resize(stored, size, interpolation=cv2.INTER_LINEAR_EXACT)
    return (scaled >= 128) * np.uint8(255)
