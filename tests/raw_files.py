"""Small DNG files whose colours are known: what a sensor would give for linear sRGB colours."""

import numpy as np
from tifffile import TiffWriter

XYZ_TO_SRGB = np.array([
    [3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252],
])  # fmt: skip
NEUTRAL = 0.5, 1.0, 0.6  # what the sensor gives for white
WHITE = 2**14 - 1
_EXIF_DATE, _MAKE, _MODEL, _ORIENTATION = 306, 271, 272, 274


def srgb(linear):
    """Linear colours 0..1 -> sRGB values of 16 bits (IEC 61966-2-1)."""
    linear = np.asarray(linear)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return 65535 * curved


def patches(size=(96, 64)):
    """(h, w, 3) linear RGB 0..1: six colours in two rows."""
    colours = np.array(
        [(0.5, 0.5, 0.5), (0.6, 0.1, 0.1), (0.1, 0.5, 0.1), (0.1, 0.1, 0.7), (0.2, 0.4, 0.6), (0.9,) * 3]
    )
    return np.kron(colours.reshape(2, 3, 3), np.ones((size[1] // 2, size[0] // 3, 1)))


def write_dng(path, linear, *, light=(1.0, 1.0, 1.0), cfa=True, orientation=1, compression=None, make="Maker"):
    """A DNG of a scene (h, w, 3) of linear RGB under a light (red, green, blue); the camera took that for white.

    cfa: a Bayer pattern, red first; else three values for each pixel, as after demosaicing.
    """
    h = len(linear)
    as_shot = np.array(NEUTRAL) * light
    values = (np.clip(linear * as_shot, 0, 1) * WHITE).round().astype(np.uint16)
    tags = [
        (50706, 1, 4, bytes([1, 4, 0, 0]), True),  # DNG version
        (50708, 2, 0, "Test camera", True),
        (50721, 10, 9, _fractions(np.diag(NEUTRAL) @ XYZ_TO_SRGB), True),  # XYZ -> sensor
        (50728, 5, 3, _fractions(as_shot), True),
        (50778, 3, 1, 21, True),  # that matrix holds for D65
        (50717, 4, 1, WHITE, True),
        (_MAKE, 2, 0, make, True), (_MODEL, 2, 0, "Model", True), (_ORIENTATION, 3, 1, orientation, True),
    ]  # fmt: skip
    if cfa:
        mosaic = values[..., 1].copy()
        mosaic[::2, ::2], mosaic[1::2, 1::2] = values[::2, ::2, 0], values[1::2, 1::2, 2]
        values = mosaic
        tags += [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)]
    with TiffWriter(path) as tiff:
        tiff.write(
            values, photometric=32803 if cfa else 34892, planarconfig=None if cfa else 1, extratags=tags,
            rowsperstrip=h, compression=compression, metadata=None, software=None,
        )  # fmt: skip
    return path


def _fractions(values):
    return [part for value in np.ravel(values) for part in (round(value * 10_000), 10_000)]
