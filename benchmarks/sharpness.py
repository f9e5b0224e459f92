"""Is the panorama as sharp as the pictures it is made of?

    python benchmarks/sharpness.py [--sizes 0.5 2 12 50]

Stitches made-up pairs (`scene.py`). Of the reference, farther from a seam than blending reaches, it counts the
pixels that came through unchanged. Where the target alone is shown, it compares slopes (mean length of the
gradient): the panorama's with those of the target brought to the same places by the best interpolation at hand
(Lanczos, 8 x 8 px). Beside it the same for linear interpolation, as a yardstick of what unsharp means.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scene import write_pair

from stitching.blending.multiband import SEAM_REACH
from stitching.geometry.pixel_maps import Field, Mask, crop_and_resize, remap, resize_field
from stitching.io.picture import to_8_bit, to_grey
from stitching.result import Stitched
from stitching.stitcher import stitch

TILE = 96  # px of the panorama


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.5, 2, 12, 50], help="Mpx a picture")
    print("  Mpx | reference unchanged | slopes, 1 = as sharp as the target: panorama, linear (tiles)")
    for megapixels in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            files = write_pair(Path(folder), megapixels)
            stitched = stitch(files.reference, files.target)
        ratios = slope_ratios(stitched)
        panorama, linear = np.median(ratios, axis=0) if ratios else (np.nan, np.nan)
        unchanged = unchanged_reference(stitched)
        print(f"{megapixels:5g} | {unchanged:19.2%} | {panorama:.3f}, {linear:.3f} ({len(ratios)})", flush=True)


def unchanged_reference(stitched: Stitched) -> float:
    """Share of the pixels that equal the reference's, of all farther from a seam than blending reaches."""
    size = stitched.panorama.shape[1], stitched.panorama.shape[0]
    shown = (stitched.blend.weight == 1) & stitched.aligned.reference_valid
    alone = (resize_field(shown.astype(np.float32), size) == 1).astype(np.uint8)
    left, top = stitched.canvas.origin
    w, h = stitched.reference.size
    window = slice(-top, h - top), slice(-left, w - left)  # of the reference on the canvas
    far = cv2.distanceTransform(alone, cv2.DIST_L2, 5)[window] > SEAM_REACH
    same = (stitched.panorama[window] == stitched.reference.pixels).all(axis=2)
    return float(same[far].mean())


def slope_ratios(stitched: Stitched) -> list[tuple[float, float]]:
    """For every tile that shows the target alone: slope of the panorama, and of linear interpolation."""
    warp, panorama = stitched.warp, to_grey(to_8_bit(stitched.panorama)).astype(np.float32)
    target = to_grey(to_8_bit(stitched.target.pixels)).astype(np.float32) * stitched.blend.gain.mean()
    alone = np.isfinite(warp.map[..., 0]) & ~stitched.aligned.reference_valid & (stitched.blend.weight == 0)
    ratios = []
    for top in range(0, panorama.shape[0] - TILE + 1, TILE):
        for left in range(0, panorama.shape[1] - TILE + 1, TILE):
            if _around(alone, left, top, warp.scale).all():
                places: Field = crop_and_resize(warp.map, warp.scale, (TILE, TILE), (left, top))
                sharp, linear = (_slope(remap(target, places, kind)) for kind in (cv2.INTER_LANCZOS4, cv2.INTER_LINEAR))
                found = _slope(panorama[top : top + TILE, left : left + TILE])
                ratios.append((found / sharp, linear / sharp))
    return ratios


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
