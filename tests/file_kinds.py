"""Files of every kind that people bring, made from one photograph: for the table of formats and its benchmark."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from colour_profiles import cmyk_profile
from PIL import Image
from raw_files import write_dng
from tifffile import imwrite

from stitching.io.colours.made_profiles import made_profile

HEIC = Path(__file__).parent / "data" / "heic"
_EXIF, _MAKE, _INTEROPERABILITY, _COLOUR_SPACE = 0x8769, 0x010F, 0xA005, 0xA001

Make = Callable[[Any], bytes]  # (h, w, 3) uint8 RGB -> the file


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        name: as the table calls it.
        extension: of such files.
        make: a file of an RGB photograph; a stored file where nothing here can write it.
        made: whether it shows the photograph.
    """

    name: str
    extension: str
    make: Make
    made: bool = True


def _exif(adobe_rgb: bool = False) -> Image.Exif:
    exif = Image.Exif()
    exif[_MAKE] = "Maker"
    if adobe_rgb:
        exif[_EXIF] = {_COLOUR_SPACE: 65535, _INTEROPERABILITY: {1: "R03"}}
    return exif


def _by_pillow(format_: str, mode: str = "RGB", **settings: Any) -> Make:
    def make(rgb: Any) -> bytes:
        image, memory = Image.fromarray(rgb).convert(mode), BytesIO()
        keeps_exif = format_ in ("JPEG", "PNG", "WEBP", "AVIF", "MPO", "TIFF")
        image.save(memory, format_, **({"exif": _exif()} if keeps_exif else {}) | settings)
        return memory.getvalue()

    return make


def _animated(format_: str) -> Make:
    def make(rgb: Any) -> bytes:
        first, memory = Image.fromarray(rgb), BytesIO()
        first.save(memory, format_, save_all=True, append_images=[Image.fromarray(255 - rgb)], quality=95)
        return memory.getvalue()

    return make


def _by_opencv(extension: str, change: Callable[[Any], Any]) -> Make:
    return lambda rgb: cv2.imencode(extension, change(np.ascontiguousarray(rgb[..., ::-1])))[1].tobytes()


def _by_tifffile(change: Callable[[Any], Any] = lambda rgb: rgb, **settings: Any) -> Make:
    def make(rgb: Any) -> bytes:
        memory = BytesIO()
        given: dict[str, Any] = {"photometric": "rgb", "metadata": None, "extratags": [(_MAKE, 2, 0, "Maker", True)]}
        imwrite(memory, change(rgb), **given | settings)
        return memory.getvalue()

    return make


def _inks(**settings: Any) -> Make:
    """Inks whose colours are those of the photograph without a profile."""
    return _by_pillow("JPEG", "CMYK", quality=95, **settings)


def _jpeg_of_12_bits(rgb: Any) -> bytes:
    """Only its header says so: nothing here writes one."""
    content = bytearray(_by_pillow("JPEG", quality=95)(rgb))
    frame = content.index(b"\xff\xc0")
    content[frame + 1], content[frame + 4] = 0xC1, 12
    return bytes(content)


def _dng(**settings: Any) -> Make:
    def make(rgb: Any) -> bytes:
        values = rgb / 255
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        memory = BytesIO()
        write_dng(memory, linear, **settings)
        return memory.getvalue()

    return make


def _deep(rgb: Any) -> Any:
    return rgb.astype(np.uint16) * 257


def _with_alpha(bgr: Any) -> Any:
    """The upper left corner is transparent."""
    alpha = np.full(bgr.shape[:2], 65535, np.uint16)
    alpha[: len(alpha) // 4, : alpha.shape[1] // 4] = 0
    return np.dstack([_deep(bgr), alpha])


def _lab(rgb: Any) -> Any:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)


def _planes(rgb: Any) -> Any:
    return np.ascontiguousarray(_deep(rgb).transpose(2, 0, 1))


def _stored(name: str) -> Make:
    return lambda _: (HEIC / f"{name}.heic").read_bytes()


def _beginning(head: bytes) -> Make:
    return lambda _: head.ljust(5000, b"\1")


def _grey_and_alpha(rgb: Any) -> Any:
    return np.dstack([cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), _with_alpha(rgb)[..., 3].astype(np.uint8)])


_ALPHA = {"photometric": "minisblack", "extrasamples": ["unassalpha"], "planarconfig": "contig"}
KINDS = (
    Kind("JPEG", ".jpg", _by_pillow("JPEG", quality=95)),
    Kind("JPEG, progressive", ".jpg", _by_pillow("JPEG", quality=95, progressive=True)),
    Kind("JPEG, grey", ".jpg", _by_pillow("JPEG", "L", quality=95)),
    Kind("JPEG, Adobe RGB", ".jpg", _by_pillow("JPEG", quality=95, icc_profile=made_profile("Adobe RGB"))),
    Kind("JPEG, Adobe RGB by EXIF alone", ".jpg", _by_pillow("JPEG", quality=95, exif=_exif(adobe_rgb=True))),
    Kind("JPEG, Display P3", ".jpg", _by_pillow("JPEG", quality=95, icc_profile=made_profile("Display P3"))),
    Kind("JPEG, CMYK", ".jpg", _inks()),
    Kind("JPEG, CMYK with its profile", ".jpg", _inks(icc_profile=cmyk_profile())),
    Kind("JPEG of 12 bits", ".jpg", _jpeg_of_12_bits),
    Kind("MPO, several JPEGs", ".mpo", _animated("MPO")),
    Kind("PNG", ".png", _by_pillow("PNG")),
    Kind("PNG, palette", ".png", _by_pillow("PNG", "P")),
    Kind("PNG, 1 bit", ".png", _by_pillow("PNG", "1")),
    Kind("PNG, grey and alpha", ".png", _by_pillow("PNG", "LA")),
    Kind("PNG, 16 bits and alpha", ".png", _by_opencv(".png", _with_alpha)),
    Kind("PNG, animated", ".png", _animated("PNG")),
    Kind("WebP", ".webp", _by_pillow("WEBP", quality=95)),
    Kind("WebP, animated", ".webp", _animated("WEBP")),
    Kind("GIF", ".gif", _by_pillow("GIF")),
    Kind("BMP", ".bmp", _by_pillow("BMP")),
    Kind("HEIC, 8 bits, Display P3", ".heic", _stored("p3"), made=False),
    Kind("HEIC, 10 bits", ".heic", _stored("ten_bit"), made=False),
    Kind("AVIF", ".avif", _by_pillow("AVIF", quality=95)),
    Kind("TIFF", ".tif", _by_tifffile()),
    Kind("TIFF, 16 bits, Deflate", ".tif", _by_tifffile(_deep, compression="zlib", predictor=True)),
    Kind("TIFF, JPEG", ".tif", _by_pillow("TIFF", compression="jpeg")),
    Kind("TIFF, BigTIFF of tiles", ".tif", _by_tifffile(bigtiff=True, tile=(64, 64))),
    Kind("TIFF, 16 bits by channel", ".tif", _by_tifffile(_planes, planarconfig="separate")),
    Kind("TIFF, grey and alpha", ".tif", _by_tifffile(_grey_and_alpha, **_ALPHA)),
    Kind("TIFF, floats of 0 to 1", ".tif", _by_tifffile(lambda rgb: (rgb / 255).astype(np.float32))),
    Kind("TIFF, floats beyond", ".tif", _by_tifffile(lambda rgb: rgb.astype(np.float32))),
    Kind("TIFF, 32 bits", ".tif", _by_tifffile(lambda rgb: rgb.astype(np.uint32) << 24)),
    Kind("TIFF, ZSTD", ".tif", _by_pillow("TIFF", compression="zstd")),
    Kind("TIFF, LZMA", ".tif", _by_tifffile(compression="lzma")),
    Kind("TIFF, Lab", ".tif", _by_tifffile(_lab, photometric="icclab")),
    Kind("TIFF, CMYK", ".tif", _by_pillow("TIFF", "CMYK")),
    Kind("DNG, mosaic", ".dng", _dng()),
    Kind("DNG, demosaiced", ".dng", _dng(cfa=False)),
    Kind("JPEG 2000", ".jp2", _by_pillow("JPEG2000")),
    Kind("JPEG XL", ".jxl", _beginning(b"\0\0\0\x0cJXL \r\n\x87\n"), made=False),
    Kind("Photoshop", ".psd", _beginning(b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 100, 100, 8, 3)), made=False),
)
