"""The panorama so far, at the working size: what the next picture is warped onto."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Mask, Size
from stitching.geometry.rectangles import Rectangle

MAX_AREA, MAX_WINDOWS = 40e6, 24e6  # px of the working canvas, and of all windows, which take 34 bytes each


@dataclass(frozen=True, eq=False)
class WorkingMosaic:
    """The pictures placed so far. Its arrays are drawn on, picture after picture.

    Where the canvas wraps, columns go on at the other end: windows may reach beyond the right one.

    Attributes:
        canvas: that it shows.
        scale: working px per canvas px.
        pixels: (h, w, 3) uint8 BGR, with gain.
        valid: (h, w), where one of the pictures has pixels.
        labels: (h, w) int16, number of the picture that is shown, -1 = none.
    """

    canvas: Canvas
    scale: float
    pixels: NDArray[np.uint8]
    valid: Mask
    labels: NDArray[np.int16]

    @staticmethod
    def empty(canvas: Canvas, scale: float) -> "WorkingMosaic":
        """Without any picture."""
        w, h = max(1, round(canvas.size[0] * scale)), max(1, round(canvas.size[1] * scale))
        labels = np.full((h, w), -1, np.int16)
        return WorkingMosaic(canvas, scale, np.zeros((h, w, 3), np.uint8), np.zeros((h, w), bool), labels)

    @cached_property
    def size(self) -> Size:
        """(w, h), working px."""
        return self.valid.shape[1], self.valid.shape[0]

    def window(self, part: Rectangle) -> Rectangle:
        """The working px that show a part of the canvas, canvas px, and lie on the canvas."""
        width, height = self.size
        left, top = int(np.floor(part.left * self.scale)), int(np.floor(part.top * self.scale))
        right, bottom = int(np.ceil(part.right * self.scale)), int(np.ceil(part.bottom * self.scale))
        if not self.canvas.wraps:
            left, right = max(left, 0), min(right, width)
        elif right - left >= width:
            left, right = 0, width
        else:
            turns = left // width * width
            left, right = left - turns, right - turns
        return Rectangle(left, max(top, 0), right, min(bottom, height))

    def cut_out(self, window: Rectangle) -> tuple[NDArray[np.uint8], Mask]:
        """(h, w, 3) pixels and (h, w) where there are any, in a window; copies."""
        index = self._index(window)
        return self.pixels[index], self.valid[index]

    def draw(
        self, picture: int, window: Rectangle, pixels: NDArray[np.uint8], valid: Mask, weight: NDArray[np.float32]
    ) -> None:
        """Blend a picture (h, w, 3) onto a window; `weight` (h, w): share of what is there already."""
        before, before_valid = self.cut_out(window)
        share = np.where(valid, np.where(before_valid, weight, np.float32(0)), np.float32(1))[..., None]
        index = self._index(window)
        self.pixels[index] = np.rint(share * before + (1 - share) * pixels)
        self.valid[index] = before_valid | valid
        self.labels[index] = np.where(valid & (share[..., 0] < 0.5), picture, self.labels[index])

    def _index(self, window: Rectangle) -> tuple[NDArray[np.intp], ...]:
        rows = np.arange(window.top, window.bottom)
        columns = np.arange(window.left, window.right) % self.size[0]
        return np.ix_(rows, columns)


def working_scale(
    canvas: Canvas, picture_areas: NDArray[np.float64], window_areas: NDArray[np.float64], megapix: float
) -> float:
    """Working px per canvas px, so that the median picture has `megapix`, or less where that would take much memory.

    Where the canvas wraps, a whole turn is a whole number of working px.

    Args:
        canvas: for all pictures.
        picture_areas: (n,), canvas px that the pictures take.
        window_areas: (n,), canvas px of their windows.
        megapix: million working px of a picture.
    """
    w, h = canvas.size
    limits = megapix * 1e6 / np.median(picture_areas), MAX_AREA / (w * h), MAX_WINDOWS / window_areas.sum()
    scale = min(1.0, float(np.sqrt(min(limits))))
    return max(1, round(w * scale)) / w if canvas.wraps else scale
