"""Writing picture files, completely or not at all."""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.io.codecs.codec import encode
from stitching.io.files import AnyPath, atomic_write, check_writable
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.formats import Format, embed_metadata
from stitching.io.picture import Levels, PixelArray, check_array, has_alpha, to_8_bit

_FORMATS: dict[str, Format] = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WebP",
}  # fmt: skip
_MAX_SIDE: dict[Format, int] = {"JPEG": 65500, "WebP": 16383}  # px, limits of the formats
_8_BIT_FORMATS = "JPEG", "WebP"


def check_output(path: AnyPath, size: tuple[int, int] | None = None) -> None:
    """Raise InputError where no picture of `size` (w, h) can be written at `path`; ask before the work."""
    format_ = _format_of(path)
    limit = _MAX_SIDE.get(format_)
    if size is not None and limit is not None and max(size) > limit:
        raise InputError(
            f"cannot write {os.fspath(path)}: {size[0]} x {size[1]} px; "
            f"{format_} holds at most {limit} px a side, use .png or .tif"
        )
    check_writable(path)


def write_picture(
    path: AnyPath,
    pixels: PixelArray,
    alpha: NDArray[np.uint8] | None = None,
    metadata: Metadata | None = None,
    background: tuple[int, int, int] = (0, 0, 0),
    levels: Levels | None = None,
) -> None:
    """Write a picture in the format that the extension names. The same input gives the same bytes.

    PNG and TIFF are lossless and keep 16 bits. JPEG (quality 95, full colour resolution) and WebP (quality 95) hold
    8 bits and are lossy.

    Args:
        path: .jpg, .jpeg, .png, .tif, .tiff or .webp.
        pixels: (h, w, 3) BGR or (h, w) grey, uint8 or uint16.
        alpha: (h, w) uint8, 255 = opaque. Where all is opaque no alpha channel is written.
        metadata: put into every format; the colour profile, which is RGB, is left out of grey pictures.
        background: BGR, 0..255; JPEG has no alpha channel, so its pixels are blended with this colour.
        levels: of 16-bit pixels, black and white where the format holds 8 bits; None = 0 and 65535.

    Raises:
        InputError: as `check_output`, or the arrays do not fit together.
        JobError: writing failed. Then no new file is left, and an older one is unchanged.
    """
    array = check_array(pixels, "pixels to write")
    if has_alpha(array):
        raise InputError("pixels to write: 4 channels; expected BGR, pass the fourth as alpha")
    size = array.shape[1], array.shape[0]
    check_output(path, size)
    format_ = _format_of(path)
    metadata = metadata or Metadata()
    if array.ndim == 2:
        metadata = Metadata(exif=metadata.exif, xmp=metadata.xmp)
    if format_ in _8_BIT_FORMATS and array.dtype == np.uint16:
        array = to_8_bit(array, levels or (0, 65535))
    if alpha is not None:
        array = _with_alpha(array, alpha, background, format_)
    encoded = encode(array, format_, os.fspath(path))
    parts = embed_metadata(encoded, format_, metadata, size, alpha=has_alpha(array))
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


def _format_of(path: AnyPath) -> Format:
    suffix = Path(path).suffix
    if suffix.lower() not in _FORMATS:
        raise InputError(f"cannot write {os.fspath(path)}: extension {suffix!r}; expected {' '.join(_FORMATS)}")
    return _FORMATS[suffix.lower()]


def _with_alpha(
    array: PixelArray, alpha: NDArray[np.uint8], background: tuple[int, int, int], format_: Format
) -> PixelArray:
    """The array with alpha as a fourth channel, or blended with the background; as it is where all is opaque."""
    if alpha.shape != array.shape[:2] or alpha.dtype != np.uint8:
        raise InputError(f"alpha: {alpha.shape} {alpha.dtype}; expected {array.shape[:2]} uint8, as the pixels")
    if alpha.min() == 255:
        return array
    colour = cv2.cvtColor(array, cv2.COLOR_GRAY2BGR) if array.ndim == 2 else array
    if format_ == "JPEG":
        return _blended(colour, alpha, background)
    with_alpha = cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA)
    with_alpha[..., 3] = alpha if array.dtype == np.uint8 else alpha.astype(np.uint16) * np.uint16(257)
    return with_alpha


def _blended(colour: PixelArray, alpha: NDArray[np.uint8], background: tuple[int, int, int]) -> PixelArray:
    blended = colour.copy()
    blocks = -(-len(alpha) // 64)  # so that few floats exist at once
    for pixels, opacity in zip(np.array_split(blended, blocks), np.array_split(alpha, blocks), strict=True):
        soft = opacity < 255
        share = opacity[soft, None] / np.float32(255)
        pixels[soft] = (pixels[soft] * share + np.asarray(background, np.float32) * (1 - share)).round()
    return blended
