"""A window of a panorama, which passes over the right end to the left one where the panorama shows a whole turn."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask, Pixels, Size
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import PixelArray


@dataclass(frozen=True)
class PanoramaWindow:
    """Columns and rows of a panorama.

    Attributes:
        area: px of the panorama; columns beyond its ends are those at the other end.
        width: of the panorama, px.
    """

    area: Rectangle
    width: int

    def copy_of(self, panorama: PixelArray) -> PixelArray:
        """What a panorama (H, W[, c]) shows here, (h, w[, c])."""
        rows = slice(self.area.top, self.area.bottom)
        return np.concatenate([panorama[rows, here] for _, here in self._runs(self.area)], axis=1)

    def draw(self, pixels: Pixels, valid: Mask, part: Rectangle, panorama: Pixels, alpha: NDArray[np.uint8]) -> None:
        """Draw pixels (h, w, 3), where they are valid (h, w), into a part of the window; alpha becomes 255 there."""
        place = part.translated(*self.area.origin)
        rows = slice(place.top, place.bottom)
        for there, here in self._runs(place):
            shown = np.ascontiguousarray(valid[:, there]).view(np.uint8)
            cv2.copyTo(pixels[:, there], shown, panorama[rows, here])
            np.maximum(alpha[rows, here], shown * np.uint8(255), out=alpha[rows, here])

    def _runs(self, place: Rectangle) -> Iterator[tuple[slice, slice]]:
        """Columns of a place, counted from its left, and those of the panorama that they are."""
        start = place.left
        while start < place.right:
            turn = start // self.width * self.width
            stop = min(place.right, turn + self.width)
            yield slice(start - place.left, stop - place.left), slice(start - turn, stop - turn)
            start = stop


def window_around(area: Rectangle, margin: int, size: Size, *, wraps: bool) -> PanoramaWindow:
    """A window `margin` px larger on each side than an area of a panorama of `size`, as far as that goes."""
    w, h = size
    grown = area.grown(margin)
    left, right = max(grown.left, 0), min(grown.right, w)
    if wraps:  # no column twice
        width = min(area.size[0], w)
        spare = w - width
        left, right = area.left - min(margin, spare // 2), area.left + width + min(margin, spare - spare // 2)
    return PanoramaWindow(Rectangle(left, max(grown.top, 0), right, min(grown.bottom, h)), w)
