"""The EXIF tags of a photograph that still hold for an upright panorama (CIPA DC-008, section 4.6)."""

import struct

from stitching.io.metadata.tiff_tags import (
    EXIF,
    GPS,
    INTEROPERABILITY,
    SHORT,
    Directory,
    number_of,
    value_of,
    write_directory,
)

_ORIENTATION, _PIXEL_WIDTH, _PIXEL_HEIGHT = 274, 0xA002, 0xA003
_COLOUR_SPACE, _INDEX = 0xA001, 1  # the second in the directory of interoperability
_ADOBE_RGB, _UNCALIBRATED = 2, 65535  # values of _COLOUR_SPACE; 2 is not of the standard, but written
# Tags that describe the photograph; the others of the first directory describe how a file stores its pixels.
_DESCRIPTIVE = {
    0x010D, 0x010E, 0x010F, 0x0110,  # document, description, make, model
    0x011A, 0x011B, 0x0128,          # resolution
    0x0131, 0x0132, 0x013B, 0x013C,  # software, date, artist, computer
    0x4746, 0x4749, 0x8298,          # rating, rating percent, copyright
    0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,  # Windows title, comment, author, keywords, subject
    EXIF, GPS,
}  # fmt: skip


def orientation_of(tags: Directory) -> int:
    """The orientation tag, 1..8 where it is valid; 1 = upright where there is none."""
    return number_of(tags, _ORIENTATION, 1)


def is_adobe_rgb(tags: Directory) -> bool:
    """Whether a camera says that its colours are Adobe RGB; most embed no profile then (CIPA DC-008, annex on DCF)."""
    exif = tags.get(EXIF)
    if not isinstance(exif, dict):
        return False
    colour_space, interoperability = number_of(exif, _COLOUR_SPACE, _UNCALIBRATED), exif.get(INTEROPERABILITY)
    index = value_of(interoperability, _INDEX) if isinstance(interoperability, dict) else b""
    return colour_space == _ADOBE_RGB or (colour_space == _UNCALIBRATED and index.startswith(b"R03"))


def upright_exif(tags: Directory) -> bytes | None:
    """An EXIF block with the descriptive tags and orientation 1; None without descriptive tags."""
    kept = {tag: value for tag, value in tags.items() if tag in _DESCRIPTIVE}
    if not kept:
        return None
    exif = kept.get(EXIF)
    if isinstance(exif, dict):
        kept[EXIF] = {tag: value for tag, value in exif.items() if tag not in (_PIXEL_WIDTH, _PIXEL_HEIGHT)}
    kept[_ORIENTATION] = (SHORT, struct.pack("<H", 1))
    return b"II*\0\x08\0\0\0" + write_directory(kept, 8)
