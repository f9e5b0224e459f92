"""The panorama at full size: sampled once from the original pixels, blended in pyramid bands, tile by tile.

Blending changes nothing far from a seam, so each tile is cut in the part that a seam changes, which is blended, and up
to four rectangles beside it, most of which show one picture alone.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.field_grid import FieldGrid
from stitching.blending.multiband import COARSEST_PIXEL, SEAM_REACH, blend_pictures, opencv_depth
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.tiles import split_in_tiles
from stitching.geometry.pixel_maps import GRID_STEP, Field, Mask, Pixels, Size, inside
from stitching.geometry.rectangles import Rectangle, bounding_rectangle
from stitching.io.picture import Picture


def compose(
    pictures: PanoramaPictures, blend: Blend, report: Callable[[float], None] = lambda share: None
) -> tuple[Pixels, NDArray[np.uint8]]:
    """Make the panorama.

    Args:
        pictures: pictures and where they go.
        blend: weight and gain on the working grid.
        report: called with the share of tiles that are done, 0..1.

    Returns:
        (H, W, 3) BGR in the pictures' dtype, zero where neither picture has a pixel, and alpha (H, W) uint8, 255 or 0.
    """
    w, h = pictures.size
    panorama = np.zeros((h, w, 3), pictures.reference.pixels.dtype)
    alpha = np.zeros((h, w), np.uint8)
    for part, pixels, valid in draw_parts(pictures, blend, report):
        cv2.copyTo(pixels, valid.view(np.uint8), panorama[part.slices])
        alpha[part.slices] = valid * np.uint8(255)
    return panorama, alpha


class Layers(Protocol):
    """What is drawn: a target over a reference, which is a picture or what other pictures gave. `part` is px of it."""

    @property
    def target(self) -> Picture:
        """The picture on top."""

    @property
    def target_map(self) -> Field:
        """(h, w, 2): working grid -> px of the target's photograph, distortion of its lens included."""

    @property
    def size(self) -> Size:
        """(w, h) of what is drawn."""

    @property
    def grid(self) -> FieldGrid:
        """Where fields of the working grid lie on it."""

    def draw_reference(self, part: Rectangle) -> tuple[Pixels, Mask]:
        """(h, w, 3) pixels of the reference, and (h, w) where it has any."""

    def draw_target(self, part: Rectangle) -> tuple[Pixels, Mask]:
        """(h, w, 3) pixels of the warped target, and (h, w) where it has any."""


def draw_parts(
    pictures: Layers, blend: Blend, report: Callable[[float], None] = lambda share: None
) -> Iterator[tuple[Rectangle, Pixels, Mask]]:
    """Rectangles that cover what is drawn, each with its pixels (h, w, 3) and (h, w) where there are any.

    Args:
        pictures, blend, report: as for `compose`.
    """
    seams = _seams(pictures, blend.weight)
    tiles = list(split_in_tiles(*pictures.size))
    for index, tile in enumerate(tiles):
        yield from _compose_tile(pictures, blend, seams, tile)
        report((index + 1) / len(tiles))


def _seams(pictures: Layers, weight: NDArray[np.float32]) -> Mask:
    """(h, w), working grid: where the blend weight changes, and the target is near."""
    kernel = np.ones((3, 3), np.uint8)
    changes = cv2.dilate(weight, kernel) > cv2.erode(weight, kernel)
    target = inside(pictures.target.to_own_px(pictures.target_map), pictures.target.pixel_size)
    return changes & (cv2.dilate(target.view(np.uint8), kernel, iterations=2) > 0)


def _compose_tile(
    pictures: Layers, blend: Blend, seams: Mask, tile: Rectangle
) -> Iterator[tuple[Rectangle, Pixels, Mask]]:
    """The part of a tile that a seam changes and those beside it, each with its pixels and where there are any."""
    area = _area_to_blend(pictures, seams, tile)
    if area is None:
        yield tile, *_draw_without_seam(pictures, blend, tile)
        return
    near_seam = area.intersect(tile)
    pixels, valid = _draw_blended(pictures, blend, area)
    part = near_seam.translated(-area.left, -area.top).slices
    yield near_seam, pixels[part], valid[part]
    for beside in tile.beside(near_seam):
        yield beside, *_draw_without_seam(pictures, blend, beside)


def _area_to_blend(pictures: Layers, seams: Mask, tile: Rectangle) -> Rectangle | None:
    """What the pyramid needs to see for the seams in and around a tile, output px; None = no seam changes the tile.

    It may reach out of the tile. Its left and top are whole pixels of the coarsest band, so that the pyramids of all
    tiles have the same phase.
    """
    grid = pictures.grid
    reach = SEAM_REACH + int(3 / grid.scale)  # a working pixel is interpolated with its neighbours
    surroundings = tile.grown(reach).intersect(Rectangle(0, 0, *pictures.size))
    window = grid.to_fields(surroundings)
    window = Rectangle(max(window.left, 0), max(window.top, 0), window.right + 1, window.bottom + 1)
    if window.is_empty or not seams[window.slices].any():
        return None
    seam = bounding_rectangle(seams[window.slices]).translated(*window.origin)
    area = grid.to_output(seam).grown(reach).intersect(surroundings)
    return None if area.intersect(tile).is_empty else area.aligned_to(COARSEST_PIXEL)


def _draw_without_seam(pictures: Layers, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    """A part that no seam changes: of the reference or the target alone where that can be told, else of both."""
    weight = pictures.grid.pixels_read(blend.weight, part)
    if weight.min() == 1 or not _may_show_target(pictures, part):
        return pictures.draw_reference(part)
    if weight.max() == 0:
        return _draw_target_with_gain(pictures, blend, part)
    return _draw_blended(pictures, blend, part)


def _may_show_target(pictures: Layers, part: Rectangle) -> bool:
    """False where all positions that a part of the output shows lie on one side of the target."""
    x, y = np.moveaxis(pictures.target.to_own_px(pictures.grid.pixels_read(pictures.target_map, part)), -1, 0)
    w, h = pictures.target.pixel_size
    return not (x.max() < -1 or y.max() < -1 or x.min() > w or y.min() > h)


def _draw_blended(pictures: Layers, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    reference, in_reference = pictures.draw_reference(part)
    target, in_target = _draw_target_with_gain(pictures, blend, part)
    if blend.kept:  # the other picture counts as one that has no pixels there
        kept_reference, kept_target = (
            pictures.grid.enlarge(area.astype(np.float32), part) > 0.5
            for area in (blend.kept.reference, blend.kept.target)
        )
        in_reference, in_target = (
            in_reference & ~(kept_target & in_target), in_target & ~(kept_reference & in_reference),
        )  # fmt: skip
    return blend_pictures(reference, in_reference, target, in_target, pictures.grid.enlarge(blend.weight, part))


def _draw_target_with_gain(pictures: Layers, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    pixels, valid = pictures.draw_target(part)
    gain = pictures.grid.enlarge(blend.gain, part, GRID_STEP)  # the gain is smooth: interpolation on a lattice will do
    black, depth = pictures.target.levels[0] if pictures.target.levels else 0, opencv_depth(pixels)
    scaled = pixels.astype(np.float32)  # OpenCV is 25 times as slow where it multiplies different types
    scaled *= gain
    rest = black * (1 - gain) if black else 0.0  # black stays where it is
    # OpenCV rounds, and cuts off at white.
    return cv2.add(scaled, rest, dtype=depth), valid  # type: ignore[return-value, arg-type]
