"""What the page shows of a stitch: the panorama, and both pictures of a pair where the panorama shows them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.ui_server.limits import VIEW_SIDE
from stitching.geometry.pixel_maps import Mask, Pixels
from stitching.geometry.rectangles import Rectangle
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Levels, Picture, PixelArray, shrink, to_8_bit
from stitching.io.picture_writer import write_picture
from stitching.result import Stitched


def draw_panorama_view(
    pixels: PixelArray, alpha: NDArray[np.uint8], metadata: Metadata, levels: Levels | None, path: Path
) -> None:
    """Write a panorama (H, W, 3), at most VIEW_SIDE px wide and high, transparent where it is empty."""
    picture = Picture(pixels, None if alpha.all() else alpha, levels=levels)
    small = shrink(picture, VIEW_SIDE / max(picture.size))
    write_picture(path, to_8_bit(small.pixels, levels), small.valid, Metadata(icc=metadata.icc))


def draw_pair_views(stitched: Stitched, folder: Path) -> list[str]:
    """Write reference and target, each alone, where the panorama shows them, of the size of the panorama's view.

    The target has its gain. Transparent where the picture has nothing.

    Returns:
        The names of the PNG files, "reference" and "target".
    """
    crop, pictures = stitched.crop, stitched.pictures
    size = _view_size(crop)
    scale = size[0] / crop.size[0]
    small = replace(
        pictures, reference=shrink(pictures.reference, scale), target=shrink(pictures.target, scale),
        output_scale=pictures.output_scale * scale, map_xy=stitched.shown_map,
    )  # fmt: skip
    left, top = round(crop.left * scale), round(crop.top * scale)
    part = Rectangle(left, top, left + size[0], top + size[1])
    metadata, levels = stitched.reference.metadata, (stitched.reference.levels, stitched.target.levels)
    pixels, valid = small.draw_reference(part)
    _write(to_8_bit(pixels, levels[0]), valid, metadata, folder / "reference.png")
    pixels, valid = small.draw_target(part)
    gain = small.grid.enlarge(stitched.blend.gain, part)
    brightened = cv2.multiply(to_8_bit(pixels, levels[1]).astype(np.float32), gain, dtype=cv2.CV_8U)
    _write(np.asarray(brightened, np.uint8), valid, metadata, folder / "target.png")
    return ["reference", "target"]


def _view_size(crop: Rectangle) -> tuple[int, int]:
    """(w, h) of the views of a panorama, as `shrink` rounds it."""
    scale = min(1.0, VIEW_SIDE / max(crop.size))
    return max(1, round(crop.size[0] * scale)), max(1, round(crop.size[1] * scale))


def _write(pixels: Pixels, valid: Mask, metadata: Metadata, path: Path) -> None:
    write_picture(path, pixels, valid * np.uint8(255), Metadata(icc=metadata.icc))
