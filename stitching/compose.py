"""The panorama at full size: sampled once from the original pixels, blended in bands, tile by tile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blend import Blend
from stitching.canvas import Canvas
from stitching.fields import Field, Mask, Pixels, Size, inside, look_up, pixel_grid, rescale, smooth_map
from stitching.images import Picture

TILE = 1024  # px
BANDS = 5  # pyramid levels that are blended apart
MARGIN = 4 * 2**BANDS  # px by which a blended tile is enlarged, so that its neighbours get the same bands
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
    places: Field
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
        places = smooth_map(
            self.canvas.to_reference, (right - left, bottom - top), self.output_scale, (left, top)
        )
        return _sampled(self.reference, rescale(places, self.output_scale))

    def target_tile(self, box: Box) -> tuple[Pixels, Mask]:
        """The warped target's pixels in a box of the output, and where it has any."""
        where = self._working_places(box)
        return _sampled(self.target, rescale(look_up(self.places, where), self.output_scale))

    def field_tile(self, field: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
        """A field of the working grid, enlarged to a box of the output."""
        return look_up(field, self._working_places(box))

    def _working_places(self, box: Box) -> Field:
        left, top, right, bottom = box
        output = pixel_grid(bottom - top, right - left) + np.array([left, top], np.float32)
        return rescale(output, self.scale / self.output_scale)


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
    boxes = list(tiles(w, h))
    for index, box in enumerate(boxes):
        left, top, right, bottom = box
        pixels, seen = _compose_tile(layers, blend, box)
        panorama[top:bottom, left:right] = np.where(seen[..., None], pixels, 0)
        alpha[top:bottom, left:right] = seen * np.uint8(255)
        report((index + 1) / len(boxes))
    return panorama, alpha


def tiles(width: int, height: int) -> Iterator[Box]:
    """Boxes of at most `TILE` px a side that cover the output."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield left, top, min(left + TILE, width), min(top + TILE, height)


def _compose_tile(layers: Layers, blend: Blend, box: Box) -> tuple[Pixels, Mask]:
    w, h = layers.size
    left, top, right, bottom = box
    # Multiples of the coarsest pixel, so that all tiles' pyramids have the same phase.
    wide = max(left - MARGIN, 0), max(top - MARGIN, 0), min(right + MARGIN, w), min(bottom + MARGIN, h)
    weight = layers.field_tile(blend.weight, wide)
    if weight.min() == 1:
        return layers.reference_tile(box)
    if weight.max() == 0:
        return _with_gain(layers, blend, box)
    reference, reference_seen = layers.reference_tile(wide)
    target, target_seen = _with_gain(layers, blend, wide)
    weight = np.where(target_seen, np.where(reference_seen, weight, 0), 1).astype(np.float32)
    # Where one picture has nothing the other stands in, so that nothing bleeds into the coarse bands.
    first = np.where(reference_seen[..., None], reference, target)
    second = np.where(target_seen[..., None], target, first)
    mixed = blend_bands(first, second, weight)
    seen = reference_seen | target_seen
    inner = slice(top - wide[1], bottom - wide[1]), slice(left - wide[0], right - wide[0])
    return mixed[inner], seen[inner]


def _with_gain(layers: Layers, blend: Blend, box: Box) -> tuple[Pixels, Mask]:
    pixels, seen = layers.target_tile(box)
    brightest = np.iinfo(pixels.dtype).max
    gained = np.clip(pixels * layers.field_tile(blend.gain, box) + 0.5, 0, brightest)
    return gained.astype(pixels.dtype), seen


def blend_bands(first: Pixels, second: Pixels, weight: NDArray[np.float32]) -> Pixels:
    """Multi-band blending (Burt & Adelson 1983): each band of the pyramid with a seam as soft as the band is coarse.

    Args:
        first, second: (h, w, 3) of one dtype.
        weight: (h, w) share of `first`, 0..1.
    """
    a, b, share = first.astype(np.float32), second.astype(np.float32), weight
    bands = []
    for _ in range(BANDS):
        if min(share.shape) < 2:
            break
        smaller = [cv2.pyrDown(level) for level in (a, b)]
        size = share.shape[::-1]
        fine_a, fine_b = (level - cv2.pyrUp(low, dstsize=size) for level, low in zip((a, b), smaller, strict=True))
        bands.append(_mix(fine_a, fine_b, share))
        (a, b), share = smaller, cv2.pyrDown(share)
    mixed = _mix(a, b, share)
    for band in reversed(bands):
        mixed = cv2.pyrUp(mixed, dstsize=band.shape[1::-1]) + band
    brightest = np.iinfo(first.dtype).max
    result: Pixels = np.clip(mixed + 0.5, 0, brightest).astype(first.dtype)
    return result


def _mix(a: NDArray[np.float32], b: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    return b + (a - b) * share[..., None]


def _sampled(picture: Picture, places: Field) -> tuple[Pixels, Mask]:
    seen = inside(places, picture.size)
    if picture.seen is not None:
        seen &= look_up(picture.seen, places) > 127
    return look_up(picture.pixels, places, cv2.INTER_CUBIC), seen


def _cut_out(picture: Picture, box: Box, origin: tuple[int, int]) -> tuple[Pixels, Mask]:
    """The part of a picture under a box of the canvas, unchanged; origin = canvas (0, 0) in picture px."""
    left, top, right, bottom = box
    w, h = picture.size
    x0, y0, x1, y1 = left + origin[0], top + origin[1], right + origin[0], bottom + origin[1]
    pixels = np.zeros((y1 - y0, x1 - x0, 3), picture.pixels.dtype)
    seen = np.zeros((y1 - y0, x1 - x0), bool)
    rows, columns = slice(max(y0, 0), max(min(y1, h), 0)), slice(max(x0, 0), max(min(x1, w), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        place = (
            slice(rows.start - y0, rows.stop - y0),
            slice(columns.start - x0, columns.stop - x0),
        )
        pixels[place] = picture.pixels[rows, columns]
        seen[place] = True if picture.seen is None else picture.seen[rows, columns] > 127
    return pixels, seen
