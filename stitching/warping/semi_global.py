"""Flow along epipolar lines by semi-global matching: for displacements too large for a local search."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, Mask, Points, pixel_grid, remap

FEWEST_MATCHES = 15
WORST_ROW_ERROR = 1.5  # px, median, of the matches after rectification
MOST_STRETCH = 3.0  # of the rectification, anywhere in the overlap
MOST_DISPARITIES = 160
BLOCK = 3  # px


@dataclass(frozen=True)
class Rectification:
    """Two homographies after which matching points share a row.

    Attributes:
        start, end: (3, 3), picture px -> rectified px.
        size: (w, h) of the rectified pictures.
        disparities: how far to search: start x - end x lies in 0..disparities (a multiple of 16).
    """

    start: Matrix
    end: Matrix
    size: tuple[int, int]
    disparities: int


def epipolar_flow(
    start: NDArray[np.uint8], end: NDArray[np.uint8], overlap: Mask,
    start_points: Points, end_points: Points, scale: float,
) -> tuple[Field, Field] | None:  # fmt: skip
    """Flow both ways between two views of a still scene.

    Args:
        start, end: (h, w) uint8.
        overlap: (h, w), where to match.
        start_points, end_points: (n, 2) matched places, px.
        scale: size of the rectified pictures, 1 = as large as the overlap.

    Returns:
        start -> end and end -> start, each (h, w, 2); None where the epipolar geometry is not good enough
        (few matches, a camera that only turned, an epipole in the picture, a very large range).
    """
    rectification = rectify(start_points, end_points, overlap, scale)
    if rectification is None:
        return None
    r = rectification
    left, right = (
        np.asarray(cv2.warpPerspective(p, h, r.size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        for p, h in ((start, r.start), (end, r.end))
    )
    there = _disparity(left, right, r.disparities)
    mirrored = _disparity(right[:, ::-1], left[:, ::-1], r.disparities)
    back = np.ascontiguousarray(mirrored[:, ::-1])
    shape = overlap.shape[0], overlap.shape[1]
    return _to_flow(there, r.start, r.end, -1, shape), _to_flow(back, r.end, r.start, 1, shape)


def rectify(start: Points, end: Points, overlap: Mask, scale: float) -> Rectification | None:
    """Rectify an uncalibrated pair (Hartley 1999), the overlap `scale` times as large; None if it cannot."""
    h, w = overlap.shape
    if len(start) < FEWEST_MATCHES or not overlap.any():
        return None
    _, fits = cv2.findFundamentalMat(start, end, cv2.USAC_MAGSAC, 1.0, 0.999, 5000)
    if fits is None or fits.sum() < FEWEST_MATCHES:
        return None
    start, end = start[fits.ravel() > 0], end[fits.ravel() > 0]
    fundamental, _ = cv2.findFundamentalMat(start, end, cv2.FM_8POINT)
    if fundamental is None or fundamental.shape != (3, 3):
        return None
    done, to_start, to_end = cv2.stereoRectifyUncalibrated(start, end, fundamental, (w, h))
    if not done:
        return None
    rows, columns = np.nonzero(overlap)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    box = np.array([(left, top), (left, bottom), (right, top), (right, bottom)], np.float64)
    middle = box.mean(axis=0)
    to_start, to_end = (h * np.sign(h[2, :2] @ middle + h[2, 2]) for h in (to_start, to_end))
    enlargement = scale / np.sqrt(abs(np.linalg.det(_jacobian(to_start, middle))))
    enlarge = np.diag([enlargement, enlargement, 1.0])
    to_start, to_end = enlarge @ to_start, enlarge @ to_end
    if not _is_gentle(to_start, to_end, box, scale):
        return None
    row_error = np.abs(project(to_start, start)[:, 1] - project(to_end, end)[:, 1])
    if not np.nanmedian(row_error) <= WORST_ROW_ERROR * scale:
        return None
    return _framed(to_start, to_end, box, start, end)


def _framed(to_start: Matrix, to_end: Matrix, box: Points, start: Points, end: Points) -> Rectification | None:
    """Shift both rectified pictures so that `box` and all that may match it fit, all disparities positive."""
    corners, end_corners = project(to_start, box), project(to_end, box)
    top = min(corners[:, 1].min(), end_corners[:, 1].min())
    bottom = max(corners[:, 1].max(), end_corners[:, 1].max())
    left, right = corners[:, 0].min(), corners[:, 0].max()
    disparity = project(to_start, start)[:, 0] - project(to_end, end)[:, 0]
    low, high = np.nanpercentile(disparity, [1, 99])
    reserve = 0.25 * (high - low) + 4
    low, high = np.floor(low - reserve), np.ceil(high + reserve)
    disparities = int(np.ceil((high - low) / 16)) * 16
    if disparities > MOST_DISPARITIES:
        return None
    # What a pixel may match lies up to `disparities` px left of it, seen from the other picture right of it.
    place_start = np.array([[1, 0, disparities - left], [0, 1, -top], [0, 0, 1]])
    place_end = np.array([[1, 0, disparities + low - left], [0, 1, -top], [0, 0, 1]])
    size = int(np.ceil(right - left)) + 1 + 2 * disparities, int(np.ceil(bottom - top)) + 1
    return Rectification(place_start @ to_start, place_end @ to_end, size, disparities)


def _jacobian(homography: Matrix, point: Points) -> Matrix:
    """(2, 2) derivative of a homography at a point."""
    step = np.array([[0.5, 0], [0, 0.5]])
    return (project(homography, point + step) - project(homography, point - step)).T


def _is_gentle(to_start: Matrix, to_end: Matrix, box: Points, scale: float) -> bool:
    jacobians = np.array([_jacobian(side, corner) for side in (to_start, to_end) for corner in box])
    if not np.isfinite(jacobians).all():  # a corner lies at the horizon or behind it
        return False
    stretch = np.linalg.svd(jacobians, compute_uv=False) / scale
    return bool(stretch.max() < MOST_STRETCH and stretch.min() > 1 / MOST_STRETCH)


def _disparity(left: NDArray[np.uint8], right: NDArray[np.uint8], disparities: int) -> NDArray[np.float32]:
    """(h, w) px; semi-global matching (Hirschmueller 2008), three-way variant; about -1 where invalid."""
    matcher = cv2.StereoSGBM.create(
        0, disparities, BLOCK, P1=24 * BLOCK**2, P2=96 * BLOCK**2, disp12MaxDiff=-1, preFilterCap=31,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    sixteenths = matcher.compute(left, right)
    return np.asarray(sixteenths, np.float32) / np.float32(16)


def _to_flow(
    disparity: NDArray[np.float32], to_start: Matrix, to_end: Matrix, sign: int, shape: tuple[int, int]
) -> Field:
    """Bring a disparity map back to the pictures' own pixels as a flow (h, w, 2)."""
    grid = pixel_grid(*shape)
    places = project(to_start, grid.astype(np.float64))
    places[np.isnan(places)] = OUTSIDE_ALL
    places[..., 0] += sign * remap(disparity, places.astype(np.float32), cv2.INTER_NEAREST)
    flow = project(np.linalg.inv(to_end), places) - grid
    return np.nan_to_num(flow, nan=1e3).astype(np.float32)
