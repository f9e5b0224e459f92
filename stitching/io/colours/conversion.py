"""Converts pixels from one colour profile to another: 8 bits by Little CMS, 16 bits by matrix and tone curves.

Pillow's Little CMS takes no more than 8 bits.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.io.colours.curves import from_linear, to_linear
from stitching.io.colours.made_profiles import made_profile
from stitching.io.colours.rgb_profile import MatrixProfile, matrix_profile

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

_STRIPE = 1 << 20  # px that are converted at once: their copies are small
_STEPS = 65536  # of the tables of tone curves


def convert_pixels(pixels: NDArray[Any], source: bytes | None, target: bytes | None, name: str) -> None:
    """Change pixels (h, w, 3) BGR, uint8 or uint16, in place: from one profile to another, None = sRGB.

    Perceptual intent. Colours outside of the target's range become the nearest of its range.

    Raises:
        InputError: a profile cannot be used; or it has tables instead of a matrix, and the pixels 16 bits.
    """
    if pixels.dtype == np.uint8:
        transform = _transform(source, "RGB", target, name)
        for rows in _stripes(pixels):
            image = _pillow_image(cv2.cvtColor(rows, cv2.COLOR_BGR2RGB))
            rows[:] = cv2.cvtColor(np.asarray(transform.apply(image)), cv2.COLOR_RGB2BGR)
        return
    profiles = matrix_profile(source), matrix_profile(target)
    if profiles[0] is None or profiles[1] is None:
        raise InputError(
            f"{name}: 16 bits, and a colour profile of tables that differs from that of the other pictures; "
            "expected one of a matrix: convert all pictures to one profile, such as sRGB"
        )
    _convert_by_matrix(pixels, profiles[0], profiles[1])


def inks_to_srgb(image: "Image", profile: bytes, name: str) -> NDArray[np.uint8]:
    """The colours (h, w, 3), BGR of sRGB, of a Pillow picture of mode CMYK by its colour profile.

    Raises:
        InputError: the profile cannot be used.
    """
    transform = _transform(profile, "CMYK", None, name)
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    top = 0
    for rows in _stripes(pixels):
        part = image.crop((0, top, width, top + len(rows)))
        rows[:] = cv2.cvtColor(np.asarray(transform.apply(part)), cv2.COLOR_RGB2BGR)
        top += len(rows)
    return pixels


def _transform(source: bytes | None, mode: str, target: bytes | None, name: str) -> "ImageCmsTransform":
    """Little CMS's way from pixels of a mode of Pillow to RGB."""
    from PIL import ImageCms  # here, since most pictures have the same colours

    try:
        given, wanted = (ImageCms.ImageCmsProfile(BytesIO(icc or made_profile("sRGB"))) for icc in (source, target))
        return ImageCms.ImageCmsTransform(given, wanted, mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        raise InputError(
            f"{name}: its colour profile, or that of the other picture, cannot be used; "
            "convert both to one profile, such as sRGB"
        ) from error


def _pillow_image(rows: NDArray[Any]) -> "Image":
    from PIL import Image

    return Image.fromarray(rows)


def _stripes(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views of some rows each."""
    step = max(1, _STRIPE // pixels.shape[1])
    return (pixels[top : top + step] for top in range(0, len(pixels), step))


def _convert_by_matrix(pixels: NDArray[np.uint16], source: MatrixProfile, target: MatrixProfile) -> None:
    matrix = np.linalg.inv(target.matrix) @ source.matrix
    steps = np.linspace(0, 1, _STEPS)
    linear = [to_linear(curve, steps).astype(np.float32) for curve in source.curves]
    # Tables of the inverse curves by the square root of the light: fine steps where curves are steep.
    tables = [np.round(from_linear(curve, steps**2) * 65535).astype(np.uint16) for curve in target.curves]
    for rows in _stripes(pixels):
        light = np.stack([linear[channel][rows[..., 2 - channel]] for channel in range(3)], axis=-1)
        roots = np.sqrt(np.clip(light @ matrix.T.astype(np.float32), 0, 1))
        places = (roots * (_STEPS - 1) + 0.5).astype(np.uint16)
        for channel in range(3):
            rows[..., 2 - channel] = tables[channel][places[..., channel]]
