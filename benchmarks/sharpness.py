"""How sharp is a panorama, beside the pictures it is made of and beside linear interpolation?

    python benchmarks/sharpness.py [--sizes 0.5 2 12 50]

Stitches synthetic pairs (`dead_leaves.py`). Printed for each size:

    reference unchanged   share of the reference's pixels that came through as they were, of those farther from the seam
                          than blending reaches
    slopes                where the target alone is shown, mean length of the gradient, divided by that of the target
                          sampled with Lanczos interpolation (8 x 8 px) at the same positions: of the panorama, and of
                          the target sampled with linear interpolation; medians over tiles of 96 px
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from dead_leaves import write_pair
from environment import describe_environment
from numpy.typing import NDArray

from stitching.blending.multiband import SEAM_REACH
from stitching.geometry.pixel_maps import Field, Mask, Pixels, crop_and_resize, remap, resize_field
from stitching.io.picture import to_8_bit, to_grey
from stitching.result import Stitched
from stitching.stitcher import stitch

TILE = 96  # px of the panorama


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.5, 2, 12, 50], help="Mpx a picture")
    sizes = parser.parse_args().sizes
    print(describe_environment())
    print("  Mpx | reference unchanged | slopes, 1 = as sharp as the target: panorama, linear (tiles)")
    for megapixels in sizes:
        with tempfile.TemporaryDirectory() as folder:
            files = write_pair(Path(folder), megapixels)
            stitched = stitch(files.reference, files.target)
        ratios = slope_ratios(stitched)
        panorama, linear = np.median(ratios, axis=0) if ratios else (np.nan, np.nan)
        unchanged = unchanged_reference(stitched)
        print(f"{megapixels:5g} | {unchanged:19.2%} | {panorama:.3f}, {linear:.3f} ({len(ratios)})", flush=True)


def unchanged_reference(stitched: Stitched) -> float:
    """Share of the pixels that equal the reference's, of all farther from a seam than blending reaches."""
    panorama = _on_canvas(stitched)
    shown = (stitched.blend.weight == 1) & stitched.aligned.reference_valid
    alone = (resize_field(shown.astype(np.float32), stitched.pictures.size) == 1).astype(np.uint8)
    left, top = stitched.canvas.origin
    w, h = stitched.reference.size
    frame = slice(-top, h - top), slice(-left, w - left)  # of the reference on the canvas
    far = cv2.distanceTransform(alone, cv2.DIST_L2, 5)[frame] > SEAM_REACH
    same = (panorama[frame] == stitched.reference.pixels).all(axis=2)
    return float(same[far].mean())


def slope_ratios(stitched: Stitched) -> list[tuple[float, float]]:
    """For every tile that shows the target alone: slope of the panorama, and of linear interpolation."""
    warp, panorama = stitched.warp, to_grey(to_8_bit(_on_canvas(stitched))).astype(np.float32)
    target = to_grey(to_8_bit(stitched.target.pixels)).astype(np.float32) * stitched.blend.gain.mean()
    alone = np.isfinite(warp.map[..., 0]) & ~stitched.aligned.reference_valid & (stitched.blend.weight == 0)
    ratios = []
    for top in range(0, panorama.shape[0] - TILE + 1, TILE):
        for left in range(0, panorama.shape[1] - TILE + 1, TILE):
            if not _around(alone, left, top, warp.scale).all():
                continue
            map_xy: Field = crop_and_resize(warp.map, warp.scale, (TILE, TILE), (left, top))
            lanczos, linear = (_slope(remap(target, map_xy, kind)) for kind in (cv2.INTER_LANCZOS4, cv2.INTER_LINEAR))
            slope = _slope(panorama[top : top + TILE, left : left + TILE])
            ratios.append((slope / lanczos, linear / lanczos))
    return ratios


def _on_canvas(stitched: Stitched) -> Pixels:
    """The panorama (h, w, 3) with the empty outermost rows and columns of its canvas."""
    width, height = stitched.pictures.size
    canvas = np.zeros((height, width, 3), stitched.panorama.dtype)
    canvas[stitched.crop.slices] = stitched.panorama
    return canvas


def _slope(grey: NDArray[np.float32]) -> float:
    """Mean length of the gradient, grey levels per px."""
    dy, dx = np.gradient(grey)
    return float(np.hypot(dx, dy).mean())


def _around(mask: Mask, left: int, top: int, scale: float) -> Mask:
    """The pixels of a mask of the working grid that a tile of the panorama touches."""
    rows, columns = (slice(max(int(a * scale) - 1, 0), int((a + TILE) * scale) + 2) for a in (top, left))
    return mask[rows, columns]


if __name__ == "__main__":
    main()
