"""A picture in memory: upright BGR pixels with the metadata of the photograph."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.io.metadata.contents import Metadata

MIN_SIDE, MAX_SIDE = 32, 32766  # px; a smaller picture has nothing to match, cv2.remap takes no larger one
GAIN_LIMITS = 0.3, 3.0  # of the factors that make one picture as bright as another, to find flow between them

PixelArray = NDArray[Any]  # (h, w[, c]) uint8 or uint16


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright photograph.

    Attributes:
        pixels: (h, w, 3) BGR, uint8 or uint16.
        valid: (h, w) uint8, 255 where it shows something, else 0; None = everywhere.
        metadata: what is carried over to the panorama.
        name: its path, or what the caller calls an array.
    """

    pixels: PixelArray
    valid: NDArray[np.uint8] | None = None
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "array"

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) in px."""
        return self.pixels.shape[1], self.pixels.shape[0]


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
    """A copy `scale` times as wide and high, averaged over the pixels it covers; the picture itself from scale 1 on."""
    if scale >= 1:
        return picture
    size = max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale))
    pixels = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    valid = picture.valid
    if valid is not None:
        valid = np.asarray(cv2.resize(valid, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(pixels, valid, picture.metadata, picture.name)


def to_8_bit(pixels: PixelArray) -> NDArray[np.uint8]:
    """The upper eight bits of uint16 pixels; uint8 pixels as they are."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) BGR -> (h, w): luma of ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def channel_mean(values: NDArray[Any]) -> NDArray[Any]:
    """(h, w, 3) -> (h, w) of the same dtype: the mean of the channels; that of uint8 is rounded."""
    return cv2.transform(values, np.full((1, 3), 1 / 3, np.float32))
