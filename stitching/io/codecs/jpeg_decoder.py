"""Decodes JPEG files and listens to the decoder: what it only complains of is mostly wrong pixels.

OpenCV uses the same library, libjpeg-turbo, and ignores its complaints. The pixels are the same.
"""

import re

import numpy as np
import simplejpeg

from stitching.errors import InputError, is_out_of_memory
from stitching.io.metadata.jpeg import with_plain_header
from stitching.io.picture import PixelArray

_PADDING = 16  # zeros before the end marker that are no sign of damage: some cameras fill up words or blocks
_UNSUPPORTED = "Could not determine subsampling"
_BEFORE_THE_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


def decode_jpeg(encoded: bytes, name: str, at_least: tuple[int, int] = (0, 0)) -> PixelArray | None:
    """The pixels of a JPEG, (h, w, 3) BGR or (h, w) grey, uint8; None for rare kinds that it cannot decode.

    Args:
        encoded: the file.
        name: of the file, for messages.
        at_least: (width, height) px: decoded at the smallest size, in eighths, that has as many; (0, 0): at full size.

    Raises:
        InputError: the compressed rows are damaged. Odd fields of the header, which some cameras write, do not count.
        MemoryError: there is not enough.
    """
    complaint = ""
    for header in (bytes, with_plain_header):
        try:
            return _decoded(header(encoded), at_least, strict=True)
        except ValueError as error:
            if is_out_of_memory(error):
                raise MemoryError(f"{name}: not enough memory to decode it") from error
            complaint = str(error)
    if _UNSUPPORTED in complaint:
        return None
    padding = _BEFORE_THE_END.search(complaint)  # the last complaint that there can be, and the first: the only one
    # Other bytes are what is left of rows that a byte too many or too few has shifted.
    if padding and int(padding[1]) <= _PADDING and bytes(int(padding[1])) + b"\xff\xd9" in encoded:
        return _decoded(with_plain_header(encoded), at_least, strict=False)
    said = complaint.rpartition(": ")[2]
    raise InputError(
        f"{name}: the JPEG file is damaged, its decoder found: {said}; "
        "copy or download it again, or save it again in a viewer where it looks right"
    )


def _decoded(encoded: bytes, at_least: tuple[int, int], *, strict: bool) -> PixelArray:
    """The pixels; ValueError where they cannot be decoded or, strict, where the decoder complains."""
    grey = simplejpeg.decode_jpeg_header(encoded, strict=strict)[2] == "Gray"
    width, height = at_least
    colours = "GRAY" if grey else "BGR"
    pixels = np.asarray(simplejpeg.decode_jpeg(encoded, colours, min_width=width, min_height=height, strict=strict))
    return pixels[..., 0] if grey else pixels
