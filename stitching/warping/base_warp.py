"""The base warp: a smooth backward map that goes on calmly where nothing can be matched.

The homography nearest to the dense map, and a mesh that takes what remains of it where both pictures have
texture: tied most to the seam, robust against near things that move unlike the rest, and free of bends beyond the
overlap, with straight lines kept straight (the ideas of Zaragoza et al. 2013, APAP, of Chen & Chuang 2016, NISwGSP, and
of Liao & Li 2019, SPW, on a mesh of splines).
"""

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_warp import CoarseWarp, warp_to_surface
from stitching.geometry.canvas import Canvas
from stitching.geometry.homographies import is_plausible, nearest_homography
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, Mask, Points, Size, evaluate_on_grid, pixel_grid, rescale
from stitching.warping.placement import Placement
from stitching.warping.spline_mesh import SplineMesh, fit_smoothly
from stitching.warping.straight_lines import line_triples

CELLS = 20  # of the mesh, along the longer side of the canvas
SAMPLES = 4  # of the dense map, along the side of a cell
TOLERANCE = 0.015  # of the diagonal: how far from the mesh the dense map may be and still count
SEAM_WEIGHT = 12.0  # that the dense map has at the seam, in addition to 1 in the rest of the overlap
SEAM_REACH = 0.06  # of the diagonal, in which that falls to 1/e
BEYOND_WEIGHT = 0.05  # of the dense map beyond the overlap, where it is a guess itself
FIT_STEP = 16  # px between the points that the homography is fitted to
MIN_POINTS = 16  # that a homography is fitted to


def base_map(
    placement: Placement,
    coarse: Field,
    reliable: NDArray[np.float32],
    seam_distance: NDArray[np.float32],
    beyond: Mask,
    segments: Points,
) -> Field:
    """The base warp of a placement.

    Args:
        placement: of the target.
        coarse: (h, w, 2) canvas -> full-size target px, see `nearest_coarse_map`: what holds far from the overlap.
        reliable: (h, w) 0..1, how well the dense map is known; 0 outside the overlap.
        seam_distance: (h, w) px.
        beyond: (h, w), where the reference has no pixels.
        segments: (n, 2, 2) px, ends of straight lines that stay straight.

    Returns:
        (h, w, 2) canvas -> full-size target px, everywhere.
    """
    h, w = beyond.shape
    diagonal = float(np.hypot(h, w))
    mesh = SplineMesh.over((w, h), CELLS)
    step = max(1, round(mesh.cell / SAMPLES))
    sampled = slice(step // 2, None, step), slice(step // 2, None, step)
    boost = 1 + SEAM_WEIGHT * np.exp(-np.square(seam_distance[sampled] / (SEAM_REACH * diagonal)))
    weight = reliable[sampled] * boost + BEYOND_WEIGHT * (placement.covered & beyond)[sampled]
    known = (weight > 0) & (coarse[sampled][..., 0] > OUTSIDE_ALL / 2)
    unit = target_px_per_working_px(coarse, placement.covered)
    points = pixel_grid(h, w)[sampled][known].astype(np.float64)  # (n, 2)
    residual = (placement.map_xy - coarse)[sampled][known].astype(np.float64) / unit
    share = weight[known].astype(np.float64) * (step / mesh.cell) ** 2
    lines = line_triples(segments, coarse, mesh.cell)
    controls = fit_smoothly(mesh, points, residual, share, TOLERANCE * diagonal, lines)
    return np.asarray(coarse + np.float32(unit) * mesh.evaluate(controls, (w, h)), np.float32)


def nearest_coarse_map(placement: Placement, canvas: Canvas, reference_size: Size, target_size: Size) -> Field:
    """The coarse warp of the homography that fits a placement best in the sense of least squares.

    Args:
        placement: of the target.
        canvas: that it lies on.
        reference_size, target_size: (w, h) of the full-size pictures.

    Returns:
        (h, w, 2) working canvas -> full-size target px; the placement's own map where no homography fits.
    """
    h, w = placement.covered.shape
    sampled = placement.covered[::FIT_STEP, ::FIT_STEP]
    grid = pixel_grid(h, w)[::FIT_STEP, ::FIT_STEP][sampled].astype(np.float64)  # (n, 2)
    in_reference = canvas.to_reference(rescale(grid, 1 / placement.scale))
    in_target = placement.map_xy[::FIT_STEP, ::FIT_STEP][sampled].astype(np.float64)
    known = np.isfinite(in_reference).all(axis=1)
    homography = nearest_homography(in_target[known], in_reference[known]) if known.sum() >= MIN_POINTS else None
    if homography is None or not is_plausible(homography, target_size[::-1], reference_size[::-1]):
        return placement.map_xy
    warp = CoarseWarp(canvas, warp_to_surface(canvas.surface, homography, reference_size, target_size))
    return evaluate_on_grid(warp, (w, h), placement.scale)


def parallax(placement: Placement, coarse: Field) -> NDArray[np.float32]:
    """(h, w) px of the grid: how far a placement is from one homography, `nearest_coarse_map`; near things are far.

    The base warp stays near that homography, so what a seam cuts there is bent on the way to it. 0 where the placement
    is not covered: there a loaded one is another guess.
    """
    across, down = np.moveaxis(placement.map_xy - coarse, -1, 0)
    found = np.hypot(across, down) / target_px_per_working_px(coarse, placement.covered)
    return np.where(placement.covered, found, 0).astype(np.float32)


def target_px_per_working_px(map_xy: Field, known: Mask) -> float:
    """How many target px a working px is long: the median over the known pixels of a map (h, w, 2)."""
    across, down = np.diff(map_xy, axis=1)[:-1], np.diff(map_xy, axis=0)[:, :-1]
    area = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0])[known[:-1, :-1]]
    return float(max(np.sqrt(np.median(area)), 1e-6)) if area.size else 1.0
