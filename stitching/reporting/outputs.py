"""What is written beside the panorama: aligned pictures, masks, a picture of every stage."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.tiles import split_in_tiles
from stitching.geometry.pixel_maps import Mask, Pixels, resize_field
from stitching.geometry.rectangles import Rectangle
from stitching.io.files import make_folder
from stitching.io.picture_writer import write_picture
from stitching.reporting.visualize import flow_colours, heat_map, robust_limit, weight_colours
from stitching.result import Stitched
from stitching.warping.warp import CanvasPair


def save_mask(stitched: Stitched, path: Path) -> None:
    """Write the panorama's alpha as a grey picture: 255 where the panorama is not empty."""
    write_picture(path, _as_bgr(stitched.alpha))


def save_aligned(stitched: Stitched, folder: Path) -> None:
    """Write both pictures on the canvas before blending, without gain, and the blend.

    `warp1.png` and `mask1.png` are the reference, `warp2.png` and `mask2.png` the target after the estimated warp. A
    mask is 255 where its picture is valid; the target's only where its warp is trusted, so that what is hidden from one
    of the cameras is left out. `blend.png` is the panorama with alpha. All have the size of the canvas at the output's
    scale, before any crop.
    """
    make_folder(folder)
    pictures = stitched.pictures
    for number, draw in ((1, pictures.draw_reference), (2, pictures.draw_target)):
        pixels, valid = _draw_tiles(pictures, draw)
        if number == 2:
            valid[_enlarged(stitched.aligned.trusted, pictures.size) < 0.5] = 0
        write_picture(folder / f"warp{number}.png", pixels)
        write_picture(folder / f"mask{number}.png", _as_bgr(valid))
    crop, (width, height) = stitched.crop, pictures.size
    margins = crop.top, height - crop.bottom, crop.left, width - crop.right
    panorama, alpha = (
        cv2.copyMakeBorder(p, *margins, cv2.BORDER_CONSTANT) for p in (stitched.panorama, stitched.alpha)
    )
    write_picture(folder / "blend.png", panorama, np.asarray(alpha, np.uint8))


def save_intermediates(stitched: Stitched, folder: Path) -> None:
    """Write numbered pictures of every stage, all but the last on the working canvas."""
    make_folder(folder)
    for number, (name, pixels) in enumerate(_stages(stitched), start=1):
        write_picture(folder / f"{number:02d}_{name}.png", pixels)


def _stages(stitched: Stitched) -> Iterator[tuple[str, Pixels]]:
    pair = stitched.coarse_pair
    if pair is not None:
        yield "matches", _draw_matches(pair)
        yield "coarse_reference", pair.reference
        yield "coarse_target", pair.target
        yield "coarse_overlay", _overlay(pair.reference, pair.target, pair.reference_valid, pair.target_valid)
    aligned = stitched.aligned
    lengths = np.linalg.norm(np.nan_to_num(stitched.residual), axis=2)
    yield "residual", flow_colours(-stitched.residual)
    yield "parallax", heat_map(lengths, aligned.target_valid, robust_limit(lengths, aligned.target_valid))
    yield "warped_target", aligned.target
    yield (
        "warped_overlay",
        _overlay(aligned.reference, aligned.target, aligned.reference_valid, aligned.target_valid),
    )
    yield "trusted", _as_bgr(stitched.aligned.trusted * np.uint8(255))
    yield "gain", np.clip(stitched.blend.gain * 127, 0, 255).astype(np.uint8)
    yield "weight", weight_colours(stitched.blend.weight)
    yield "panorama", stitched.panorama


def _draw_matches(pair: CanvasPair) -> Pixels:
    """Where each trusted match lies on the working canvas: reference green, target red, a line between."""
    drawn = _overlay(pair.reference, pair.target, pair.reference_valid, pair.target_valid)
    ends = (points.round().astype(int).tolist() for points in (pair.reference_points, pair.target_points))
    for reference_point, target_point in zip(*ends, strict=True):
        cv2.line(drawn, reference_point, target_point, (0, 255, 255))
        cv2.circle(drawn, reference_point, 2, (0, 255, 0), -1)
        cv2.circle(drawn, target_point, 2, (0, 0, 255), -1)
    return drawn


def _overlay(first: NDArray[np.uint8], second: NDArray[np.uint8], first_valid: Mask, second_valid: Mask) -> Pixels:
    """The mean where both are valid, else the one that is."""
    both = (first_valid & second_valid)[..., None]
    return np.where(both, cv2.addWeighted(first, 0.5, second, 0.5, 0), cv2.max(first, second)).astype(np.uint8)


def _draw_tiles(
    pictures: PanoramaPictures, draw: Callable[[Rectangle], tuple[Pixels, Mask]]
) -> tuple[Pixels, NDArray[np.uint8]]:
    """All tiles of one picture, (H, W, 3), zero where it has nothing, and its mask (H, W), 255 or 0."""
    width, height = pictures.size
    pixels = np.zeros((height, width, 3), pictures.reference.pixels.dtype)
    valid = np.zeros((height, width), np.uint8)
    for tile in split_in_tiles(width, height):
        drawn, inside = draw(tile)
        pixels[tile.slices] = np.where(inside[..., None], drawn, 0)
        valid[tile.slices] = inside * np.uint8(255)
    return pixels, valid


def _enlarged(mask: Mask, size: tuple[int, int]) -> NDArray[np.float32]:
    return resize_field(mask.astype(np.float32), size)


def _as_bgr(values: NDArray[np.uint8]) -> Pixels:
    return np.repeat(values[..., None], 3, axis=2)
