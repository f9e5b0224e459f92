"""Metadata segments of a JPEG (ITU-T T.81 annex B; EXIF CIPA DC-008; ICC.1 annex B; XMP part 3)."""

import re
import struct

from stitching.io.metadata.contents import EXIF_PREFIX, Contents, Metadata, Part, contents_of, damaged

_APP1, _APP2, _END_OF_IMAGE = 0xE1, 0xE2, 0xD9
_XMP_PREFIX, _ICC_PREFIX = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_MAX_BODY = 65533  # bytes in one segment
# The next marker: neither a stuffed 0xFF of the compressed rows nor a restart between them.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def parse(data: bytes, name: str) -> Contents:
    """Read the segments of a JPEG up to the end of its picture; InputError where that is missing."""
    exif = xmp = b""
    profile: dict[int, bytes] = {}  # number of a part -> part
    at = 2
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            raise damaged(name, "JPEG")
        marker = found[1][0]
        if marker == _END_OF_IMAGE:  # a phone's trailer or a second picture may come after it
            break
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
        body = data[found.end() + 2 : at]
        if marker == _APP1 and body.startswith(EXIF_PREFIX):
            exif = exif or body
        elif marker == _APP1 and body.startswith(_XMP_PREFIX):
            xmp = xmp or body.removeprefix(_XMP_PREFIX)
        elif marker == _APP2 and body.startswith(_ICC_PREFIX) and len(body) > 14:
            profile[body[12]] = body[14:]
    return contents_of(data, exif, b"".join(profile[number] for number in sorted(profile)), xmp)


def embed(encoded: memoryview, metadata: Metadata) -> list[Part]:
    """Insert segments after the JFIF segment, which stays first; EXIF or XMP above one segment is left out."""
    step = _MAX_BODY - len(_ICC_PREFIX) - 2
    icc = metadata.icc or b""
    profile = [icc[at : at + step] for at in range(0, len(icc), step)]
    bodies = [
        *([(_APP1, EXIF_PREFIX + metadata.exif)] if metadata.exif else []),
        *([(_APP1, _XMP_PREFIX + metadata.xmp)] if metadata.xmp else []),
        *((_APP2, _ICC_PREFIX + bytes((number, len(profile))) + part) for number, part in enumerate(profile, 1)),
    ]
    segments = [
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in bodies if len(body) <= _MAX_BODY
    ]
    start = 4 + int.from_bytes(encoded[4:6])
    return [encoded[:start], *segments, encoded[start:]]
