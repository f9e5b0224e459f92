"""The encodings of pictures that are damaged: a name, the extension, and a function of the pixels."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (h, w, 3) BGR


def _pillow(format_: str, mode: str = "RGB", **settings: Any) -> Callable[[Pixels], bytes]:
    """An encoder of Pillow's, of the pixels in a mode of its."""

    def encode(pixels: Pixels) -> bytes:
        picture = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1])).convert(mode)
        if mode == "RGBA":
            picture.putalpha(Image.fromarray(_alpha(pixels)))
        memory = io.BytesIO()
        picture.save(memory, format_, **settings)
        return memory.getvalue()

    return encode


def _alpha(pixels: Pixels) -> NDArray[np.uint8]:
    """(h, w): a transparent corner."""
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[: len(alpha) // 6, : len(alpha) // 6] = 0
    return alpha


def _rotated_jpeg(pixels: Pixels) -> bytes:
    """Stored turned, with EXIF orientation 6: it is read upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _pillow("JPEG", quality=92, exif=exif)(np.rot90(pixels).copy())


def _with_16_bits(extension: str) -> Callable[[Pixels], bytes]:
    def encode(pixels: Pixels) -> bytes:
        return bytes(cv2.imencode(extension, pixels.astype(np.uint16) * np.uint16(257))[1])

    return encode


def _tiled_tiff(pixels: Pixels) -> bytes:
    memory = io.BytesIO()
    tifffile.imwrite(memory, pixels[..., ::-1], tile=(64, 64), compression="zlib", photometric="rgb")
    return memory.getvalue()


def _interlaced_png(pixels: Pixels) -> bytes:
    """Adam7 (PNG specification, 8.2): seven pictures, each of every so many-th pixel, with filter 0."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = bytearray()
    for top, left, down, right in passes:
        for row in pixels[top::down, left::right, ::-1]:
            rows += b"\0" + row.tobytes()
    height, width = pixels.shape[:2]
    return png_file(width, height, zlib.compress(bytes(rows)), interlaced=True)


def png_file(width: int, height: int, compressed: bytes, interlaced: bool = False) -> bytes:
    """A PNG file of 8-bit RGB with these sizes and this IDAT."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    parts = [(b"IHDR", header), (b"IDAT", compressed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in parts)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


ENCODINGS: dict[str, tuple[str, Callable[[Pixels], bytes]]] = {
    "jpeg": (".jpg", _pillow("JPEG", quality=92)),
    "jpeg-progressive": (".jpg", _pillow("JPEG", quality=92, progressive=True)),
    "jpeg-restart": (".jpg", _pillow("JPEG", quality=92, restart_marker_rows=2)),
    "jpeg-grey": (".jpg", _pillow("JPEG", "L", quality=92)),
    "jpeg-cmyk": (".jpg", _pillow("JPEG", "CMYK", quality=92)),
    "jpeg-rotated": (".jpg", _rotated_jpeg),
    "png": (".png", _pillow("PNG")),
    "png-16": (".png", _with_16_bits(".png")),
    "png-alpha": (".png", _pillow("PNG", "RGBA")),
    "png-palette": (".png", _pillow("PNG", "P")),
    "png-interlaced": (".png", _interlaced_png),
    "tiff": (".tif", _pillow("TIFF")),
    "tiff-lzw": (".tif", _pillow("TIFF", compression="tiff_lzw")),
    "tiff-deflate": (".tif", _pillow("TIFF", compression="tiff_adobe_deflate")),
    "tiff-packbits": (".tif", _pillow("TIFF", compression="packbits")),
    "tiff-16": (".tif", _with_16_bits(".tif")),
    "tiff-tiled": (".tif", _tiled_tiff),
    "tiff-big": (".tif", _pillow("TIFF", big_tiff=True)),
    "webp": (".webp", _pillow("WEBP", quality=90)),
    "webp-lossless": (".webp", _pillow("WEBP", lossless=True)),
    "webp-alpha": (".webp", _pillow("WEBP", "RGBA", quality=90)),
}
