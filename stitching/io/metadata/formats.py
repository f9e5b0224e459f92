"""Recognises the format of a picture file, parses it and embeds metadata in it."""

from typing import Literal

from stitching.errors import InputError
from stitching.io.metadata import jpeg, png, tiff, webp
from stitching.io.metadata.contents import Contents, Metadata, Part

Format = Literal["JPEG", "PNG", "TIFF", "WebP"]


def detect_format(head: bytes, name: str) -> Format:
    """The format that the first 12 bytes of a file show; InputError for any other."""
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


def parse_picture(data: bytes, name: str) -> Contents:
    """Take a JPEG, PNG, TIFF or WebP file apart.

    Raises:
        InputError: the file is of another format, cut short, or of a kind that OpenCV would decode wrongly.
    """
    parsers = {"JPEG": jpeg.parse, "PNG": png.parse, "TIFF": tiff.parse, "WebP": webp.parse}
    return parsers[detect_format(data[:12], name)](data, name)


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
