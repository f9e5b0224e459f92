"""Plans the canvas: the plane, or a cylinder whose axis follows the pan, and bounds that hold both pictures."""

import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.coarse_warp import Bounds, CoarseWarp, SurfaceWarp, picture_outline, warp_to_surface
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, focal_length, size_variation
from stitching.geometry.pixel_maps import Size, even_grid, inside

MAX_PLANE_VARIATION = 2.0  # of sizes across the target; above, the canvas is a cylinder
MAX_REACH = 1.5  # diagonals of the larger picture, that the canvas may reach out of the reference
SEARCH_ROUNDS = 3  # each samples the bounds that the one before found, so they become sharper


def plan_coarse_warp(alignment: Alignment, reference_size: Size, target_size: Size) -> CoarseWarp:
    """Choose the surface and the part of it that holds both pictures.

    Args:
        alignment: coarse alignment in px of the full-size pictures.
        reference_size, target_size: (w, h), px.

    Returns:
        The coarse warp on its canvas, which reaches at most `MAX_REACH` diagonals out of the reference, whatever
        the homography.
    """
    w, h = reference_size
    homography = alignment.homography
    needs_cylinder = size_variation(homography, target_size) > MAX_PLANE_VARIATION
    focal = focal_length(homography, reference_size, target_size) if needs_cylinder else None
    surface = Surface(focal, ((w - 1) / 2, (h - 1) / 2), needs_cylinder and _pans_vertically(homography))
    warp = warp_to_surface(surface, homography, reference_size, target_size)
    return CoarseWarp(_bounding_canvas(warp, reference_size, target_size), warp)


def _pans_vertically(homography: Matrix) -> bool:
    """Whether sizes vary more along the reference's columns than along its rows; as they do when a camera is tilted.

    The homography's horizon in the reference is perpendicular to that direction.
    """
    across, down = np.abs(np.linalg.inv(homography)[2, :2])
    return bool(down > across)


def _bounding_canvas(warp: SurfaceWarp, reference_size: Size, target_size: Size) -> Canvas:
    """The smallest canvas that holds the reference's frame and all surface points that show the target."""
    target_diagonal = abs(1 / warp.similarity[0]) * float(np.hypot(*target_size))  # surface px
    reach = MAX_REACH * max(float(np.hypot(*reference_size)), target_diagonal)
    frame_low, frame_high = warp.frame
    bounds = frame_low - reach, frame_high + reach
    for _ in range(SEARCH_ROUNDS):
        bounds = _bounds_of_target(warp, bounds, target_size)
    low, high = bounds
    outline = warp.inverse(picture_outline(target_size))
    if np.isfinite(outline).all():  # known exactly: no empty margin
        low, high = np.maximum(low, outline.min(axis=0) - 1), np.minimum(high, outline.max(axis=0) + 1)
    left, top = np.floor(np.minimum(low, frame_low)).astype(int).tolist()
    right, bottom = np.ceil(np.maximum(high, frame_high)).astype(int).tolist()
    return Canvas(warp.surface, (left, top), (right - left + 1, bottom - top + 1))


def _bounds_of_target(warp: SurfaceWarp, bounds: Bounds, target_size: Size) -> Bounds:
    """Within `bounds`, those of the samples that show the target, and one sample more on each side."""
    low, high = bounds
    grid = even_grid(low, high)
    visible = grid[inside(warp(grid), target_size)]  # (n, 2)
    found = visible if len(visible) else warp.frame[0][None]
    step = grid[1, 1] - grid[0, 0]
    return np.maximum(low, found.min(axis=0) - step), np.minimum(high, found.max(axis=0) + step)
