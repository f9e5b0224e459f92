"""Sampling a picture at the positions of a map, without aliasing, and without colours of pixels that are not valid."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, Pixels, Size, inside, remap
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture, PixelArray, white_of
from stitching.lens.lens import LIGHT_STEP

MIN_MAGNIFICATION = 1.3  # with less a picture is not shrunk: that would blur more than it helps
_STEP = 4  # px of the map between the positions whose distance is measured
_TAPS = 2  # px beside a position that cubic interpolation reads


def magnification(map_xy: Field, size: Size, scale: float) -> float:
    """How many px of a picture lie along a canvas px: so many times it is to be shrunk before it is sampled.

    The lower quartile over what the map shows, so that three quarters of it lose no detail.

    Args:
        map_xy: (h, w, 2) grid -> picture px.
        size: (w, h) of the picture.
        scale: px of the grid per canvas px.

    Returns:
        1 where it is less than `MIN_MAGNIFICATION`.
    """
    nodes = map_xy[::_STEP, ::_STEP]
    shown = inside(nodes, size)
    shown = shown[:-1, :-1] & shown[:-1, 1:] & shown[1:, :-1]
    corner = nodes[:-1, :-1][shown]  # (n, 2)
    across, down = nodes[:-1, 1:][shown] - corner, nodes[1:, :-1][shown] - corner
    if len(corner) == 0:
        return 1.0
    areas = np.abs(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0])  # of cells of _STEP x _STEP px
    found = float(np.sqrt(np.percentile(areas, 25))) / _STEP * scale
    return found if found > MIN_MAGNIFICATION else 1.0


def sample(picture: Picture, map_xy: Field, interpolation: int = cv2.INTER_LINEAR) -> tuple[Pixels, Mask]:
    """A picture at the positions `map_xy` (h, w, 2), px of the photograph (see `Picture.to_photograph`), as bright as
    its lens would draw it without vignetting.

    Returns:
        (h, w, 3) in the picture's dtype, and (h, w) where it has valid pixels; elsewhere the colours mean nothing.
    """
    pixels, valid = _sample_drawn(picture, picture.to_own_px(map_xy), interpolation)
    gains = None if picture.lens is None else picture.lens.gains
    if gains is None:
        return pixels, valid
    gain = remap(gains, map_xy / np.float32(LIGHT_STEP))
    brightened = np.rint(pixels * gain[..., None])
    return np.minimum(brightened, white_of(pixels)).astype(pixels.dtype), valid


def _sample_drawn(picture: Picture, own: Field, interpolation: int) -> tuple[Pixels, Mask]:
    """The pixels as the lens drew them at positions `own` (h, w, 2), px of the pixels, and where they are valid."""
    valid = inside(own, picture.pixel_size)
    if picture.valid is None:
        return remap(picture.pixels, own, interpolation), valid
    area = _area_read(own[valid], picture.pixel_size)
    if area.is_empty or picture.valid[area.slices].min() > 127:
        return remap(picture.pixels, own, interpolation), valid
    valid &= remap(picture.valid, own) > 127
    filled = _with_rim(picture.pixels[area.slices], picture.valid[area.slices])
    return remap(filled, own - np.asarray(area.origin, np.float32), interpolation), valid


def _area_read(positions: NDArray[np.float32], size: Size) -> Rectangle:
    """What is read of a picture (w, h) to sample it at (n, 2) positions, and to know the colours around that."""
    if len(positions) == 0:
        return Rectangle(0, 0, 0, 0)
    # OpenCV is many times as fast as numpy along the long axis.
    left, top = np.floor(cv2.reduce(positions, 0, cv2.REDUCE_MIN)[0]).astype(int).tolist()
    right, bottom = np.floor(cv2.reduce(positions, 0, cv2.REDUCE_MAX)[0]).astype(int).tolist()
    return Rectangle(left, top, right + 1, bottom + 1).grown(2 * _TAPS).intersect(Rectangle(0, 0, *size))


def _with_rim(pixels: PixelArray, valid: NDArray[np.uint8]) -> PixelArray:
    """The pixels (h, w, 3); those not valid get the mean of the valid ones (h, w) that are at most `_TAPS` px away."""
    known = valid > 127
    window = 2 * _TAPS + 1, 2 * _TAPS + 1

    def total(values: NDArray[np.float32]) -> NDArray[np.float32]:
        summed = cv2.boxFilter(values, -1, window, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(summed, np.float32)

    count = total(known.astype(np.float32))
    colours = total(cv2.copyTo(pixels, known.view(np.uint8)).astype(np.float32))
    rim = ~known & (count > 0.5)
    filled = pixels.copy()
    filled[rim] = np.rint(colours[rim] / count[rim][:, None])
    return filled
