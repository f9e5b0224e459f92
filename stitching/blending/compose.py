"""The panorama at full size: sampled once from the original pixels, blended in bands, tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import (
    LATTICE,
    Field,
    Mask,
    Pixels,
    Size,
    bounding_box,
    inside,
    look_up,
    rescale,
    smooth_map,
    zoom,
)
from stitching.io.images import Picture

TILE = 896  # px
BANDS = 5  # pyramid levels that are blended apart
COARSEST = 2**BANDS  # px that one pixel of the last one covers
MARGIN = 4 * COARSEST  # px from a seam up to which blending changes anything
Box = tuple[int, int, int, int]  # left, top, right, bottom, output px


@dataclass(frozen=True)
class Layers:
    """All that composing needs, at any output size.

    Attributes:
        reference, target: the pictures, already shrunk to the output's scale.
        canvas: what the panorama shows.
        output_scale: output px per canvas px.
        places: (h, w, 2) canvas -> target, px of the full-size target, on the working grid.
        scale: working px per canvas px.
    """

    reference: Picture
    target: Picture
    canvas: Canvas
    output_scale: float
    map_xy: Field
    scale: float

    @property
    def size(self) -> Size:
        """(w, h) of the output."""
        w, h = self.canvas.size
        return max(1, round(w * self.output_scale)), max(1, round(h * self.output_scale))

    def reference_tile(self, box: Box) -> tuple[Pixels, Mask]:
        """The reference's pixels in a box of the output, and where it has any."""
        left, top, right, bottom = box
        if self.output_scale == 1 and self.canvas.projection == "plane":
            return _cut_out(self.reference, (left, top, right, bottom), self.canvas.origin)
        map_xy = smooth_map(self.canvas.to_reference, (right - left, bottom - top), self.output_scale, (left, top))
        return _sampled(self.reference, rescale(map_xy, self.output_scale))

    def target_tile(self, box: Box) -> tuple[Pixels, Mask]:
        """The warped target's pixels in a box of the output, and where it has any."""
        map_xy = self.field_tile(self.map_xy, box)
        return _sampled(self.target, map_xy if self.output_scale == 1 else rescale(map_xy, self.output_scale))

    def field_tile(self, field: NDArray[np.float32], box: Box, lattice: int | None = None) -> NDArray[np.float32]:
        """A field of the working grid, enlarged to a box of the output; `lattice`: see `zoom`."""
        left, top, right, bottom = box
        return zoom(field, self.scale / self.output_scale, (right - left, bottom - top), (left, top), lattice)

    def working_part(self, field: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
        """The pixels of a field of the working grid that have a say in a box of the output."""
        left, top, right, bottom = (int(edge * self.scale / self.output_scale) for edge in box)
        return field[max(top - 2, 0) : bottom + 3, max(left - 2, 0) : right + 3]


def compose(
    layers: Layers, blend: Blend, report: Callable[[float], None] = lambda share: None
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Make the panorama.

    Args:
        layers: pictures and where they go.
        blend: weight and gain on the working grid.
        report: called with the share of tiles that are done.

    Returns:
        (H, W, 3) BGR in the pictures' depth, zero where nothing was seen, and alpha (H, W) uint8, 255 or 0.
    """
    w, h = layers.size
    panorama = np.zeros((h, w, 3), layers.reference.pixels.dtype)
    alpha = np.zeros((h, w), np.uint8)
    seams = _seams(layers, blend.weight)
    boxes = list(tiles(w, h))
    for index, box in enumerate(boxes):
        for part, pixels, valid in _compose_tile(layers, blend, seams, box):
            left, top, right, bottom = part
            cv2.copyTo(pixels, valid.view(np.uint8), panorama[top:bottom, left:right])
            alpha[top:bottom, left:right] = valid * np.uint8(255)
        report((index + 1) / len(boxes))
    return panorama, alpha


def tiles(width: int, height: int) -> Iterator[Box]:
    """Boxes of at most `TILE` px a side that cover the output."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield left, top, min(left + TILE, width), min(top + TILE, height)


def _seams(layers: Layers, weight: NDArray[np.float32]) -> Mask:
    """(h, w), working grid: where one picture's share changes, and there is any of the target."""
    kernel = np.ones((3, 3), np.uint8)
    changes = cv2.dilate(weight, kernel) > cv2.erode(weight, kernel)
    target = inside(rescale(layers.map_xy, layers.output_scale), layers.target.size)
    return changes & (cv2.dilate(target.view(np.uint8), kernel, iterations=2) > 0)


def _compose_tile(layers: Layers, blend: Blend, seams: Mask, box: Box) -> Iterator[tuple[Box, Pixels, Mask]]:
    """A tile in parts, each with its pixels and where there are any: what a seam changes, and the rest."""
    area = _seam_area(layers, seams, box)
    parts = [box]
    if area is not None:
        inner = _shared(box, area)
        pixels, valid = _blended(layers, blend, area)
        rows, columns = (slice(inner[i] - area[i], inner[i + 2] - area[i]) for i in (1, 0))
        yield inner, pixels[rows, columns], valid[rows, columns]
        parts = [
            (box[0], box[1], box[2], inner[1]), (box[0], inner[3], box[2], box[3]),
            (box[0], inner[1], inner[0], inner[3]), (inner[2], inner[1], box[2], inner[3]),
        ]  # fmt: skip
    for part in parts:
        if part[0] < part[2] and part[1] < part[3]:
            yield part, *_unblended(layers, blend, part)


def _seam_area(layers: Layers, seams: Mask, box: Box) -> Box | None:
    """What is to be blended for the seams in and around a tile, may reach out of it; None = nothing."""
    scale = layers.scale / layers.output_scale
    reach = MARGIN + int(3 / scale)  # a working pixel has its say in the next ones, too
    wide = _shared((box[0] - reach, box[1] - reach, box[2] + reach, box[3] + reach), (0, 0, *layers.size))
    left, top, right, bottom = (int(edge * scale) for edge in wide)
    part = seams[top : bottom + 1, left : right + 1]
    if not part.any():
        return None
    rows, columns = bounding_box(part)
    near = (
        int((left + columns.start) / scale) - reach, int((top + rows.start) / scale) - reach,
        int((left + columns.stop) / scale) + reach, int((top + rows.stop) / scale) + reach,
    )  # fmt: skip
    area = _shared(near, wide)
    inner = _shared(area, box)
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        return None
    # Whole coarsest pixels, so that all tiles' pyramids have the same phase.
    return area[0] // COARSEST * COARSEST, area[1] // COARSEST * COARSEST, area[2], area[3]


def _shared(first: Box, second: Box) -> Box:
    """What two boxes share."""
    return (
        max(first[0], second[0]), max(first[1], second[1]),
        min(first[2], second[2]), min(first[3], second[3]),
    )  # fmt: skip


def _unblended(layers: Layers, blend: Blend, box: Box) -> tuple[Pixels, Mask]:
    """A box without seams: mostly one picture alone, and then the other is left in peace."""
    weight = layers.working_part(blend.weight, box)
    if weight.min() == 1:
        return layers.reference_tile(box)
    x, y = np.moveaxis(rescale(layers.working_part(layers.map_xy, box), layers.output_scale), -1, 0)
    w, h = layers.target.size
    if x.max() < -1 or y.max() < -1 or x.min() > w or y.min() > h:  # and so is all between these places
        return layers.reference_tile(box)
    return _with_gain(layers, blend, box) if weight.max() == 0 else _blended(layers, blend, box)


def _blended(layers: Layers, blend: Blend, box: Box) -> tuple[Pixels, Mask]:
    reference, reference_valid = layers.reference_tile(box)
    target, target_valid = _with_gain(layers, blend, box)
    # Where one picture has nothing the other stands in, so that nothing bleeds into the coarse bands.
    first = _filled(reference, reference_valid, target)
    second = _filled(target, target_valid, first)
    weight = layers.field_tile(blend.weight, box)
    weight[~reference_valid] = 0
    weight[~target_valid] = 1
    return blend_bands(first, second, weight), reference_valid | target_valid


def _with_gain(layers: Layers, blend: Blend, box: Box) -> tuple[Pixels, Mask]:
    pixels, valid = layers.target_tile(box)
    gain = layers.field_tile(blend.gain, box, LATTICE)  # smooth, so a lattice will do
    # Rounded, and cut off at white.
    return cv2.multiply(pixels, gain, dtype=_depth(pixels)), valid  # type: ignore[return-value]


def _filled(pixels: Pixels, valid: Mask, other: Pixels) -> Pixels:
    """`pixels`, and `other` where they are not seen."""
    return cv2.copyTo(pixels, valid.view(np.uint8), other.copy())  # type: ignore[return-value]


def blend_bands(first: Pixels, second: Pixels, weight: NDArray[np.float32]) -> Pixels:
    """Multi-band blending (Burt & Adelson 1983): the coarser a band of the pyramid, the softer its seam.

    Mixing is linear, so one pyramid is enough: that of the difference of the two.

    Args:
        first, second: (h, w, 3) of one dtype.
        weight: (h, w) share of `first`, 0..1.
    """
    difference = cv2.subtract(first, second, dtype=cv2.CV_32F)
    share = cv2.merge([weight] * 3)
    bands = []
    for _ in range(BANDS):
        if min(difference.shape[:2]) < 2:
            break
        size = difference.shape[1::-1]
        coarse = cv2.pyrDown(difference)
        bands.append(cv2.multiply(difference - cv2.pyrUp(coarse, dstsize=size), share))
        difference, share = coarse, cv2.pyrDown(share)
    mixed = cv2.multiply(difference, share)
    for band in reversed(bands):
        mixed = cv2.add(cv2.pyrUp(mixed, dstsize=band.shape[1::-1]), band)
    return cv2.add(second, mixed, dtype=_depth(second))  # type: ignore[return-value]


def _depth(pixels: Pixels) -> int:
    """OpenCV's name of the pixels' type."""
    return cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U


def _sampled(picture: Picture, map_xy: Field) -> tuple[Pixels, Mask]:
    valid = inside(map_xy, picture.size)
    if picture.valid is not None:
        valid &= look_up(picture.valid, map_xy) > 127
    return look_up(picture.pixels, map_xy, cv2.INTER_CUBIC), valid


def _cut_out(picture: Picture, box: Box, origin: tuple[int, int]) -> tuple[Pixels, Mask]:
    """The part of a picture under a box of the canvas, unchanged; origin = canvas (0, 0) in picture px."""
    left, top, right, bottom = box
    w, h = picture.size
    x0, y0, x1, y1 = left + origin[0], top + origin[1], right + origin[0], bottom + origin[1]
    pixels = np.zeros((y1 - y0, x1 - x0, 3), picture.pixels.dtype)
    valid = np.zeros((y1 - y0, x1 - x0), bool)
    rows, columns = slice(max(y0, 0), max(min(y1, h), 0)), slice(max(x0, 0), max(min(x1, w), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        place = (
            slice(rows.start - y0, rows.stop - y0),
            slice(columns.start - x0, columns.stop - x0),
        )
        pixels[place] = picture.pixels[rows, columns]
        valid[place] = True if picture.valid is None else picture.valid[rows, columns] > 127
    return pixels, valid
