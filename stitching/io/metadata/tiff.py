"""Metadata tags of a TIFF (TIFF 6.0; XMP part 3; ICC.1 annex B)."""

import struct

from stitching.errors import InputError
from stitching.io.metadata.contents import Contents, Metadata, Part, is_profile_of, upright_metadata
from stitching.io.metadata.exif import orientation_of
from stitching.io.metadata.tiff_pixels import pixels_of
from stitching.io.metadata.tiff_tags import (
    BYTE,
    SHORT,
    UNDEFINED,
    number_of,
    read_block,
    value_of,
    write_directory,
)

_NEW_SUBFILE_TYPE, _EXTRA_SAMPLES, _XMP, _ICC = 254, 338, 700, 34675
_SEPARATED, _LAB = 5, (8, 9, 10)  # photometric interpretations: inks; colours by lightness, not as light
_PREMULTIPLIED, _UNASSOCIATED = 1, 2  # values of _EXTRA_SAMPLES: alpha multiplied into the colours, or not


def parse(data: bytes, name: str) -> Contents:
    """Read the tags of the first picture of a TIFF; InputError for kinds that OpenCV decodes wrongly."""
    tags = read_block(data)
    pixels = pixels_of(tags, len(data), name)
    alpha = number_of(tags, _EXTRA_SAMPLES, 0)
    if number_of(tags, _NEW_SUBFILE_TYPE, 0) & 1:
        raise InputError(f"{name}: starts with a preview (a camera's raw file?); export it as TIFF or JPEG")
    if pixels.samples == 2:
        raise InputError(f"{name}: a TIFF of 2 channels; expected grey, RGB or RGBA, save it as RGBA")
    if pixels.bits > 8 and pixels.samples > 1 and pixels.planar:
        raise InputError(f"{name}: a {pixels.bits}-bit TIFF stored channel by channel; save it interleaved")
    inks = pixels.photometric == _SEPARATED
    if pixels.photometric in _LAB or (inks and (pixels.bits, pixels.samples) != (8, 4)):
        kind = f"{pixels.samples} inks of {pixels.bits} bits" if inks else "Lab colours"
        raise InputError(f"{name}: a TIFF of {kind}; expected grey, RGB, or CMYK of 8 bits, save it as RGB")
    # OpenCV's TIFF decoder applies the orientation itself, and multiplies 8-bit colours by alpha.
    premultiplied = alpha == _PREMULTIPLIED or (alpha == _UNASSOCIATED and pixels.bits == 8)
    icc = value_of(tags, _ICC)
    metadata = upright_metadata(tags, icc, value_of(tags, _XMP))
    profile = icc if inks and is_profile_of(b"CMYK", icc) else None
    return Contents(pixels.header(orientation_of(tags)), data, 1, premultiplied, metadata, profile)


def embed(encoded: memoryview, metadata: Metadata, alpha: bool) -> list[Part]:
    """Append a new directory to a little-endian TIFF; the old one stays in the file, unused."""
    tags = read_block(encoded)
    if metadata.exif:
        tags |= read_block(metadata.exif)
    if metadata.icc:
        tags[_ICC] = (UNDEFINED, metadata.icc)
    if metadata.xmp:
        tags[_XMP] = (BYTE, metadata.xmp)
    if alpha:
        tags[_EXTRA_SAMPLES] = (SHORT, struct.pack("<H", _UNASSOCIATED))
    start = len(encoded) + len(encoded) % 2
    padding = bytes(start - len(encoded))  # a directory starts on an even byte
    return [encoded[:4], struct.pack("<I", start), encoded[8:], padding, write_directory(tags, start)]
