"""What stitching many pictures gives: the panorama, and all that reports and later stitches need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.arrangement import Arrangement
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Pixels
from stitching.geometry.rectangles import Rectangle
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.gpano import panorama_metadata
from stitching.io.picture_source import LeftOut, PictureSource
from stitching.io.screen_picture import screen_png
from stitching.match_graph.match_graph import MatchGraph
from stitching.mosaic.placed_picture import PlacedPicture


@dataclass(frozen=True, eq=False, repr=False)
class Panorama:
    """A panorama of many pictures; a notebook shows it.

    Attributes:
        panorama: (H, W, 3) BGR uint8 or uint16, zero where no picture is valid.
        alpha: (H, W) uint8, 255 where one of the pictures is valid, else 0.
        sources: all pictures that could be read, in the order of their keys: a picture's number is its index here.
        left_out: pictures that the panorama does not show.
        graph: which pictures were joined; empty where the warps were loaded.
        arrangement: where the joint adjustment put them.
        canvas: the full canvas, before it is cut.
        scale: working px per canvas px.
        placed: the pictures in the order in which they were placed, the reference first.
        labels: (h, w) int16, number of the picture that the working canvas shows, -1 = none.
        output_scale: output px per canvas px.
        crop: the panorama's part of the output canvas, px.
        seconds: by stage.
        warnings: one line each.
        notes: one line each, on what would be faster.
    """

    panorama: Pixels
    alpha: NDArray[np.uint8]
    sources: tuple[PictureSource, ...]
    left_out: tuple[LeftOut, ...]
    graph: MatchGraph
    arrangement: Arrangement
    canvas: Canvas
    scale: float
    placed: tuple[PlacedPicture, ...]
    labels: NDArray[np.int16]
    output_scale: float
    crop: Rectangle
    seconds: dict[str, float]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        h, w = self.alpha.shape
        return f"<Panorama {w} x {h} of {len(self.placed)} pictures, {len(self.left_out)} left out>"

    def _repr_png_(self) -> bytes:
        levels = self.sources[self.arrangement.reference].copy.levels
        return screen_png(self.panorama, self.alpha, levels, self.metadata.icc)

    @property
    def metadata(self) -> Metadata:
        """What to write with the panorama: the reference's, and what viewers of cylinders and spheres need."""
        kept = self.sources[self.arrangement.reference].copy.metadata
        return panorama_metadata(kept, self.canvas, self.output_scale, self.crop)
