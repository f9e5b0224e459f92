"""Plans the canvas: the plane, or a cylinder whose axis follows the pan, and bounds that hold both pictures."""

from collections.abc import Callable

import numpy as np

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.coarse_warp import Bounds, CoarseWarp, SurfaceWarp, picture_outline, warp_to_surface
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, focal_length, project, size_variation
from stitching.geometry.pixel_maps import Points, Size, even_grid, inside

MAX_PLANE_VARIATION = 2.0  # of sizes across the target; above, the canvas is a cylinder if that helps:
MAX_CYLINDER_VARIATION = 0.8  # of that on the plane; 0.4 to 0.7 where a camera turned, 0.85 and more where it moved
MAX_PLANE_FIELD = 90.0  # degrees from one side of the pictures to the other, on a plane
MAX_REACH = 1.5  # diagonals of the larger picture, that the canvas may reach out of the reference
SEARCH_ROUNDS = 3  # each samples the bounds that the one before found, so they become sharper


def plan_coarse_warp(
    alignment: Alignment,
    reference_size: Size,
    target_size: Size,
    known_focal: Callable[[], float | None] = lambda: None,
    *,
    certain: bool = False,
) -> CoarseWarp:
    """Choose the surface and the part of it that holds both pictures.

    Args:
        alignment: coarse alignment in px of the full-size pictures.
        reference_size, target_size: (w, h), px.
        known_focal: gives that of the reference, of half its diagonal, where its metadata say it. It is asked for only
            where it counts: looking it up may take 0.1 s.
        certain: whether it is that of a lens which is corrected. Then pictures that together show more than
            `MAX_PLANE_FIELD` lie on a cylinder: on a plane a wide lens's corners would be drawn out to long tips.

    Returns:
        The coarse warp on its canvas, which reaches at most `MAX_REACH` diagonals out of the reference, whatever
        the homography.
    """

    def known() -> float | None:
        focal = known_focal()
        return None if focal is None else focal * float(np.hypot(*reference_size)) / 2

    surface = None
    if certain and (focal := known()):
        surface = _wide_surface(alignment.homography, reference_size, target_size, focal)
    surface = surface or _choose_surface(alignment.homography, reference_size, target_size, known)
    warp = warp_to_surface(surface, alignment.homography, reference_size, target_size)
    return CoarseWarp(_bounding_canvas(warp, reference_size, target_size), warp)


def _choose_surface(
    homography: Matrix, reference_size: Size, target_size: Size, known: Callable[[], float | None]
) -> Surface:
    """The plane, or where the target's sizes vary much on it, the cylinder whose axis is across the pan."""
    centre, target_centre = _centre(reference_size), np.array([_centre(target_size)])
    plane_variation = size_variation(homography, target_size)
    if plane_variation > MAX_PLANE_VARIATION:
        across, down = np.abs(project(homography, target_centre)[0] - centre)
        focal = focal_length(homography, reference_size, target_size, known())
        cylinder = Surface(focal, centre, horizontal_axis=down > across)
        if variation_on(cylinder, homography, target_size) < MAX_CYLINDER_VARIATION * plane_variation:
            return cylinder
    return Surface(None, centre)


def _wide_surface(homography: Matrix, reference_size: Size, target_size: Size, focal: float) -> Surface | None:
    """The cylinder along the longer side of what both pictures show; None where a plane can show it."""
    centre = _centre(reference_size)
    # Not the corners: on the plane a wide picture's lie far up and down, however level the camera was turned.
    sides = _side_middles(reference_size), project(homography, _side_middles(target_size))
    angles = np.arctan((np.concatenate(sides) - centre) / focal)
    across, down = np.rad2deg(np.ptp(angles, axis=0))  # NaN where a part is behind the reference camera
    if across <= MAX_PLANE_FIELD and down <= MAX_PLANE_FIELD:
        return None
    return Surface(focal, centre, horizontal_axis=bool(down > across))


def _side_middles(size: Size) -> Points:
    """(4, 2): left, right, top and bottom."""
    (w, h), (x, y) = size, _centre(size)
    return np.array([[0, y], [w - 1, y], [x, 0], [x, h - 1]])


def _centre(size: Size) -> tuple[float, float]:
    return (size[0] - 1) / 2, (size[1] - 1) / 2


def variation_on(surface: Surface, homography: Matrix, target_size: Size) -> float:
    """As `size_variation`, on a surface; infinite where a part of the target is behind the reference camera."""
    places = surface.from_reference(project(homography, even_grid((0, 0), (target_size[0] - 1, target_size[1] - 1))))
    if not np.isfinite(places).all():
        return float("inf")
    right, down = np.diff(places, axis=1)[:-1], np.diff(places, axis=0)[:, :-1]  # edges of the grid's cells
    low, high = np.percentile(np.abs(right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]), [5, 95])
    return float(np.sqrt(high / max(low, 1e-12)))


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
