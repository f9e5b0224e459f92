"""What a stitch gives: the panorama, and all that reports and later stitches need."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_alignment import Alignment
from stitching.blending.blend import Blend
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, Pixels
from stitching.geometry.rectangles import Rectangle
from stitching.io.metadata.contents import Metadata
from stitching.io.metadata.gpano import panorama_metadata
from stitching.io.picture import Picture
from stitching.io.screen_picture import screen_png
from stitching.io.warp_file import WarpField
from stitching.summary import Summary
from stitching.warping.placement import Placement, to_warp_field
from stitching.warping.warp import AlignedPair, CanvasPair


@dataclass(frozen=True, eq=False, repr=False)
class Stitched:
    """A stitched pair; a notebook shows the panorama.

    Attributes:
        panorama: (H, W, 3) BGR uint8 or uint16, zero where neither picture is valid.
        alpha: (H, W) uint8, 255 where one of the pictures is valid, else 0.
        reference, target: the pictures as read.
        canvas: the full canvas, before it is cut.
        alignment: coarse alignment, full-size px; None where the warp was loaded.
        coarse_pair: both pictures on the working canvas, coarsely aligned; None where the warp was loaded.
        placement: the target's place on the working canvas.
        aligned: both pictures on the working canvas after the warp.
        holes: (h, w), enclosed by both pictures, but shown by neither.
        blend: weight and gain on the working canvas.
        shown_map: (h, w, 2) working canvas -> full-size target px, as the panorama shows the target.
        pictures: both at the panorama's scale and the estimated warp, to draw either on the full canvas again.
        crop: the panorama's part of the output canvas, px: without empty outermost rows and columns, or `--crop`.
        summary: what was done, in numbers.
    """

    panorama: Pixels
    alpha: NDArray[np.uint8]
    reference: Picture
    target: Picture
    canvas: Canvas
    alignment: Alignment | None
    coarse_pair: CanvasPair | None
    placement: Placement
    aligned: AlignedPair
    holes: Mask
    blend: Blend
    shown_map: Field
    pictures: PanoramaPictures
    crop: Rectangle
    summary: Summary

    def __repr__(self) -> str:
        (w, h), s = self.summary.panorama_size, self.summary
        return f"<Stitched {w} x {h}: {s.reference} + {s.target}, {s.warp} warp, {s.verdict}>"

    def _repr_png_(self) -> bytes:
        return screen_png(self.panorama, self.alpha, self.reference.levels, self.metadata.icc)

    @property
    def residual(self) -> Field:
        """(h, w, 2) float32, the warp after coarse alignment, canvas px.

        Canvas pixel -> where the coarsely aligned target has what is shown there; NaN where not covered, or loaded.
        """
        return self.placement.residual_in_canvas_px

    @property
    def metadata(self) -> Metadata:
        """What to write with the panorama: the reference's, and on a cylinder what viewers of panoramas need."""
        return panorama_metadata(self.reference.metadata, self.canvas, self.pictures.output_scale, self.crop)

    @cached_property
    def warp(self) -> WarpField:
        """The estimated warp in full-size px, ready for `save_warp`."""
        return to_warp_field(self.placement, self.canvas, self.reference.size, self.target.size)
