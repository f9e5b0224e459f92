"""Recognises the format of a picture file, parses it and embeds metadata in it."""

from typing import Literal

from stitching.errors import InputError
from stitching.io.metadata import heif, jpeg, pillow_formats, png, tiff, webp
from stitching.io.metadata.contents import Contents, Metadata, Part
from stitching.io.raw import develop
from stitching.io.raw.recognition import begins_as_raw, is_raw

Format = Literal["JPEG", "PNG", "TIFF", "WebP"]  # those that are written, too
ReadFormat = Literal["JPEG", "PNG", "TIFF", "WebP", "HEIF", "AVIF", "GIF", "BMP", "RAW"]

READ_FORMATS = "JPEG, PNG, TIFF, WebP, HEIC, AVIF, GIF, BMP or RAW"  # for messages
HEAD_BYTES = 64  # of a file that `detect_format` looks at
_HEIF_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),  # HEVC, pictures and sequences
    *(b"heif", b"mif1", b"mif2", b"msf1"),  # any coding
}
_OTHER_KINDS = {  # how files start that people may take for pictures that can be read
    b"\0\0\0\x0cjP  ": "JPEG 2000", b"\xffO\xffQ": "JPEG 2000", b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL",
    b"8BPS": "Photoshop", b"%PDF": "PDF", b"<svg": "SVG", b"v/1\1": "OpenEXR", b"#?RADIANCE": "Radiance HDR",
    b"P1": "PBM", b"P2": "PGM", b"P3": "PPM", b"P4": "PBM", b"P5": "PGM", b"P6": "PPM",
}  # fmt: skip


def detect_format(head: bytes, name: str) -> ReadFormat:
    """The format that the first `HEAD_BYTES` of a file show; InputError for any other.

    Many RAW files begin as a TIFF, and are one here: `parse_picture` looks at their tags.
    """
    starts: dict[ReadFormat, tuple[bytes, ...]] = {
        "JPEG": (b"\xff\xd8\xff",),
        "PNG": (b"\x89PNG\r\n\x1a\n",),
        "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        "GIF": (b"GIF87a", b"GIF89a"),
    }
    for format_, beginnings in starts.items():
        if head.startswith(beginnings):
            return format_
    if begins_as_raw(head):
        return "RAW"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith(b"BM") and head[6:10] == bytes(4):  # two reserved fields
        return "BMP"
    if head[4:8] == b"ftyp":
        if _brands(head) & {b"avif", b"avis"}:
            return "AVIF"
        if head[8:12] in _HEIF_BRANDS:
            return "HEIF"
    known = next((kind for start, kind in _OTHER_KINDS.items() if head.startswith(start)), None)
    found = f"a {known} file" if known else f"starts with {head[:12]!r}"
    raise InputError(f"{name}: {found}; expected a {READ_FORMATS} picture, convert it")


def _brands(head: bytes) -> set[bytes]:
    """The brands that an ISO file says it fits (ISO/IEC 14496-12, section 4.3)."""
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[at : at + 4] for at in (8, *range(16, end - 3, 4))}


def parse_picture(data: bytes, name: str) -> Contents:
    """Take a picture file apart.

    Raises:
        InputError: the file is of another format, cut short, of a kind that would be decoded wrongly, or needs a
            package that is not installed.
    """
    format_ = detect_format(data[:HEAD_BYTES], name)
    if format_ == "RAW" or (format_ == "TIFF" and is_raw(data)):
        return develop.parse(data, name)
    if format_ in ("AVIF", "GIF", "BMP"):
        return pillow_formats.parse(data, name, format_)
    parsers = {"JPEG": jpeg.parse, "PNG": png.parse, "TIFF": tiff.parse, "WebP": webp.parse, "HEIF": heif.parse}
    return parsers[format_](data, name)


def embed_metadata(
    encoded: memoryview, format_: Format, metadata: Metadata, size: tuple[int, int], alpha: bool
) -> list[Part]:
    """What `cv2.imencode` made of a picture of `size` (w, h), with metadata, as parts to write one after the other.

    An EXIF block or XMP packet that decoders would refuse is left out: above 64 kB in a JPEG, above 4 MiB in a PNG.
    `alpha`: whether the last channel is alpha, which a TIFF has to say and OpenCV does not.
    """
    if format_ == "JPEG":
        return jpeg.embed(encoded, metadata)
    if format_ == "PNG":
        return png.embed(encoded, metadata)
    if format_ == "WebP":
        return webp.embed(encoded, metadata, size)
    return tiff.embed(encoded, metadata, alpha)
