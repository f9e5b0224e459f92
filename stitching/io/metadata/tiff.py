"""Metadata tags of a TIFF (TIFF 6.0; XMP part 3; ICC.1 annex B)."""

import struct

from stitching.errors import InputError
from stitching.io.metadata.contents import Contents, Metadata, Part, is_profile_of, upright_metadata
from stitching.io.metadata.exif import orientation_of
from stitching.io.metadata.tiff_pixels import (
    DEFLATE,
    LZMA,
    OLD_DEFLATE,
    PREMULTIPLIED,
    UNASSOCIATED,
    UNCOMPRESSED,
    TiffPixels,
    pixels_of,
)
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
_RGB = 2  # value of the tag of the colours: below are the two of grey
_BY_TIFFFILE = UNCOMPRESSED, DEFLATE, OLD_DEFLATE, LZMA
_BY_PILLOW = (1, 8), (3, 8), (4, 8), (1, 16)  # samples, bits: of 16-bit colours it keeps 8
_MOST_SAMPLES = 16


def parse(data: bytes, name: str) -> Contents:
    """Read the tags of the first picture of a TIFF; InputError for kinds that OpenCV decodes wrongly."""
    tags = read_block(data)
    pixels = pixels_of(tags, len(data), name)
    if number_of(tags, _NEW_SUBFILE_TYPE, 0) & 1:
        raise InputError(f"{name}: starts with a preview (a camera's raw file?); export it as TIFF or JPEG")
    _check_decoder(pixels, name)
    inks = pixels.photometric == _SEPARATED
    if pixels.photometric in _LAB or (inks and (pixels.bits, pixels.samples) != (8, 4)):
        kind = f"{pixels.samples} inks of {pixels.bits} bits" if inks else "Lab colours"
        raise InputError(f"{name}: a TIFF of {kind}; expected grey, RGB, or CMYK of 8 bits, save it as RGB")
    orientation = orientation_of(tags)
    # OpenCV's TIFF decoder multiplies 8-bit colours by alpha. It and Pillow apply the orientation themselves.
    multiplied = pixels.extra == UNASSOCIATED and pixels.bits == 8 and pixels.decoder == "OpenCV"
    left, applied = (orientation, 1) if pixels.decoder == "tifffile" else (1, orientation)
    icc = value_of(tags, _ICC)
    metadata = upright_metadata(tags, icc, value_of(tags, _XMP))
    profile = icc if inks and is_profile_of(b"CMYK", icc) else None
    premultiplied = pixels.extra == PREMULTIPLIED or multiplied
    return Contents(pixels.header(applied), data, left, premultiplied, metadata, profile, applied=applied)


def _check_decoder(pixels: TiffPixels, name: str) -> None:
    """Raise InputError for kinds that OpenCV decodes wrongly, and tifffile or Pillow do not decode."""
    shape = f"{pixels.samples} x {pixels.bits} bits"
    if pixels.bits > 16 and not pixels.is_float:
        raise InputError(f"{name}: a TIFF of {shape}; expected 8 or 16 bits, or floats of 0 to 1: save it with 16 bits")
    if pixels.decoder == "tifffile":
        if pixels.compression not in _BY_TIFFFILE or pixels.photometric > _RGB:
            raise InputError(f"{name}: a TIFF of {shape}, stored in a rare way; save it as RGB, uncompressed")
        if pixels.samples > _MOST_SAMPLES:
            raise InputError(f"{name}: a TIFF of {shape}; expected at most {_MOST_SAMPLES} channels, save it as RGB")
    elif pixels.decoder == "Pillow" and (pixels.planar or (pixels.samples, pixels.bits) not in _BY_PILLOW):
        raise InputError(f"{name}: a TIFF of {shape}, compressed by ZSTD; save it with LZW or Deflate")


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
        tags[_EXTRA_SAMPLES] = (SHORT, struct.pack("<H", UNASSOCIATED))
    start = len(encoded) + len(encoded) % 2
    padding = bytes(start - len(encoded))  # a directory starts on an even byte
    return [encoded[:4], struct.pack("<I", start), encoded[8:], padding, write_directory(tags, start)]
