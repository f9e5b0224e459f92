"""The panorama of many pictures at full size: each is read, blended in pyramid bands onto those before it, forgotten.

So the memory is that of the panorama, of one picture and of what is below it, however many pictures there are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.compose import draw_parts
from stitching.blending.field_grid import FieldGrid
from stitching.blending.multiband import SEAM_REACH
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, Pixels, Size
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture, shrink
from stitching.io.picture_sampling import magnification, sample
from stitching.io.picture_source import PictureSource
from stitching.mosaic.panorama_window import PanoramaWindow, window_around
from stitching.mosaic.placed_picture import PlacedPicture


def compose_mosaic(
    sources: Sequence[PictureSource],
    canvas: Canvas,
    scale: float,
    placed: Sequence[PlacedPicture],
    output_scale: float,
    report: Callable[[float], None] = lambda share: None,
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Make the panorama. Each picture is read once.

    Args:
        sources: the pictures by their numbers.
        canvas: what the panorama shows.
        scale: working px per canvas px.
        placed: the pictures to show, in the order in which they were placed.
        output_scale: output px per canvas px, at most 1; of a canvas that wraps the width is rounded to whole px, and
            the scale with it.
        report: called with the share that is done, 0..1.

    Returns:
        (H, W, 3) BGR in the pictures' dtype, zero where no picture has a pixel, and alpha (H, W) uint8, 255 or 0.

    Raises:
        InputError: a picture cannot be read again, or has changed.
    """
    w, h = (max(1, round(side * output_scale)) for side in canvas.size)
    if canvas.wraps:
        output_scale = w / canvas.size[0]
    made = _Made(
        np.zeros((h, w, 3), sources[placed[0].picture].copy.pixels.dtype), np.zeros((h, w), np.uint8),
        scale, output_scale, canvas.wraps,
    )  # fmt: skip
    for index, one in enumerate(placed):
        made.add(sources[one.picture], one, _share_of(report, index, len(placed)))
    return made.pixels, made.alpha


def _share_of(report: Callable[[float], None], index: int, count: int) -> Callable[[float], None]:
    """Takes the share of the picture `index` that is done, and reports that of all."""
    return lambda share: report((index + share) / count)


@dataclass(frozen=True, eq=False)
class _Made:
    """The panorama so far.

    Attributes:
        pixels: (H, W, 3).
        alpha: (H, W), 255 or 0.
        scale: working px per canvas px.
        output_scale: its px per canvas px.
        wraps: it shows a whole turn.
    """

    pixels: Pixels
    alpha: NDArray[np.uint8]
    scale: float
    output_scale: float
    wraps: bool

    def add(self, source: PictureSource, one: PlacedPicture, report: Callable[[float], None]) -> None:
        """Draw a picture over what there is."""
        shown_scale = self.output_scale / magnification(one.shown_map, source.size, self.scale)
        window = self._window_of(one)
        below = Picture(window.copy_of(self.pixels), window.copy_of(self.alpha))
        grid, map_xy, blend = self._continued(one, window)
        picture = source.read()
        layers = _Layers(below, shrink(picture, shown_scale), picture.to_photograph(map_xy), grid)
        for part, pixels, valid in draw_parts(layers, blend, report):
            window.draw(pixels, valid, part, self.pixels, self.alpha)

    def _window_of(self, one: PlacedPicture) -> PanoramaWindow:
        """What drawing a picture changes."""
        factor, area = self.output_scale / self.scale, one.window
        start = math.floor(area.left * factor), math.floor(area.top * factor)
        stop = math.ceil(area.right * factor), math.ceil(area.bottom * factor)
        h, w = self.alpha.shape
        return window_around(Rectangle(*start, *stop), SEAM_REACH, (w, h), wraps=self.wraps)

    def _continued(self, one: PlacedPicture, window: PanoramaWindow) -> tuple[FieldGrid, Field, Blend]:
        """A picture's fields, continued to the ends of what drawing it changes.

        The map goes on with the slope that it has at its border: where the canvas ends, the outermost pixels lie beyond
        the centres of the map's outermost pixels.
        """
        working_per_output = self.scale / self.output_scale
        margin = math.ceil(SEAM_REACH * working_per_output) + 2
        around = ((margin, margin), (margin, margin), (0, 0))
        map_xy = np.pad(one.shown_map, around, "reflect", reflect_type="odd")
        blend = Blend(np.pad(one.weight, around[:2], "edge"), np.pad(one.gain, around, "edge"))
        return FieldGrid(working_per_output, window.area.origin, one.window.grown(margin).origin), map_xy, blend


@dataclass(frozen=True, eq=False)
class _Layers:
    """A picture over the part of the panorama that it is drawn into, as `stitching.blending.compose.Layers`.

    `reference` is a copy of that part, so that drawing one tile does not change what the next one reads.
    """

    reference: Picture
    target: Picture
    target_map: Field
    grid: FieldGrid

    @property
    def size(self) -> Size:
        return self.reference.size

    def draw_reference(self, part: Rectangle) -> tuple[Pixels, Mask]:
        assert self.reference.valid is not None
        return self.reference.pixels[part.slices], self.reference.valid[part.slices] > 0

    def draw_target(self, part: Rectangle) -> tuple[Pixels, Mask]:
        return sample(self.target, self.grid.enlarge(self.target_map, part), cv2.INTER_CUBIC)
