"""Reference and warped target at the size of the panorama, drawn part by part from the original pixels."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from stitching.blending.field_grid import FieldGrid
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import (
    Field,
    Mask,
    Pixels,
    Points,
    Size,
    evaluate_on_grid,
)
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.io.picture_sampling import sample


@dataclass(frozen=True)
class PanoramaPictures:
    """Both pictures and where they lie on the canvas, at any output size. Rectangles are output px.

    Attributes:
        reference, target: the pictures, shrunk where they have more px than the output shows.
        canvas: what the panorama shows.
        output_scale: output px per canvas px.
        map_xy: (h, w, 2) canvas -> target, px of the full-size target without distortion, on the working grid.
        working_scale: working px per canvas px.
    """

    reference: Picture
    target: Picture
    canvas: Canvas
    output_scale: float
    map_xy: Field
    working_scale: float

    @property
    def size(self) -> Size:
        """(w, h) of the output."""
        w, h = self.canvas.size
        return max(1, round(w * self.output_scale)), max(1, round(h * self.output_scale))

    @property
    def grid(self) -> FieldGrid:
        """Where fields of the working grid lie on the output."""
        return FieldGrid(self.working_scale / self.output_scale)

    @cached_property
    def target_map(self) -> Field:
        """(h, w, 2): working grid -> px of the target's photograph. A lens hardly bends within a working pixel."""
        return self.target.to_photograph(self.map_xy)

    def draw_reference(self, part: Rectangle) -> tuple[Pixels, Mask]:
        """(h, w, 3) pixels of the reference in a part of the output, and (h, w) where it has any."""
        if self.output_scale == 1 and self.canvas.projection == "plane" and self.reference.lens is None:
            return _cut_out(self.reference, part.translated(*self.canvas.origin))
        map_xy = evaluate_on_grid(self._to_reference_photograph, part.size, self.output_scale, part.origin)
        return sample(self.reference, map_xy, cv2.INTER_CUBIC)

    def draw_target(self, part: Rectangle) -> tuple[Pixels, Mask]:
        """(h, w, 3) pixels of the warped target in a part of the output, and (h, w) where it has any."""
        return sample(self.target, self.grid.enlarge(self.target_map, part), cv2.INTER_CUBIC)

    def _to_reference_photograph(self, points: Points) -> Points:
        """Canvas px (..., 2) -> px of the reference's photograph (..., 2)."""
        return self.reference.to_photograph(self.canvas.to_reference(points))


def _cut_out(picture: Picture, part: Rectangle) -> tuple[Pixels, Mask]:
    """A part of a picture, unchanged; it may reach out of the picture, and has no pixels there."""
    width, height = part.size
    pixels = np.zeros((height, width, 3), picture.pixels.dtype)
    valid = np.zeros((height, width), bool)
    source = part.intersect(Rectangle(0, 0, *picture.size))
    if not source.is_empty:
        destination = source.translated(-part.left, -part.top).slices
        pixels[destination] = picture.pixels[source.slices]
        valid[destination] = True if picture.valid is None else picture.valid[source.slices] > 127
    return pixels, valid
