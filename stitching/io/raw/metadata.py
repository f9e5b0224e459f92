"""The EXIF tags of a RAW file, for the picture that is developed from it."""

import struct

from stitching.io.metadata.contents import EXIF_PREFIX, Metadata
from stitching.io.metadata.exif import upright_exif
from stitching.io.metadata.tiff_tags import EXIF, GPS, INTEROPERABILITY, SHORT, Directory, read_block

_MAKER_NOTE, _COLOUR_SPACE = 0x927C, 0xA001
_SRGB = SHORT, struct.pack("<H", 1)
_BEGINNING = 1 << 17  # bytes: boxes of a CR3 and the EXIF block of a RAF's preview lie in them
_RAF_PREVIEW = 84  # where a RAF says where its preview begins


def metadata_of(data: bytes) -> Metadata:
    """What is carried over from a RAW file: EXIF without maker notes, which are of the sensor's data and large.

    No XMP: it may hold settings that other programs would apply to the panorama once more.
    """
    tags = dict(_tags_of(data))
    exif = tags.get(EXIF)
    if isinstance(exif, dict):
        dropped = _MAKER_NOTE, INTEROPERABILITY
        tags[EXIF] = {tag: value for tag, value in exif.items() if tag not in dropped} | {_COLOUR_SPACE: _SRGB}
    return Metadata(exif=upright_exif(tags))


def _tags_of(data: bytes) -> Directory:
    """The first directory, with those below it; empty where there is none that is easily found."""
    if data.startswith(b"FUJIFILM"):
        (preview,) = struct.unpack_from(">I", data.ljust(_RAF_PREVIEW + 4, b"\0"), _RAF_PREVIEW)
        found = data.find(EXIF_PREFIX, preview, preview + _BEGINNING)
        return {} if found < 0 else read_block(memoryview(data)[found + len(EXIF_PREFIX) :][:_BEGINNING])
    if data[4:8] == b"ftyp":  # CR3: each directory is a TIFF in a box of its own
        tags = _boxed(data, b"CMT1")
        return tags | {EXIF: _boxed(data, b"CMT2"), GPS: _boxed(data, b"CMT4")} if tags else {}
    return read_block(data)


def _boxed(data: bytes, kind: bytes) -> Directory:
    found = data.find(kind, 0, _BEGINNING)
    return {} if found < 0 else read_block(memoryview(data)[found + 4 :][:_BEGINNING])
