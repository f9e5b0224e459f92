"""Decodes HEIC and other HEIF pictures by pi-heif (libheif and libde265)."""

import cv2
import numpy as np

from stitching.io.codecs.quiet import silent_stderr
from stitching.io.metadata.heif import heif_error, open_primary
from stitching.io.picture import PixelArray


def decode_heif(encoded: bytes, name: str) -> PixelArray:
    """The pixels of the primary picture, turned as the file says: grey, BGR or BGRA, uint8 or uint16.

    10 and 12 bits become 16: white stays white.

    Raises:
        InputError: the file is damaged or cut short.
        MemoryError: there is not enough.
    """
    image = open_primary(encoded, name)
    with silent_stderr():
        try:
            pixels = np.array(image)
        except Exception as error:  # of many kinds
            raise heif_error(error, name) from error
    if pixels.dtype == np.uint16:
        pixels |= pixels >> image.info["bit_depth"]  # the decoder leaves the lowest bits empty
    if pixels.ndim == 3 and pixels.shape[2] == 2:  # grey and alpha
        grey, alpha = cv2.split(pixels)
        return cv2.merge([grey, grey, grey, alpha])
    return pixels
