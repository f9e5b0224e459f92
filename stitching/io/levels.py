"""Pictures of 16 bits that use a small part of the range, as those of satellites, thermal cameras and microscopes do.

Their upper eight bits show next to nothing. So whatever needs 8 bits - matching, warp, seam, gain, what is looked at -
gets a copy in which the values that the pair has are stretched to 0..255; both pictures in the same way, so that their
brightness can be compared. The panorama is made from the original values.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from stitching.io.picture import Levels, Picture, white_of

TAIL = 0.1  # percent of the pixels that may be darker than black, and as many brighter than white: glints, dead pixels
MAX_RANGE = 65536 // 4  # a pair that has more values is shown as it is: photographs, dark ones too, look as they are
MIN_RANGE = 255  # fewer values are not stretched further: their noise would look like detail
_MAX_SAMPLES = 1e6  # px that are looked at


def find_levels(*pictures: Picture) -> Levels | None:
    """What is black and white in 8-bit copies of pictures that have one scale of values; None for those of 8 bits.

    White is the highest of their valid pixels' values, `TAIL` left out. Black is 0, so that a gain stays a gain, or the
    lowest value where more than half of the grey levels would be empty. None where that is more than `MAX_RANGE`.
    """
    if any(picture.pixels.dtype == np.uint8 for picture in pictures):
        return None
    return levels_of([value_range(picture) for picture in pictures])


def levels_of(ranges: Sequence[tuple[float, float]]) -> Levels | None:
    """The levels of 16-bit pictures whose `value_range` is known; see `find_levels`."""
    lows, highs = zip(*ranges, strict=True)
    lowest, white = math.floor(min(lows)), math.ceil(max(highs))
    black = lowest if 2 * lowest > white else 0
    if white - black > MAX_RANGE:
        return None
    black = min(black, 65535 - MIN_RANGE)
    return black, max(white, black + MIN_RANGE)


def pair_levels(first: Picture, second: Picture) -> tuple[Levels | None, Levels | None]:
    """The levels of two pictures: the same where both have 16 bits, for then they have one scale of values."""
    if first.pixels.dtype == second.pixels.dtype:
        return (find_levels(first, second),) * 2
    return find_levels(first), find_levels(second)


def to_levels(picture: Picture, levels: Levels | None) -> Picture:
    """A picture with 16 bits whose black and white are `levels`; the values in between stay in proportion."""
    pixels = picture.pixels
    if pixels.dtype == np.uint16 and picture.levels == levels:
        return picture
    black, white = levels or (0, 65535)
    old_black, old_white = picture.levels or (0, white_of(pixels))
    above = np.maximum(pixels, old_black) - pixels.dtype.type(old_black) if old_black else pixels
    factor = (white - black) / (old_white - old_black)
    scaled = cv2.multiply(above, (factor,) * 4, dtype=cv2.CV_16U)  # type: ignore[call-overload]  # rounds, cuts off
    return replace(picture, pixels=np.add(scaled, black, dtype=np.uint16), levels=levels)


def value_range(picture: Picture) -> tuple[float, float]:
    """The lowest and the highest of the valid pixels' values, `TAIL` of them left out at each end."""
    step = max(1, int(math.sqrt(math.prod(picture.pixel_size) / _MAX_SAMPLES)))
    values = picture.pixels[::step, ::step]
    if picture.valid is not None:
        valid = picture.valid[::step, ::step] > 127
        values = values[valid] if valid.any() else values
    low, high = np.percentile(values, [TAIL, 100 - TAIL])
    return float(low), float(high)
