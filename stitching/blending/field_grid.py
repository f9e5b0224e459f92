"""Fields of a working grid - maps, weights, gains - and the larger pixels of a panorama, or of a window of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import crop_and_resize
from stitching.geometry.rectangles import Rectangle


@dataclass(frozen=True)
class FieldGrid:
    """Where fields (h, w[, c]) lie on what is drawn. Rectangles called `part` are px of what is drawn.

    Attributes:
        scale: working px per output px.
        origin: (x, y) of what is drawn, output px of the panorama.
        field_origin: (x, y) of the fields, working px of the panorama.
    """

    scale: float
    origin: tuple[int, int] = (0, 0)
    field_origin: tuple[int, int] = (0, 0)

    def enlarge(self, field: NDArray[np.float32], part: Rectangle, lattice: int | None = None) -> NDArray[np.float32]:
        """A field on a part of what is drawn; `lattice`: see `crop_and_resize`."""
        offset = part.translated(*self.origin).origin
        return crop_and_resize(field, self.scale, part.size, offset, lattice, self.field_origin)

    def pixels_read(self, field: NDArray[np.float32], part: Rectangle) -> NDArray[np.float32]:
        """Those pixels of a field that `enlarge` to a part reads; outside of the field these are its border."""
        read, (h, w) = self.to_fields(part).grown(2), field.shape[:2]
        rows = slice(min(max(read.top, 0), h - 1), max(read.bottom + 1, 1))
        return field[rows, min(max(read.left, 0), w - 1) : max(read.right + 1, 1)]

    def to_fields(self, part: Rectangle) -> Rectangle:
        """A part, in px of the fields."""
        dx, dy = self.field_origin
        return part.translated(*self.origin).scaled(self.scale).translated(-dx, -dy)

    def to_output(self, area: Rectangle) -> Rectangle:
        """An area of the fields, in px of what is drawn."""
        dx, dy = self.origin
        return area.translated(*self.field_origin).scaled(1 / self.scale).translated(-dx, -dy)
