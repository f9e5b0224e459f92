"""Decodes TIFF files: the common kinds by OpenCV, others by tifffile (extra `[formats]`) or Pillow."""

import warnings
from io import BytesIO

import numpy as np

from stitching.errors import InputError
from stitching.io.codecs.opencv_decoder import decode_by_opencv
from stitching.io.codecs.pillow_decoder import to_bgr
from stitching.io.codecs.quiet import silent_stderr
from stitching.io.codecs.tiff_check import check_tiff
from stitching.io.metadata.contents import damaged, decoder_error
from stitching.io.metadata.tiff_pixels import WHITE_IS_ZERO, TiffPixels
from stitching.io.picture import PixelArray, white_of

_MOST_OUTSIDE = 0.01  # share of the values of a float TIFF that may lie outside of 0..1: glints, sharpened edges


def decode_tiff(encoded: bytes, name: str) -> PixelArray:
    """The pixels of the first picture: (h, w), (h, w, 3) BGR or (h, w, 4) BGRA; floats become 16 bits.

    OpenCV and Pillow turn them upright, tifffile does not.

    Raises:
        InputError: the file is damaged or of a kind that nothing here decodes, floats lie outside of 0..1, or tifffile
            is needed and not installed.
        MemoryError: there is not enough.
    """
    pixels = check_tiff(encoded, name)
    decoders = {"OpenCV": decode_by_opencv, "Pillow": _by_pillow}
    if pixels.decoder == "tifffile":
        array = _by_tifffile(encoded, name, pixels)
    else:
        array = decoders[pixels.decoder](encoded, name)
    if array.dtype.kind == "f":
        array = _to_16_bits(array, name)
    as_stored = array.dtype == np.uint16 or (array.dtype == np.uint8 and pixels.decoder == "tifffile")
    if pixels.photometric == WHITE_IS_ZERO and as_stored:
        grey = array if array.ndim == 2 else array[..., :3]
        np.subtract(white_of(array), grey, out=grey)
    return array


def _by_tifffile(encoded: bytes, name: str, pixels: TiffPixels) -> PixelArray:
    """What OpenCV does not decode: values stored channel by channel, alpha of grey, more channels, 16-bit floats."""
    try:
        from tifffile import TiffFile  # here, since few pictures need it: 0.2 s
    except ImportError as error:
        raise InputError(
            f"{name}: a TIFF of a rare kind; to read it: pip install 'parastitch[formats]', or save it as a plain TIFF"
        ) from error
    (width, height), samples = pixels.size, pixels.samples
    by_channel = pixels.planar and samples > 1
    shape = (height, width, samples) if samples > 1 else (height, width)
    if by_channel:
        shape = samples, height, width
    try:
        with silent_stderr(), TiffFile(BytesIO(encoded)) as file:
            page = file.pages.first
            array = page.asarray(maxworkers=1) if page.shape == shape else None
    except Exception as error:
        raise decoder_error(error, name, "TIFF") from error
    if array is None or array.shape != shape:  # damaged tags, taken in another way than here, or those of a volume
        raise damaged(name, "TIFF")
    if by_channel:
        array = array.transpose(1, 2, 0)  # (samples, h, w) -> (h, w, samples)
    if array.ndim == 2:
        return array
    colours = 3 if pixels.samples >= 3 else 1
    if not pixels.has_alpha:
        return np.ascontiguousarray(array[..., 0] if colours == 1 else array[..., 2::-1])
    order = [2, 1, 0, 3] if colours == 3 else [0, 0, 0, 1]
    return np.ascontiguousarray(array[..., order])


def _by_pillow(encoded: bytes, name: str) -> PixelArray:
    """What is compressed in a way that only Pillow's libtiff knows."""
    from PIL.TiffImagePlugin import TiffImageFile  # here, since most pictures are no TIFF: 20 ms

    try:
        with silent_stderr(), warnings.catch_warnings(action="ignore"), TiffImageFile(BytesIO(encoded)) as image:
            array = np.array(image)
    except Exception as error:
        raise decoder_error(error, name, "TIFF") from error
    return to_bgr(array)


def _to_16_bits(values: PixelArray, name: str) -> PixelArray:
    """Floats 0..1 as 0..65535; InputError where more than `_MOST_OUTSIDE` of them lie elsewhere, or are none."""
    blocks = -(-len(values) // 64)  # so that few copies exist at once
    inside = sum(int(((part >= 0) & (part <= 1)).sum()) for part in np.array_split(values, blocks))
    if inside < (1 - _MOST_OUTSIDE) * values.size:
        raise InputError(
            f"{name}: a TIFF of {values.dtype.name} whose values go from {np.min(values):g} to {np.max(values):g}; "
            "expected 0 to 1: save it with 16 bits"
        )
    result = np.empty(values.shape, np.uint16)
    for part, target in zip(np.array_split(values, blocks), np.array_split(result, blocks), strict=True):
        target[...] = np.clip(np.nan_to_num(part.astype(np.float32)), 0, 1) * np.float32(65535) + np.float32(0.5)
    return result
