"""Metadata chunks of a PNG (PNG third edition; XMP part 3)."""

import struct
import zlib

from stitching.io.metadata.contents import Contents, Header, Metadata, Part, contents_of, damaged

_XMP_KEYWORD = b"XML:com.adobe.xmp\0"
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_AFTER_HEADER = 33  # bytes of signature and IHDR
_STORED_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a colour type: grey, colour, palette, both with alpha
_DECODED_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}
_MAX_RATIO = 1032  # of Deflate, which codes at most 258 bytes with 2 bits
_MAX_METADATA = 1 << 22  # bytes of a profile or packet, unpacked: libpng reads no chunks above 8 MB


def parse(data: bytes, name: str) -> Contents:
    """Read the chunks of a PNG.

    The decoder gets only the chunks that make pixels: libpng prints warnings on colour profiles and text to stderr.

    Raises:
        InputError: a chunk is cut short, a pixel chunk fails its checksum, or they are too few for the size.
    """
    exif = icc = xmp = b""
    transparent = False
    view = memoryview(data)
    pixels: list[Part] = [data[:8]]
    at, kind = 8, b""
    while kind != b"IEND":
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data):
            raise damaged(name, "PNG")
        body = view[at + 8 : end - 4]
        if kind in _PIXEL_CHUNKS:
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
                raise damaged(name, "PNG")
            pixels.append(view[at:end])
            transparent |= kind == b"tRNS"
        elif kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"iCCP":
            icc = _unpacked(bytes(body).partition(b"\0")[2][1:])
        elif kind == b"iTXt" and bytes(body[: len(_XMP_KEYWORD)]) == _XMP_KEYWORD:
            xmp = _text(bytes(body[len(_XMP_KEYWORD) :]))
        at = end
    header = _header(data, transparent, name)
    packed, (width, height) = sum(len(part) for part in pixels), header.size
    if packed * _MAX_RATIO * 8 < width * height * data[24] * _STORED_CHANNELS[data[25]]:
        raise damaged(name, "PNG")
    return contents_of(header, b"".join(pixels), exif, icc, xmp)


def _header(data: bytes, transparent: bool, name: str) -> Header:
    """What the IHDR chunk says; the decoder makes colours of a palette, and alpha of transparent colours."""
    if len(data) < _AFTER_HEADER or data[12:16] != b"IHDR":
        raise damaged(name, "PNG")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if colour not in _STORED_CHANNELS or bits not in (1, 2, 4, 8, 16) or not width or not height:
        raise damaged(name, "PNG")
    channels = 4 if transparent else _DECODED_CHANNELS[colour]
    return Header((width, height), channels, 16 if bits == 16 else 8).decoded_by_opencv()


def _text(body: bytes) -> bytes:
    """The text of an iTXt chunk, from the bytes after its keyword."""
    compression, text = body[:2], body[2:].split(b"\0", 2)[-1]
    return _unpacked(text) if compression == b"\1\0" else text


def _unpacked(packed: bytes) -> bytes:
    """The bytes of a deflated block; empty where it is damaged or too large."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(packed, _MAX_METADATA)
    except zlib.error:
        return b""
    return unpacked if stream.eof else b""


def embed(encoded: memoryview, metadata: Metadata) -> list[Part]:
    """Insert metadata chunks after the header chunk; what is too large for decoders is left out."""
    chunks = []
    if metadata.icc:
        chunks.append(b"iCCP" + b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks.append(b"eXIf" + metadata.exif)
    if metadata.xmp:
        chunks.append(b"iTXt" + _XMP_KEYWORD + b"\0\0\0\0" + metadata.xmp)
    readable = [chunk for chunk in chunks if len(chunk) <= _MAX_METADATA]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in readable]
    return [encoded[:_AFTER_HEADER], *framed, encoded[_AFTER_HEADER:]]
