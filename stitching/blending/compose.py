"""The panorama at full size: sampled once from the original pixels, blended in pyramid bands, tile by tile.

Blending changes nothing far from a seam, so each tile is cut in the part that a seam changes, which is blended, and up
to four rectangles beside it, most of which show one picture alone.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.multiband import COARSEST_PIXEL, SEAM_REACH, blend_pictures, opencv_depth
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.tiles import split_in_tiles
from stitching.geometry.pixel_maps import GRID_STEP, Mask, Pixels, inside
from stitching.geometry.rectangles import Rectangle, bounding_rectangle


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
    seams = _seams(pictures, blend.weight)
    tiles = list(split_in_tiles(w, h))
    for index, tile in enumerate(tiles):
        for part, pixels, valid in _compose_tile(pictures, blend, seams, tile):
            cv2.copyTo(pixels, valid.view(np.uint8), panorama[part.slices])
            alpha[part.slices] = valid * np.uint8(255)
        report((index + 1) / len(tiles))
    return panorama, alpha


def _seams(pictures: PanoramaPictures, weight: NDArray[np.float32]) -> Mask:
    """(h, w), working grid: where the blend weight changes, and the target is near."""
    kernel = np.ones((3, 3), np.uint8)
    changes = cv2.dilate(weight, kernel) > cv2.erode(weight, kernel)
    target = inside(pictures.target.to_own_px(pictures.map_xy), pictures.target.size)
    return changes & (cv2.dilate(target.view(np.uint8), kernel, iterations=2) > 0)


def _compose_tile(
    pictures: PanoramaPictures, blend: Blend, seams: Mask, tile: Rectangle
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


def _area_to_blend(pictures: PanoramaPictures, seams: Mask, tile: Rectangle) -> Rectangle | None:
    """What the pyramid needs to see for the seams in and around a tile, output px; None = no seam changes the tile.

    It may reach out of the tile. Its left and top are whole pixels of the coarsest band, so that the pyramids of all
    tiles have the same phase.
    """
    scale = pictures.working_per_output
    reach = SEAM_REACH + int(3 / scale)  # a working pixel is interpolated with its neighbours
    surroundings = tile.grown(reach).intersect(Rectangle(0, 0, *pictures.size))
    window = surroundings.scaled(scale)
    near = seams[window.top : window.bottom + 1, window.left : window.right + 1]
    if not near.any():
        return None
    seam = bounding_rectangle(near).translated(*window.origin)
    area = seam.scaled(1 / scale).grown(reach).intersect(surroundings)
    return None if area.intersect(tile).is_empty else area.aligned_to(COARSEST_PIXEL)


def _draw_without_seam(pictures: PanoramaPictures, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    """A part that no seam changes: of the reference or the target alone where that can be told, else of both."""
    weight = pictures.working_part(blend.weight, part)
    if weight.min() == 1 or not _may_show_target(pictures, part):
        return pictures.draw_reference(part)
    if weight.max() == 0:
        return _draw_target_with_gain(pictures, blend, part)
    return _draw_blended(pictures, blend, part)


def _may_show_target(pictures: PanoramaPictures, part: Rectangle) -> bool:
    """False where all positions that a part of the output shows lie on one side of the target."""
    x, y = np.moveaxis(pictures.target.to_own_px(pictures.working_part(pictures.map_xy, part)), -1, 0)
    w, h = pictures.target.size
    return not (x.max() < -1 or y.max() < -1 or x.min() > w or y.min() > h)


def _draw_blended(pictures: PanoramaPictures, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    reference, target = pictures.draw_reference(part), _draw_target_with_gain(pictures, blend, part)
    return blend_pictures(*reference, *target, pictures.enlarge(blend.weight, part))


def _draw_target_with_gain(pictures: PanoramaPictures, blend: Blend, part: Rectangle) -> tuple[Pixels, Mask]:
    pixels, valid = pictures.draw_target(part)
    gain = pictures.enlarge(blend.gain, part, GRID_STEP)  # the gain is smooth: interpolation on a lattice will do
    black, depth = pictures.target.levels[0] if pictures.target.levels else 0, opencv_depth(pixels)
    scaled = pixels.astype(np.float32)  # OpenCV is 25 times as slow where it multiplies different types
    scaled *= gain
    rest = black * (1 - gain) if black else 0.0  # black stays where it is
    # OpenCV rounds, and cuts off at white.
    return cv2.add(scaled, rest, dtype=depth), valid  # type: ignore[return-value, arg-type]
