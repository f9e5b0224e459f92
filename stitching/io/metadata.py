"""What a picture file holds beside its pixels: found, made to fit an upright panorama, put into a new file.

OpenCV reads and writes the pixels. Its metadata functions do not suit: they know no TIFF, return no XMP from
a JPEG, fail on a PNG whose colour profile libpng dislikes, and leave the orientation as it was. A walk over
the parts of a file costs little and also finds files that are cut short, which some decoders pass off as grey
pixels.

Sources: JPEG ITU-T T.81 annex B, JFIF and EXIF CIPA DC-008, ICC.1 annex B, XMP part 3, PNG third edition,
RIFF WebP RFC 9649, TIFF 6.0.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from stitching.errors import InputError
from stitching.io.tiff_tags import (
    BYTE,
    EXIF,
    GPS,
    SHORT,
    UNDEFINED,
    Directory,
    number_of,
    read_block,
    value_of,
    write_directory,
)

Part = bytes | memoryview  # large pictures are not copied to join them with their metadata

_NEW_SUBFILE_TYPE, _BITS, _ORIENTATION, _SAMPLES, _PLANAR, _EXTRA_SAMPLES = 254, 258, 274, 277, 284, 338
_XMP, _ICC, _PIXEL_WIDTH, _PIXEL_HEIGHT = 700, 34675, 0xA002, 0xA003
# What describes the photograph; the other tags of a first directory describe how a file stores its pixels.
_DESCRIPTIVE = {
    0x010D, 0x010E, 0x010F, 0x0110,  # document, description, make, model
    0x011A, 0x011B, 0x0128,          # resolution
    0x0131, 0x0132, 0x013B, 0x013C,  # software, date, artist, computer
    0x4746, 0x4749, 0x8298,          # rating, rating percent, copyright
    0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F,  # Windows title, comment, author, keywords, subject
    EXIF, GPS,
}  # fmt: skip

_JPEG_EXIF, _JPEG_XMP, _JPEG_ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_JPEG_SEGMENT = 65533  # bytes one segment holds
# The next marker: neither a stuffed 0xFF of the compressed rows nor a restart between them.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_PNG_XMP = b"XML:com.adobe.xmp\0"
_PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_MAX_PROFILE = 1 << 24  # bytes an ICC profile may unpack to


@dataclass(frozen=True)
class Metadata:
    """What is carried from a photograph to the panorama; None where there is none.

    exif: a little-endian TIFF block without the "Exif" prefix, with orientation 1 and the descriptive tags.
    Left out are the thumbnail and the pixel size, those of the old picture. Maker notes are copied byte for
    byte; where they hold positions in their old file, they may no longer be readable.
    icc: an RGB colour profile; a grey or CMYK one does not fit BGR pixels and is dropped.
    xmp: one UTF-8 packet with orientation 1; extension packets of a JPEG (above 64 kB) are dropped.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None


@dataclass(frozen=True)
class Contents:
    """A picture file taken apart."""

    encoded: bytes  # for the decoder
    orientation: int  # EXIF, 1..8: what the decoder leaves to do
    premultiplied: bool  # the decoded colours are multiplied by alpha
    metadata: Metadata


def kind_of(head: bytes, name: str) -> str:
    """JPEG, PNG, TIFF or WebP, known by the first 12 bytes; InputError for anything else."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    hint = " (a phone's HEIC or an AVIF: export it as JPEG)" if head[4:8] == b"ftyp" else ""
    raise InputError(f"{name}: starts with {head[:12]!r}; expected a JPEG, PNG, TIFF or WebP picture, convert it{hint}")


def take_apart(data: bytes, name: str) -> Contents:
    """Look into the bytes of a file that `kind_of` knows.

    Raises InputError where the file is cut short or of a kind that OpenCV would decode wrongly.
    """
    readers = {"JPEG": _from_jpeg, "PNG": _from_png, "TIFF": _from_tiff, "WebP": _from_webp}
    return readers[kind_of(data[:12], name)](data, name)


def put_in(encoded: memoryview, metadata: Metadata, size: tuple[int, int], alpha: bool) -> list[Part]:
    """What `cv2.imencode` made of a picture of `size` (w, h), with the metadata put in, as parts to write.

    A JPEG segment holds 64 kB: an EXIF block or XMP packet above that is left out there.
    `alpha`: the last channel of a TIFF gets marked as alpha, which OpenCV does not do.
    """
    kind = kind_of(bytes(encoded[:12]), "the encoded picture")
    if kind == "JPEG":
        return _into_jpeg(encoded, metadata)
    if kind == "PNG":
        return _into_png(encoded, metadata)
    if kind == "WebP":
        return _into_webp(encoded, metadata, size)
    return _into_tiff(encoded, metadata, alpha)


def _cut_short(name: str, kind: str) -> InputError:
    return InputError(f"{name}: the {kind} file is damaged or cut short; copy or download it again")


def _contents(encoded: bytes, exif: bytes, icc: bytes, xmp: bytes) -> Contents:
    tags = read_block(exif.removeprefix(_JPEG_EXIF))
    return Contents(encoded, number_of(tags, _ORIENTATION, 1), False, _metadata(tags, icc, xmp))


def _metadata(tags: Directory, icc: bytes, xmp: bytes) -> Metadata:
    rgb_profile = len(icc) > 128 and icc[36:40] == b"acsp" and icc[16:20] == b"RGB "
    upright_xmp = re.sub(rb"(tiff:Orientation(?:>|\s*=\s*[\"']))\s*[2-8]", rb"\g<1>1", xmp)
    return Metadata(_upright_exif(tags), icc if rgb_profile else None, upright_xmp or None)


# --- JPEG ---


def _from_jpeg(data: bytes, name: str) -> Contents:
    exif = xmp = b""
    profile: dict[int, bytes] = {}
    at = 2
    while True:
        marker = _JPEG_MARKER.search(data, at)
        if marker is None:
            raise _cut_short(name, "JPEG")
        if marker[1] == b"\xd9":  # the end of the picture: a phone's trailer or a second picture may follow
            break
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
        body = data[marker.end() + 2 : at]
        if marker[1] == b"\xe1" and body.startswith(_JPEG_EXIF):
            exif = exif or body
        elif marker[1] == b"\xe1" and body.startswith(_JPEG_XMP):
            xmp = xmp or body.removeprefix(_JPEG_XMP)
        elif marker[1] == b"\xe2" and body.startswith(_JPEG_ICC) and len(body) > 14:
            profile[body[12]] = body[14:]  # parts are numbered
    return _contents(data, exif, b"".join(profile[part] for part in sorted(profile)), xmp)


def _into_jpeg(encoded: memoryview, metadata: Metadata) -> list[Part]:
    step = _JPEG_SEGMENT - len(_JPEG_ICC) - 2
    icc = metadata.icc or b""
    parts = [icc[at : at + step] for at in range(0, len(icc), step)]
    bodies = [
        *([(0xE1, _JPEG_EXIF + metadata.exif)] if metadata.exif else []),
        *([(0xE1, _JPEG_XMP + metadata.xmp)] if metadata.xmp else []),
        *((0xE2, _JPEG_ICC + bytes((number, len(parts))) + part) for number, part in enumerate(parts, 1)),
    ]
    segments = [
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in bodies if len(body) <= _JPEG_SEGMENT
    ]
    start = 4 + int.from_bytes(encoded[4:6])  # behind the JFIF segment, which stays first
    return [encoded[:start], *segments, encoded[start:]]


# --- PNG ---


def _from_png(data: bytes, name: str) -> Contents:
    exif = icc = xmp = b""
    view = memoryview(data)
    # libpng prints its opinion of colour profiles and text on stderr, so it gets only what makes pixels.
    pixels: list[Part] = [data[:8]]
    at, kind = 8, b""
    while kind != b"IEND":
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if end > len(data):
            raise _cut_short(name, "PNG")
        body = view[at + 8 : end - 4]
        if kind in _PNG_PIXELS:
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
                raise _cut_short(name, "PNG")
            pixels.append(view[at:end])
        elif kind == b"eXIf":
            exif = bytes(body)
        elif kind == b"iCCP":
            icc = _unzipped(bytes(body).partition(b"\0")[2][1:])
        elif kind == b"iTXt" and bytes(body[: len(_PNG_XMP)]) == _PNG_XMP:
            flags, text = body[len(_PNG_XMP) :][:2], bytes(body[len(_PNG_XMP) + 2 :]).split(b"\0", 2)[-1]
            xmp = _unzipped(text) if bytes(flags) == b"\1\0" else text
        at = end
    return _contents(b"".join(pixels), exif, icc, xmp)


def _unzipped(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MAX_PROFILE)
    except zlib.error:
        return b""


def _into_png(encoded: memoryview, metadata: Metadata) -> list[Part]:
    chunks = []
    if metadata.icc:
        chunks.append(b"iCCP" + b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks.append(b"eXIf" + metadata.exif)
    if metadata.xmp:
        chunks.append(b"iTXt" + _PNG_XMP + b"\0\0\0\0" + metadata.xmp)
    start = 33  # behind the header chunk
    made = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return [encoded[:start], *made, encoded[start:]]


# --- WebP ---


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] in (b"EXIF", b"ICCP", b"XMP "):
            yield data[at : at + 4], data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _from_webp(data: bytes, name: str) -> Contents:
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise _cut_short(name, "WebP")
    found = dict(_riff_chunks(data))
    return _contents(data, found.get(b"EXIF", b""), found.get(b"ICCP", b""), found.get(b"XMP ", b""))


def _into_webp(encoded: memoryview, metadata: Metadata, size: tuple[int, int]) -> list[Part]:
    def chunk(kind: bytes, body: bytes | None) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2) if body else b""

    extended = bytes(encoded[12:16]) == b"VP8X"
    flags = encoded[20] if extended else 0
    flags |= 0x20 * bool(metadata.icc) | 0x08 * bool(metadata.exif) | 0x04 * bool(metadata.xmp)
    if not flags:
        return [encoded]
    header = struct.pack("<I", flags) + b"".join((side - 1).to_bytes(3, "little") for side in size)
    before = b"WEBP" + chunk(b"VP8X", header) + chunk(b"ICCP", metadata.icc)
    pixels = encoded[30 if extended else 12 :]
    behind = chunk(b"EXIF", metadata.exif) + chunk(b"XMP ", metadata.xmp)
    return [b"RIFF" + struct.pack("<I", len(before) + len(pixels) + len(behind)), before, pixels, behind]


# --- TIFF, and the EXIF block, which is a TIFF without pixels ---


def _from_tiff(data: bytes, name: str) -> Contents:
    tags = read_block(data)
    bits, samples = number_of(tags, _BITS, 1), number_of(tags, _SAMPLES, 1)
    extra = number_of(tags, _EXTRA_SAMPLES, 0)  # 1: colours multiplied by alpha, 2: not
    if number_of(tags, _NEW_SUBFILE_TYPE, 0) & 1:
        raise InputError(f"{name}: starts with a preview (a camera's raw file?); export it as TIFF or JPEG")
    if samples == 2:
        raise InputError(f"{name}: a TIFF of 2 channels; expected grey, RGB or RGBA, save it as RGBA")
    if bits > 8 and samples > 1 and number_of(tags, _PLANAR, 1) == 2:
        raise InputError(f"{name}: a {bits}-bit TIFF stored channel by channel; save it interleaved")
    # The TIFF decoder turns the pixels upright itself, and multiplies 8-bit colours by alpha.
    premultiplied = extra == 1 or (extra == 2 and bits == 8)
    return Contents(data, 1, premultiplied, _metadata(tags, value_of(tags, _ICC), value_of(tags, _XMP)))


def _into_tiff(encoded: memoryview, metadata: Metadata, alpha: bool) -> list[Part]:
    """Append a new directory to a little-endian TIFF; the old one stays in the file, unused."""
    tags = read_block(encoded)
    if metadata.exif:
        tags |= read_block(metadata.exif)
    if metadata.icc:
        tags[_ICC] = (UNDEFINED, metadata.icc)
    if metadata.xmp:
        tags[_XMP] = (BYTE, metadata.xmp)
    if alpha:
        tags[_EXTRA_SAMPLES] = (SHORT, struct.pack("<H", 2))  # not multiplied into the colours
    start = len(encoded) + len(encoded) % 2
    padding = bytes(start - len(encoded))  # a directory starts on an even byte
    return [encoded[:4], struct.pack("<I", start), encoded[8:], padding, write_directory(tags, start)]


def _upright_exif(tags: Directory) -> bytes | None:
    kept = {tag: value for tag, value in tags.items() if tag in _DESCRIPTIVE}
    if not kept:
        return None
    exif = kept.get(EXIF)
    if isinstance(exif, dict):
        kept[EXIF] = {tag: value for tag, value in exif.items() if tag not in (_PIXEL_WIDTH, _PIXEL_HEIGHT)}
    kept[_ORIENTATION] = (SHORT, struct.pack("<H", 1))
    return b"II*\0\x08\0\0\0" + write_directory(kept, 8)
