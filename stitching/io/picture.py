"""A picture in memory: upright BGR pixels with the metadata of the photograph."""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.geometry.pixel_maps import Coordinates, rescale
from stitching.io.metadata.contents import Metadata
from stitching.lens.lens import Lens

MIN_SIDE, MAX_SIDE = 32, 32766  # px; a smaller picture has nothing to match, cv2.remap takes no larger one
GAIN_LIMITS = 0.3, 3.0  # of the factors that make one picture as bright as another, to find flow between them

PixelArray = NDArray[Any]  # (h, w[, c]) uint8 or uint16
Levels = tuple[int, int]  # 16-bit values that are black and white in a copy of 8 bits


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright photograph.

    Wherever px of a picture are meant, they are those of the picture without the distortion of its lens, which the
    pixels still have: `to_photograph` leads from one to the other.

    Attributes:
        pixels: (h, w, 3) BGR, uint8 or uint16, as the lens drew them.
        valid: (h, w) uint8, 255 where it shows something, else 0; None = everywhere.
        metadata: what is carried over to the panorama.
        name: its path, or what the caller calls an array.
        levels: of 16-bit pixels, see stitching/io/levels.py; None = 0 and 65535, and of 8-bit pixels.
        scale: (x, y), its px per px of the photograph that it is a smaller copy of; of rounded sizes, so they differ.
        lens: that drew it; None = one without distortion or vignetting, or it is not corrected.
        orientation: EXIF orientation by which what the sensor saw was turned upright.
        is_raw: it was developed here from what the sensor saw (RAW), which no camera has corrected.
    """

    pixels: PixelArray
    valid: NDArray[np.uint8] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "array"
    levels: Levels | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    lens: Lens | None = None
    orientation: int = 1
    is_raw: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) in px, without the distortion of its lens."""
        if self.lens is None:
            return self.pixel_size
        (w, h), (x, y) = self.lens.size, self.scale
        return max(1, round(w * x)), max(1, round(h * y))

    @property
    def pixel_size(self) -> tuple[int, int]:
        """(w, h) of its pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def to_photograph(self, points: Coordinates) -> Coordinates:
        """Points (..., 2), px without the distortion of its lens, in px of the photograph; all at full size."""
        return points if self.lens is None else self.lens.to_photograph(points)

    def to_own_px(self, points: Coordinates) -> Coordinates:
        """Points (..., 2), px of the photograph, in px of this copy's pixels."""
        return points if self.scale == (1, 1) else rescale(points, np.asarray(self.scale, points.dtype))


def as_picture(array: Any, name: str = "array", metadata: Metadata | None = None) -> Picture:
    """Take an array (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA, uint8 or uint16, as a picture.

    Grey becomes BGR, alpha of at least half becomes `valid`. Contiguous BGR pixels are not copied.

    Raises:
        InputError: another type or shape, a side out of range, or transparent everywhere.
    """
    array = check_array(array, name)
    metadata = metadata or Metadata()
    check_side((array.shape[1], array.shape[0]), name)
    if array.ndim == 2:
        return Picture(cv2.cvtColor(array, cv2.COLOR_GRAY2BGR), None, metadata, name)
    if array.shape[2] == 3:
        return Picture(array, None, metadata, name)
    opaque = array[..., 3] > white_of(array) // 2
    if not opaque.any():
        raise InputError(f"{name}: transparent everywhere; expected a picture that is opaque, at least in part")
    valid = None if opaque.all() else opaque.astype(np.uint8) * np.uint8(255)
    return Picture(cv2.cvtColor(array, cv2.COLOR_BGRA2BGR), valid, metadata, name)


def check_side(size: tuple[int, int], name: str) -> None:
    """Raise InputError unless both sides of a picture, (w, h) px, are MIN_SIDE to MAX_SIDE."""
    if min(size) < MIN_SIDE:
        raise InputError(f"{name}: {size[0]} x {size[1]} px; both sides must be at least {MIN_SIDE} px")
    if max(size) > MAX_SIDE:
        raise InputError(f"{name}: {size[0]} x {size[1]} px; at most {MAX_SIDE} px a side, make it smaller")


def check_array(array: Any, name: str) -> PixelArray:
    """The array, contiguous, in native byte order, without a single channel's axis; InputError if it is no picture."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: got {type(array).__name__}; expected a path or a numpy array (h, w, 3), BGR")
    if array.dtype.name not in ("uint8", "uint16"):
        hint = ", for values in 0..1 (255 * array).round().astype(np.uint8)" if array.dtype.kind == "f" else ""
        raise InputError(f"{name}: {array.dtype.name} pixels; expected uint8 or uint16{hint}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InputError(f"{name}: shape {array.shape}; expected (h, w), (h, w, 3) BGR or (h, w, 4) BGRA")
    return np.ascontiguousarray(array, dtype=array.dtype.name)


def white_of(array: PixelArray) -> int:
    """The largest value of its dtype, uint8 or uint16."""
    return 255 if array.dtype == np.uint8 else 65535


def has_alpha(array: PixelArray) -> bool:
    """Whether an array (h, w[, c]) has a fourth channel."""
    return array.ndim == 3 and array.shape[2] == 4


def shrink(picture: Picture, scale: float) -> Picture:
    """A copy about `scale` times as wide and high: each pixel is the mean of the valid ones that it covers.

    `valid` becomes the share of these, 0..255; a pixel that covers none is black. From scale 1 on the picture itself.
    """
    if scale >= 1:
        return picture
    w, h = picture.pixel_size
    size = max(1, round(w * scale)), max(1, round(h * scale))
    pixels, valid = picture.pixels, picture.valid
    if valid is None:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    else:
        pixels, valid = _shrink_masked(pixels, valid, size)
    factors = picture.scale[0] * size[0] / w, picture.scale[1] * size[1] / h
    return replace(picture, pixels=pixels, valid=valid, scale=factors)


def _shrink_masked(
    pixels: PixelArray, valid: NDArray[np.uint8], size: tuple[int, int]
) -> tuple[PixelArray, NDArray[np.uint8]]:
    """Shrink colours multiplied by alpha, and divide by it: what is not valid does not bleed in."""
    blanked = cv2.copyTo(pixels, valid)
    colours = cv2.resize(blanked, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(np.multiply(valid, 257, dtype=np.uint16), size, interpolation=cv2.INTER_AREA)
    soft = (share > 0) & (share < 65535)
    restored = colours[soft] * (np.float32(65535) / share[soft])[:, None]
    colours[soft] = np.minimum(restored + 0.5, white_of(pixels))
    return colours, np.asarray(cv2.convertScaleAbs(share, alpha=1 / 257), np.uint8)


def to_8_bit(pixels: PixelArray, levels: Levels | None = None) -> NDArray[np.uint8]:
    """Uint16 pixels with `levels` stretched to 0..255, or their upper eight bits; uint8 pixels as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    if levels is None:
        return (pixels >> 8).astype(np.uint8)
    black, white = levels
    above = np.maximum(pixels, black) - pixels.dtype.type(black) if black else pixels
    return np.asarray(cv2.convertScaleAbs(above, alpha=255 / (white - black)), np.uint8)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) BGR -> (h, w): luma of ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def channel_mean(values: NDArray[Any]) -> NDArray[Any]:
    """(h, w, 3) -> (h, w) of the same dtype: the mean of the channels; that of uint8 is rounded."""
    return cv2.transform(values, np.full((1, 3), 1 / 3, np.float32))
