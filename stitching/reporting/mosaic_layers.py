"""Pictures of a panorama at the size of a page: each one as it was warped, and which is shown where."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import OUTSIDE_ALL, Mask, Points, Size, inside, remap, rescale
from stitching.geometry.rectangles import Rectangle, bounding_rectangle
from stitching.io.picture import shrink, to_8_bit
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.placed_picture import PlacedPicture
from stitching.reporting.visualize import Colours


@dataclass(frozen=True, eq=False)
class PageLayer:
    """One picture on the panorama: its part of the page's panorama, px, pixels (h, w, 3) BGR and where it is valid."""

    part: Rectangle
    pixels: Colours
    valid: Mask


def draw_layer(placed: PlacedPicture, panorama: Panorama, size: Size) -> PageLayer | None:
    """A picture as the panorama shows it, before it is blended; from its small copy.

    Args:
        placed: the picture.
        panorama: that it belongs to.
        size: (w, h) of the page's panorama, px.

    Returns:
        None where nothing of it lies on the panorama.
    """
    source, window = panorama.sources[placed.picture], placed.window
    x, y = (axis.astype(np.float32) for axis in _working_axes(panorama, size))
    x = np.where((window.right > panorama.labels.shape[1]) & (x < window.left - 0.5), x + panorama.labels.shape[1], x)
    on_window = np.stack(np.meshgrid(x - window.left, y - window.top), axis=-1)
    near = inside(on_window, window.size)
    if not near.any():
        return None
    part = bounding_rectangle(near)
    on_window, near = on_window[part.slices], near[part.slices]
    map_xy = remap(placed.shown_map, on_window)
    map_xy[~near] = OUTSIDE_ALL
    copy = shrink(source.copy, min(1.0, _page_scale(panorama, size) / min(source.copy.scale)))
    on_copy = copy.to_own_px(map_xy)
    valid = inside(map_xy, source.size)
    if copy.valid is not None:
        valid &= remap(copy.valid, on_copy) > 127
    if not valid.any():
        return None
    pixels = remap(to_8_bit(copy.pixels, copy.levels), on_copy) * remap(placed.gain, on_window)
    shown = bounding_rectangle(valid)
    drawn = np.clip(np.rint(pixels[shown.slices]), 0, 255).astype(np.uint8)
    return PageLayer(shown.translated(*part.origin), drawn, valid[shown.slices])


def shown_labels(panorama: Panorama, size: Size) -> NDArray[np.int16]:
    """(h, w): the number of the picture that each px of the page's panorama shows; -1 = none."""
    h, w = panorama.labels.shape
    x, y = (np.rint(axis).astype(np.intp) for axis in _working_axes(panorama, size))
    labels = panorama.labels[np.clip(y, 0, h - 1)[:, None], np.clip(x, 0, w - 1)]
    shrunk = cv2.resize(panorama.alpha, size, interpolation=cv2.INTER_AREA)
    return np.where(shrunk > 0, labels, -1).astype(np.int16)


def _page_scale(panorama: Panorama, size: Size) -> float:
    """Page px per canvas px."""
    return size[0] / panorama.crop.size[0] * panorama.output_scale


def _working_axes(panorama: Panorama, size: Size) -> tuple[Points, Points]:
    """The columns (w,) and rows (h,) of the page's panorama in px of the working canvas."""
    to_working = panorama.scale / panorama.output_scale
    axes = []
    for length, whole, start in zip(size, panorama.crop.size, panorama.crop.origin, strict=True):
        output = rescale(np.arange(length, dtype=np.float64), whole / length) + start
        axes.append(rescale(output, to_working))
    return axes[0], axes[1]


def deepest_place(mask: Mask) -> tuple[float, float]:
    """(x, y) of the px of a mask (h, w) that lies farthest from where it ends: where a label is read best."""
    depth = cv2.distanceTransform(
        cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3
    )
    row, column = np.unravel_index(int(depth[1:-1, 1:-1].argmax()), mask.shape)
    return float(column), float(row)
