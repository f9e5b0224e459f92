"""Decoders and encoders of picture files."""

import cv2

from stitching.errors import JobError
from stitching.io.codecs.heif_decoder import decode_heif
from stitching.io.codecs.jpeg_decoder import decode_jpeg
from stitching.io.codecs.opencv_decoder import decode_by_opencv
from stitching.io.codecs.pillow_decoder import decode_by_pillow
from stitching.io.codecs.tiff_decoder import decode_tiff
from stitching.io.metadata.formats import HEAD_BYTES, Format, detect_format
from stitching.io.picture import PixelArray

# Full colour resolution in JPEG; PNG as small on photographs as zlib level 1 with all filters, in 2/3 of the time.
_EXTENSIONS_AND_SETTINGS: dict[Format, tuple[str, list[int]]] = {
    "JPEG": (".jpg", [
        cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]),
    "PNG": (".png", [
        cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE,
    ]),
    "TIFF": (".tif", []),  # LZW of differences
    "WebP": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 95]),
}  # fmt: skip


def decode(encoded: bytes, name: str) -> PixelArray:
    """The pixels of a file as stored, with all their channels and bits.

    Raises:
        InputError: the file is damaged, or of a kind that cannot be decoded.
        MemoryError: there is not enough.
    """
    if encoded.startswith(b"\xff\xd8") and (pixels := decode_jpeg(encoded, name)) is not None:
        return pixels
    format_ = detect_format(encoded[:HEAD_BYTES], name)
    if format_ == "HEIF":
        return decode_heif(encoded, name)
    if format_ in ("AVIF", "GIF", "BMP"):
        return decode_by_pillow(encoded, name, format_)
    return decode_tiff(encoded, name) if format_ == "TIFF" else decode_by_opencv(encoded, name)


def encode(array: PixelArray, format_: Format, name: str) -> memoryview:
    """The bytes of a file that holds `array`, (h, w), (h, w, 3) BGR or (h, w, 4) BGRA; JobError where that fails."""
    extension, settings = _EXTENSIONS_AND_SETTINGS[format_]
    try:
        _, encoded = cv2.imencode(extension, array, settings)
    except cv2.error as error:
        raise JobError(f"cannot write {name}: encoding failed ({error.err})") from error
    return encoded.reshape(-1).data  # (bytes,)
