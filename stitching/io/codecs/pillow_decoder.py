"""Decodes the pictures that Pillow reads for us."""

import warnings

import cv2
import numpy as np

from stitching.io.metadata.contents import decoder_error
from stitching.io.metadata.pillow_formats import PillowFormat, open_image, shown_mode
from stitching.io.picture import PixelArray


def decode_by_pillow(encoded: bytes, name: str, format_: PillowFormat) -> PixelArray:
    """The pixels of the first frame: (h, w) grey, (h, w, 3) BGR or (h, w, 4) BGRA, uint8.

    Raises:
        InputError: the file is damaged or cut short.
        MemoryError: there is not enough.
    """
    image = open_image(encoded, name, format_)
    with warnings.catch_warnings(action="ignore"):
        try:
            pixels = np.array(image.convert(shown_mode(image)))
        except Exception as error:
            raise decoder_error(error, name, format_) from error
    return to_bgr(pixels)


def to_bgr(pixels: PixelArray) -> PixelArray:
    """Pixels as Pillow gives them, (h, w) grey, (h, w, 3) RGB or (h, w, 4) RGBA, in OpenCV's order of channels."""
    if pixels.ndim == 2:
        return pixels
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
