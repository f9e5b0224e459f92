"""The limit of a picture's size: what its header says it takes, before anything is decoded.

A limit of M megapixels allows pictures of M megapixels, and 6 M megabytes while reading: twice the plain pixels of 8
bits. So 16 bits, alpha, the coefficients of a progressive JPEG and the pictures already read all count.
"""

from stitching.errors import InputError
from stitching.io.metadata.contents import Contents

DEFAULT_MAX_MEGAPIX = 400.0
INPUT_MEGAPIX_RANGE = (0.01, 1000.0)  # OpenCV decodes at most 1073 Mpx
_BYTES_A_PIXEL = 6


def largest_file(max_megapix: float) -> int:
    """The bytes that a file may have: those of pixels which, packed and unpacked, just fit."""
    return int(max_megapix * 1e6) * _BYTES_A_PIXEL // 2


def allowed_bytes(max_megapix: float) -> float:
    """The bytes that reading a pair may take."""
    return max_megapix * 1e6 * _BYTES_A_PIXEL


def check_size(contents: Contents, name: str, max_megapix: float, held: int) -> None:
    """Raise InputError where reading a picture would take too much.

    Args:
        contents: the file, not yet decoded.
        name: of the file.
        max_megapix: the limit, Mpx.
        held: bytes of the pictures that were read before and stay in memory.
    """
    width, height = contents.size
    shape = f"{name}: {width} x {height} px"
    if width * height > max_megapix * 1e6:
        raise InputError(
            f"{shape}, {width * height / 1e6:.1f} Mpx; at most {max_megapix:g} Mpx are read, "
            "make it smaller or raise --max-megapix"
        )
    needed, allowed = _bytes_to_read(contents), allowed_bytes(max_megapix)
    if held + needed > allowed:
        beside = f" beside the {held / 1e9:.2f} GB of the pictures before it" if held else ""
        raise InputError(
            f"{shape} of {contents.header.channels} x {contents.header.bits} bits take {needed / 1e9:.2f} GB to read"
            f"{beside}; {allowed / 1e9:.2f} GB are allowed, make it smaller or raise --max-megapix {max_megapix:g}"
        )


def _bytes_to_read(contents: Contents) -> int:
    """The most bytes that are in use at once from the file to an upright BGR picture."""
    header = contents.header
    width, height = header.size
    decoding = header.pixel_bytes + header.buffers
    copies = {1: 1, 5: 3, 7: 3}.get(contents.orientation, 2)  # mirrored and turned in two steps
    turning = header.pixel_bytes * copies
    colours = 3 * width * height * header.bits // 8
    masks = 2 * width * height if header.channels == 4 else 0  # of opaque pixels
    converting = 0 if header.channels == 3 else header.pixel_bytes + colours + masks
    return len(contents.encoded) + max(decoding, turning, converting)
