"""The steps of a stitch as functions of their own: align a pair, estimate its warp, apply a warp to a picture."""

from collections.abc import Callable
from dataclasses import replace
from os import PathLike, fspath
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_alignment import Alignment, align_pictures
from stitching.blending.field_grid import FieldGrid
from stitching.blending.tiles import split_in_tiles
from stitching.errors import require
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, Points, evaluate_on_grid, remap
from stitching.geometry.rectangles import Rectangle
from stitching.input_pair import PictureInput, read_pair
from stitching.io.picture import Picture, shrink
from stitching.io.picture_reader import read_picture
from stitching.io.picture_sampling import magnification, sample
from stitching.io.warp_file import WarpField, usable_warp
from stitching.lens.lens_choice import check_lens_choice
from stitching.lens_correction import lens_of, with_lens
from stitching.options import Options, check_options
from stitching.pair_placement import estimate_placement, judge_placement, place_coarsely
from stitching.warping.canvas_pictures import draw_aligned_pair
from stitching.warping.placement import Placement, from_warp_field, to_warp_field

Part = Literal["target", "reference"]
_DTYPES = "uint8", "uint16", "int16", "float32", "float64"  # that OpenCV samples
_MOST_CHANNELS = 4


def align(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
) -> Alignment:
    """Find the one homography that fits the overlap best, target px -> reference px, and the matches behind it.

    Px of a picture whose lens is corrected (`Options.lens`) are those without its distortion.

    Args:
        reference, target, options, mask_reference, mask_target: as for `stitching.stitch`.

    Raises:
        InputError: a picture or an option cannot be used, or no overlap was found.
    """
    check_options(options, estimates_warp=False)
    pictures = read_pair(
        reference, target, mask_reference, mask_target, lens=options.lens, max_megapix=options.max_megapix
    )
    return align_pictures(*pictures, options.device)


def estimate_warp(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
) -> WarpField:
    """Find where every pixel of the target belongs: the warp of `stitching.stitch`, without blending.

    `apply_warp`, `stitching.stitch(..., warp=...)` and `save_warp` take it.

    Args:
        reference, target, options, mask_reference, mask_target: as for `stitching.stitch`.

    Raises:
        InputError: as `stitching.stitch`.
    """
    check_options(options, estimates_warp=True)
    pictures = read_pair(
        reference, target, mask_reference, mask_target, lens=options.lens, max_megapix=options.max_megapix
    )
    coarse = place_coarsely(*pictures, options)
    placement, used_warp = estimate_placement(coarse, options)
    aligned = draw_aligned_pair(*pictures, coarse.canvas, placement, coarse.pair)
    judge_placement(coarse.alignment, coarse.canvas, placement, aligned, used_warp)
    return to_warp_field(placement, coarse.canvas, *(picture.size for picture in pictures))


def apply_warp(
    warp: WarpField | str | PathLike[str],
    picture: PictureInput | NDArray[Any],
    *,
    part: Part = "target",
    nearest: bool = False,
    lens: str = "auto",
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Draw a picture on the canvas of a warp, at full size: the target, or what else was measured at its pixels.

    Colours stay those of the picture: profile, brightness and white balance are not matched to the other one.

    Args:
        warp: of `estimate_warp`, `load_warp` or a stitch, or its file.
        picture: a picture file; or an array (h, w) or (h, w, 1 to 4) of uint8, uint16, int16, float32 or float64, which
            keeps its type and its channels: depth, temperatures, labels.
        part: of the pair whose place the picture takes; "reference" draws it where the canvas shows the reference.
        nearest: the nearest pixel instead of cubic interpolation: for labels, and for values with gaps.
        lens: as `Options.lens`, that the warp was estimated with; "auto" knows the lens of picture files only.

    Returns:
        The canvas (H, W[, c]) in the picture's type, zero where the picture shows nothing, and alpha (H, W) uint8, 255
        where it shows something, else 0.

    Raises:
        InputError: the warp, the picture or its lens cannot be used, or the picture has another size than the warp's.
    """
    require(part in get_args(Part), f"part {part!r}", "target or reference")
    check_lens_choice(lens)
    field = usable_warp(warp)
    layer = _layer(picture, lens)
    expected = field.target_size if part == "target" else field.reference_size
    require(layer.size == expected, f"{layer.name}: {layer.size[0]} x {layer.size[1]} px", _in_words(expected, part))
    width, height = field.canvas_size
    drawn = np.zeros((height, width, *layer.pixels.shape[2:]), layer.pixels.dtype)
    alpha = np.zeros((height, width), np.uint8)
    if part == "reference":
        places = _reference_places(field.canvas, layer)
    else:
        placement = from_warp_field(field)
        places = _target_places(placement, layer)
        if not nearest:  # or it would alias
            layer = shrink(layer, 1 / magnification(placement.map_xy, layer.size, placement.scale))
    shown = None
    if layer.lens and isinstance(picture, np.ndarray):  # what was measured is not brightened
        shown, layer = layer.lens.shown_mask(), replace(layer, lens=None)
    for tile in split_in_tiles(width, height):
        map_xy = places(tile)
        pixels, valid = sample(layer, map_xy, cv2.INTER_NEAREST if nearest else cv2.INTER_CUBIC)
        if shown is not None:
            valid &= remap(shown, map_xy) > 127
        pixels = pixels.reshape(*valid.shape, *drawn.shape[2:])  # (h, w, 1), of which OpenCV makes (h, w)
        drawn[tile.slices][valid] = pixels[valid]
        alpha[tile.slices] = valid * np.uint8(255)
    return drawn, alpha


def _reference_places(canvas: Canvas, layer: Picture) -> Callable[[Rectangle], Field]:
    """Tile of the canvas -> (h, w, 2), px of the reference's photograph."""

    def in_photograph(points: Points) -> Points:
        return layer.to_photograph(canvas.to_reference(points))

    return lambda tile: evaluate_on_grid(in_photograph, tile.size, 1.0, tile.origin)


def _target_places(placement: Placement, layer: Picture) -> Callable[[Rectangle], Field]:
    """Tile of the canvas -> (h, w, 2), px of the target's photograph; outside of it where it is not covered."""
    grid, map_xy = FieldGrid(placement.scale), layer.to_photograph(placement.map_xy)
    covered = placement.covered.astype(np.float32)

    def places(tile: Rectangle) -> Field:
        inside = grid.enlarge(covered, tile) >= 0.5
        return np.where(inside[..., None], grid.enlarge(map_xy, tile), np.float32(OUTSIDE_ALL))

    return places


def _layer(picture: PictureInput | NDArray[Any], lens: str) -> Picture:
    """What is drawn, with its lens."""
    if isinstance(picture, str | PathLike):
        return with_lens(read_picture(fspath(picture)), lens)
    usable = (
        isinstance(picture, np.ndarray)
        and picture.dtype.name in _DTYPES
        and (picture.ndim == 2 or (picture.ndim == 3 and 1 <= picture.shape[2] <= _MOST_CHANNELS))
    )
    got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    require(usable, f"picture: {got}", f"a path, or an array (h, w[, 1 to {_MOST_CHANNELS}]) of {', '.join(_DTYPES)}")
    layer = Picture(np.ascontiguousarray(picture, dtype=picture.dtype.newbyteorder("=")))
    return replace(layer, lens=lens_of(layer, lens))


def _in_words(size: tuple[int, int], part: Part) -> str:
    return f"a picture as large as the {part} of the warp, {size[0]} x {size[1]} px"
