"""Metadata segments of a JPEG (ITU-T T.81 annex B; EXIF CIPA DC-008; ICC.1 annex B; XMP part 3)."""

import re
import struct
from dataclasses import replace

from stitching.errors import InputError
from stitching.io.metadata.contents import (
    EXIF_PREFIX,
    Contents,
    Header,
    Metadata,
    Part,
    contents_of,
    damaged,
    is_profile_of,
)

_APP1, _APP2, _START_OF_SCAN, _END_OF_IMAGE = 0xE1, 0xE2, 0xDA, 0xD9
_JFIF, _ADOBE = 0xE0, 0xEE
_DROPPED = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # applications' data and comments
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a frame header, one for each way of coding
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_ARITHMETIC = 0xC9  # from this frame marker on, coding is arithmetic
_MAX_SCANS = 100  # of one picture; encoders write about ten, and each costs a pass over the whole picture
_XMP_PREFIX, _ICC_PREFIX = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_MAX_BODY = 65533  # bytes in one segment
# The next marker: neither a stuffed 0xFF of the compressed rows nor a restart between them.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")


def parse(data: bytes, name: str) -> Contents:
    """Read the segments of a JPEG up to the end of its picture.

    Raises:
        InputError: the end or the frame header is missing, or there is less data than the frame header needs.
    """
    exif = xmp = frame = first_scan = b""
    coding = scans = 0
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
        elif marker in _FRAMES and not frame:
            frame, coding = body, marker
        elif marker == _START_OF_SCAN:
            first_scan = first_scan or body
            scans += 1
    if scans > _MAX_SCANS:
        raise InputError(f"{name}: a JPEG of {scans} scans; expected at most {_MAX_SCANS}, save it again")
    header = _header(frame, coding, first_scan, name)
    width, height = header.size
    if coding < _ARITHMETIC and len(data) * 8 < (width // 8) * (height // 8):  # a bit for a block of 8 x 8 px
        raise damaged(name, "JPEG")
    icc = b"".join(profile[number] for number in sorted(profile))
    contents = contents_of(header, data, exif, icc, xmp)
    return replace(contents, inks=icc) if frame[5] == 4 and is_profile_of(b"CMYK", icc) else contents


def _header(frame: bytes, coding: int, scan: bytes, name: str) -> Header:
    """What the bodies of the frame header and of the first scan's header say (T.81, figures B.3 and B.4)."""
    if len(frame) < 6 or len(frame) < 6 + 3 * frame[5] or not scan:
        raise damaged(name, "JPEG")
    bits, height, width, components = struct.unpack_from(">BHHB", frame)
    if bits != 8 or components not in (1, 3, 4):
        raise InputError(f"{name}: a JPEG of {components} x {bits} bits; expected 8 bits, grey, colour or CMYK")
    samples = [(factors >> 4, factors & 15) for factors in frame[7 : 6 + 3 * components : 3]]
    across, down = (max(1, *factors) for factors in zip(*samples, strict=True))
    if not width or not height or not all(x and y for x, y in samples):
        raise damaged(name, "JPEG")
    buffers = 8 * width * height if components == 4 else 0  # CMYK, and converted by its profile
    if coding in _PROGRESSIVE or scan[0] < components:  # all coefficients are kept, 2 bytes each
        units = -(-width // (8 * across)) * -(-height // (8 * down))
        buffers += 128 * units * sum(x * y for x, y in samples)
    return Header((width, height), min(components, 3), 8, buffers)


def with_plain_header(encoded: bytes) -> bytes:
    """A copy without what a decoder may complain of before the compressed rows, and does not need for them.

    Metadata and bytes between segments are left out; an unknown JFIF version or Adobe colour transform and the
    progression of a picture that is not progressive (some phones write a wrong one) become what decoders assume.
    """
    parts, coding, at = [bytearray(encoded[:2])], 0, 2
    adobe = bytearray(16)
    while found := _MARKER.search(encoded, at):
        marker, start = found[1][0], found.start()
        at = found.end() + int.from_bytes(encoded[found.end() : found.end() + 2])
        segment = bytearray(encoded[start:at])
        if marker in _FRAMES:
            coding = marker
            if adobe[15] > 2 and len(segment) > 9:  # 0: RGB or CMYK, 1: YCbCr, 2: YCCK
                adobe[15] = 1 if segment[9] == 3 else 2
        elif marker == _JFIF and segment[4:9] == b"JFIF\0" and len(segment) > 9:
            segment[9] = 1
        elif marker == _ADOBE and segment[4:9] == b"Adobe" and len(segment) > 15:
            adobe = segment
        elif marker == _START_OF_SCAN and coding not in _PROGRESSIVE:
            segment[-3:] = 0, 63, 0
        if marker not in _DROPPED:
            parts.append(segment)
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
    return b"".join((*parts, encoded[at:]))


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
