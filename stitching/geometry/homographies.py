"""Homographies: (3, 3) float64 matrices that map points of one plane to another."""

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, Points, Size, even_grid, pixel_grid

Matrix = NDArray[np.float64]
Motion = Literal["perspective", "affine", "translation"]  # kinds of homographies, the most general first
MOTIONS = get_args(Motion)

MIN_DEPTH_RATIO = 0.1  # of the smallest to the largest depth of a target's corner; at 0 the horizon goes through it
MIN_OVERLAP = 0.01  # of the reference's area
MAX_AREA_CHANGE = 5.0  # of the overlap, both ways
USUAL_FIELD_OF_VIEW = 60.0  # degrees along the longer side
MAX_FOCAL_ERROR = 1.3  # of a focal length that metadata say, or of a homography's: cropped, rounded, misled
_FIT_STEP = 16  # px between the points that a homography is fitted to


def project(homography: NDArray[np.floating], points: Points) -> Points:
    """Map (..., 2) points; those on or behind the horizon become NaN."""
    return from_homogeneous(points @ homography[:, :2].T + homography[:, 2])


def to_homogeneous(points: Points) -> Points:
    """(..., 2) -> (..., 3): a third coordinate of 1."""
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)


def from_homogeneous(points: Points) -> Points:
    """(..., 3) -> (..., 2), divided by the third coordinate; NaN where that is not positive: behind the horizon."""
    depth = np.where(points[..., 2:] > 1e-9, points[..., 2:], np.nan)
    result: Points = points[..., :2] / depth
    return result


def scaling_homography(x: float, y: float | None = None) -> Matrix:
    """The homography of enlarging a picture `x` times in width and `y` (None: as much) in height.

    The same as `pixel_maps.rescale`, as a matrix.
    """
    y = x if y is None else y
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]], np.float64)


def is_plausible(homography: Matrix, target_shape: tuple[int, ...], reference_shape: tuple[int, ...]) -> bool:
    """Whether a homography, target px -> reference px, could come from two photographs of one scene.

    Refused: horizon in the target; mirrored or folded target; pictures that hardly overlap; area of the overlap
    changed more than `MAX_AREA_CHANGE` times. Shapes are (h, w[, c]).
    """
    if not np.isfinite(homography).all() or _has_horizon(homography, target_shape):
        return False
    outline = project(homography, corners(target_shape))
    return _is_convex(outline) and _overlaps_in_similar_size(homography, outline, reference_shape)


def _has_horizon(homography: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether points that the homography maps to infinity, or behind the camera, lie in or near the picture."""
    depth = homography[2, :2] @ corners(shape).T + homography[2, 2]  # (4,)
    return bool((depth <= MIN_DEPTH_RATIO * depth.max()).any())


def _is_convex(outline: Points) -> bool:
    """Whether the four corners (4, 2), given clockwise, are a convex quadrilateral and still clockwise."""
    edges = np.roll(outline, -1, axis=0) - outline
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    return bool((turns > 0).all())


def _overlaps_in_similar_size(homography: Matrix, outline: Points, reference_shape: tuple[int, ...]) -> bool:
    """Whether the target, of this outline (4, 2) in the reference, overlaps it, without a great change of area."""
    frame = corners(reference_shape).astype(np.float32)
    area, overlap = cv2.intersectConvexConvex(outline.astype(np.float32), frame)
    if area < MIN_OVERLAP * reference_shape[1] * reference_shape[0]:
        return False
    overlap_corners = np.asarray(overlap, np.float64).reshape(-1, 2)  # (k, 1, 2) -> (k, 2)
    in_target = project(np.linalg.inv(homography), overlap_corners)
    change = area / max(cv2.contourArea(in_target.astype(np.float32)), 1e-6)
    return 1 / MAX_AREA_CHANGE < change < MAX_AREA_CHANGE


def corners(shape: tuple[int, ...]) -> Points:
    """(4, 2): centres of the corner pixels of a picture (h, w[, c]), clockwise."""
    h, w = shape[:2]
    return np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float64)


def size_variation(homography: Matrix, size: Size) -> float:
    """Ratio of the largest to the smallest magnification of lengths over a picture (95th to 5th percentile)."""
    points = even_grid((0, 0), (size[0] - 1, size[1] - 1))
    depth = points @ homography[2, :2] + homography[2, 2]
    area = np.abs(np.linalg.det(homography)) / np.maximum(depth, 1e-9) ** 3
    low, high = np.percentile(area, [5, 95])
    return float(np.sqrt(high / max(low, 1e-12)))


def focal_length(homography: Matrix, reference_size: Size, target_size: Size, known: float | None = None) -> float:
    """Focal length of the reference camera, px, if the camera only turned; else the known one, or that of a usual lens.

    Szeliski & Shum 1997, section 4: the rows of R = K^-1 H K are orthogonal and of equal length. Of a camera that moved
    they tell little: from `MAX_FOCAL_ERROR` times the known focal length on, `known`, px, is believed more.
    """
    longer_side = max(reference_size)
    usual = known or longer_side / (2 * np.tan(np.deg2rad(USUAL_FIELD_OF_VIEW / 2)))
    (rw, rh), (tw, th) = reference_size, target_size
    to_centre = np.array([[1, 0, -(rw - 1) / 2], [0, 1, -(rh - 1) / 2], [0, 0, 1]])
    from_centre = np.array([[1, 0, (tw - 1) / 2], [0, 1, (th - 1) / 2], [0, 0, 1]])
    m = to_centre @ homography @ from_centre
    estimates = []  # (how well conditioned, focal length)
    for numerator, denominator in (
        (-(m[0, 2] * m[1, 2]), m[0, 0] * m[1, 0] + m[0, 1] * m[1, 1]),
        (m[0, 2] ** 2 - m[1, 2] ** 2, m[1, 0] ** 2 + m[1, 1] ** 2 - m[0, 0] ** 2 - m[0, 1] ** 2),
    ):
        if abs(denominator) > 1e-9 and numerator / denominator > 0:
            estimates.append((abs(denominator), float(np.sqrt(numerator / denominator))))
    focal = max(estimates)[1] if estimates else usual
    if known and not 1 / MAX_FOCAL_ERROR < focal / known < MAX_FOCAL_ERROR:
        return known
    return float(focal) if 0.4 < focal / longer_side < 5 else float(usual)


def nearest_homography(start: NDArray[np.floating], end: NDArray[np.floating]) -> Matrix | None:
    """The homography that maps points (n, 2) to others best in the sense of least squares; None for fewer than four."""
    if len(start) < 4:
        return None
    homography, _ = cv2.findHomography(start, end, 0)
    return None if homography is None else np.asarray(homography, np.float64)


def nearest_homography_map(map_xy: Field, known: Mask) -> Field:
    """The homography that fits a map best in the sense of least squares, as a map.

    Args:
        map_xy: (h, w, 2) px.
        known: (h, w), the pixels that are fitted.

    Returns:
        (h, w, 2) px; the identity where fewer than four points are known.
    """
    h, w = known.shape
    grid = pixel_grid(h, w)
    sampled = known[::_FIT_STEP, ::_FIT_STEP]
    start, end = grid[::_FIT_STEP, ::_FIT_STEP][sampled], map_xy[::_FIT_STEP, ::_FIT_STEP][sampled]  # (n, 2) each
    homography = nearest_homography(start, end)
    if homography is None:
        return grid
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)  # (h, w, 2) -> (h w, 1, 2)
    return np.asarray(moved, np.float32).reshape(h, w, 2)  # (h w, 1, 2) -> (h, w, 2)
