"""What is written beside the panorama: aligned pictures, masks, a picture of every stage."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.tiles import split_in_tiles
from stitching.geometry.pixel_maps import Mask, Pixels, resize_field
from stitching.geometry.rectangles import Rectangle
from stitching.io.files import atomic_write, make_folder
from stitching.io.picture_writer import write_picture
from stitching.reporting.visualize import flow_colours, heat_map, robust_limit, weight_colours
from stitching.result import Stitched
from stitching.warping.warp import AlignedPair, CanvasPair

SHOWN_FILE = "shown.npz"
# That `save_aligned` writes.
ALIGNED_FILES = ("warp1.png", "mask1.png", "warp2.png", "mask2.png", "blend.png", SHOWN_FILE)


def save_mask(alpha: NDArray[np.uint8], path: Path) -> None:
    """Write a panorama's alpha (h, w) as a grey picture: 255 where the panorama is not empty."""
    write_picture(path, _as_bgr(alpha))


def save_aligned(stitched: Stitched, folder: Path) -> None:
    """Write both pictures on the canvas before blending, without gain, and the blend: `ALIGNED_FILES`.

    `warp1.png` and `mask1.png` are the reference, `warp2.png` and `mask2.png` the target after the estimated warp. A
    mask is 255 where its picture is valid; the target's only where its warp is trusted, so that what is hidden from one
    of the cameras is left out. `blend.png` is the panorama with alpha. All of these have the size of the canvas at the
    output's scale, before any crop. `shown.npz` says what the panorama shows: `map`, where in the target, and `weight`,
    how much of the reference, on the grid of the warp.
    """
    make_folder(folder)
    reference, reference_mask, target, target_mask, blend, shown = (folder / name for name in ALIGNED_FILES)
    pictures = stitched.pictures
    pixels, valid = _draw_tiles(pictures, pictures.draw_reference)
    write_picture(reference, pixels)
    write_picture(reference_mask, _as_bgr(valid))
    pixels, valid = _draw_tiles(pictures, pictures.draw_target)
    valid[_enlarged(stitched.aligned.trusted, pictures.size) < 0.5] = 0
    write_picture(target, pixels)
    write_picture(target_mask, _as_bgr(valid))
    crop, (width, height) = stitched.crop, pictures.size
    margins = crop.top, height - crop.bottom, crop.left, width - crop.right
    panorama, alpha = (
        cv2.copyMakeBorder(p, *margins, cv2.BORDER_CONSTANT) for p in (stitched.panorama, stitched.alpha)
    )
    write_picture(blend, panorama, np.asarray(alpha, np.uint8))
    with atomic_write(shown) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, map=stitched.shown_map, weight=stitched.blend.weight)


def save_intermediates(stitched: Stitched, folder: Path) -> None:
    """Write `STAGE_FILES`, all but the last on the working canvas; those of the alignment only where there was one."""
    make_folder(folder)
    for file, name in zip(STAGE_FILES, (*_ALIGNMENT_STAGES, *_WARP_STAGES), strict=True):
        if name in _WARP_STAGES:
            write_picture(folder / file, _WARP_STAGES[name](stitched))
        elif stitched.coarse_pair is not None:
            write_picture(folder / file, _ALIGNMENT_STAGES[name](stitched.coarse_pair))


def _draw_parallax(stitched: Stitched) -> Pixels:
    lengths = np.linalg.norm(np.nan_to_num(stitched.residual), axis=2)
    valid = stitched.aligned.target_valid
    return heat_map(lengths, valid, robust_limit(lengths, valid))


_ALIGNMENT_STAGES: dict[str, Callable[[CanvasPair], Pixels]] = {
    "matches": lambda pair: _draw_matches(pair),
    "coarse_reference": lambda pair: pair.reference,
    "coarse_target": lambda pair: pair.target,
    "coarse_overlay": lambda pair: _overlay(pair),
}
_WARP_STAGES: dict[str, Callable[[Stitched], Pixels]] = {
    "residual": lambda stitched: flow_colours(-stitched.residual),
    "parallax": _draw_parallax,
    "warped_target": lambda stitched: stitched.aligned.target,
    "warped_overlay": lambda stitched: _overlay(stitched.aligned),
    "trusted": lambda stitched: _as_bgr(stitched.aligned.trusted * np.uint8(255)),
    "gain": lambda stitched: np.clip(stitched.blend.gain * 127, 0, 255).astype(np.uint8),
    "weight": lambda stitched: weight_colours(stitched.blend.weight),
    "panorama": lambda stitched: stitched.panorama,
}
# That `save_intermediates` may write. A stage keeps its number where others are left out.
STAGE_FILES = tuple(f"{n:02d}_{name}.png" for n, name in enumerate((*_ALIGNMENT_STAGES, *_WARP_STAGES), start=1))


def _draw_matches(pair: CanvasPair) -> Pixels:
    """Where each trusted match lies on the working canvas: reference green, target red, a line between."""
    drawn = _overlay(pair)
    ends = (points.round().astype(int).tolist() for points in (pair.reference_points, pair.target_points))
    for reference_point, target_point in zip(*ends, strict=True):
        cv2.line(drawn, reference_point, target_point, (0, 255, 255))
        cv2.circle(drawn, reference_point, 2, (0, 255, 0), -1)
        cv2.circle(drawn, target_point, 2, (0, 0, 255), -1)
    return drawn


def _overlay(pair: CanvasPair | AlignedPair) -> Pixels:
    """The mean where both pictures are valid, else the one that is."""
    both = (pair.reference_valid & pair.target_valid)[..., None]
    mean = cv2.addWeighted(pair.reference, 0.5, pair.target, 0.5, 0)
    return np.where(both, mean, cv2.max(pair.reference, pair.target)).astype(np.uint8)


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
