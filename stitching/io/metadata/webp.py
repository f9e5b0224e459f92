"""Metadata chunks of a WebP: EXIF, ICC profile and XMP in its RIFF container (RFC 9649)."""

import struct
from collections.abc import Iterator

from stitching.io.metadata.contents import Contents, Header, Metadata, Part, contents_of, damaged

_HAS_ICC, _HAS_ALPHA, _HAS_EXIF, _HAS_XMP, _IS_ANIMATED = 0x20, 0x10, 0x08, 0x04, 0x02  # flags of the VP8X chunk


def parse(data: bytes, name: str) -> Contents:
    """Read the metadata chunks of a WebP; InputError where the file is shorter than its header says."""
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise damaged(name, "WebP")
    found = dict(_metadata_chunks(data))
    return contents_of(
        _header(data, name).decoded_by_opencv(),
        data,
        found.get(b"EXIF", b""),
        found.get(b"ICCP", b""),
        found.get(b"XMP ", b""),
    )


def _header(data: bytes, name: str) -> Header:
    """What the first chunk says: a plain picture (RFC 6386, 9.1), a lossless one, or the extended header."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10 or kind not in (b"VP8 ", b"VP8L", b"VP8X"):
        raise damaged(name, "WebP")
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        return Header((width, height), 3, 8)
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        return Header((width, height), 4 if bits >> 28 & 1 else 3, 8, buffers=4 * width * height)
    width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    buffers = (12 if body[0] & _IS_ANIMATED else 6) * width * height
    return Header((width, height), 4 if body[0] & _HAS_ALPHA else 3, 8, buffers)


def _metadata_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of each EXIF, ICCP and XMP chunk."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] in (b"EXIF", b"ICCP", b"XMP "):
            yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def embed(encoded: memoryview, metadata: Metadata, size: tuple[int, int]) -> list[Part]:
    """Put metadata chunks around the pixels of a picture of `size` (w, h), with the extended header they need."""
    extended = bytes(encoded[12:16]) == b"VP8X"
    flags = encoded[20] if extended else 0
    flags |= _HAS_ICC * bool(metadata.icc) | _HAS_EXIF * bool(metadata.exif) | _HAS_XMP * bool(metadata.xmp)
    if not flags:
        return [encoded]
    header = struct.pack("<I", flags) + b"".join((side - 1).to_bytes(3, "little") for side in size)
    before = b"WEBP" + _chunk(b"VP8X", header) + _chunk(b"ICCP", metadata.icc)
    pixels = encoded[30 if extended else 12 :]
    after = _chunk(b"EXIF", metadata.exif) + _chunk(b"XMP ", metadata.xmp)
    return [b"RIFF" + struct.pack("<I", len(before) + len(pixels) + len(after)), before, pixels, after]


def _chunk(kind: bytes, body: bytes | None) -> bytes:
    """A RIFF chunk, padded to an even length; nothing without a body."""
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) if body else b""
