"""Decodes the pictures that OpenCV reads for us."""

import cv2
import numpy as np

from stitching.errors import InputError, is_out_of_memory
from stitching.io.codecs.quiet import silent_stderr
from stitching.io.picture import PixelArray


def decode_by_opencv(encoded: bytes, name: str) -> PixelArray:
    """The pixels of a file as stored, with all their channels and bits.

    Raises:
        InputError: the file is damaged, or of a kind that OpenCV cannot decode.
        MemoryError: there is not enough.
    """
    try:
        with silent_stderr():
            decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if is_out_of_memory(error):
            raise MemoryError(f"{name}: not enough memory to decode it") from error
        raise InputError(f"{name}: cannot be decoded; save it as a plain JPEG or PNG") from error
    if decoded is None:
        raise InputError(f"{name}: damaged, cut short or of a rare kind; copy it again or save it as PNG")
    return decoded
