"""A small PNG of a picture, for notebooks."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.io.codecs.codec import encode
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.formats import embed_metadata
from stitching.io.picture import Levels, PixelArray, to_8_bit

MAX_SIDE = 1200  # px


def screen_png(pixels: PixelArray, alpha: NDArray[np.uint8], levels: Levels | None, icc: bytes | None) -> bytes:
    """PNG, at most `MAX_SIDE` px a side, of pixels (h, w, 3) BGR with alpha (h, w); what is empty is transparent."""
    scale = min(1.0, MAX_SIDE / max(pixels.shape[:2]))
    array = np.dstack([to_8_bit(pixels, levels), alpha])  # (h, w, 4)
    if scale < 1:
        array = cv2.resize(array, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = array.shape[:2]
    return b"".join(
        embed_metadata(encode(array, "PNG", "picture"), "PNG", Metadata(icc=icc), (width, height), alpha=True)
    )
