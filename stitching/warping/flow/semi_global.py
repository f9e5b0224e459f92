"""Flow along epipolar lines by semi-global matching: for displacements that are too large for a local search.

In a still scene a pixel can only match on its epipolar line, so that a large range can be searched pixel by pixel, and
smoothness along several directions decides between positions that look alike (Hirschmueller 2008). The pictures are
uncalibrated, so they are rectified from their sparse matches (Hartley 1999).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import MAX_DISAGREEMENT, agree_with_neighbours, epipolar_inliers
from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Field, Grey, Mask, Points, pixel_grid, remap
from stitching.warping.flow.flow_warp import BidirectionalFlow

MIN_MATCHES = 15  # that fit the epipolar geometry
MAX_EPIPOLAR_ERROR = 1.0  # px between an inlier and its epipolar line
MAX_ROW_ERROR = 1.5  # px, median over the matches after rectification
MAX_STRETCH = 3.0  # by the rectification, anywhere in the overlap
MAX_DISPARITIES = 160  # px, range of the search; where it is larger, smaller pictures are matched,
MIN_SCALE = 0.5  # but none smaller than this share of the given pictures
DISPARITY_STEP = 16  # px: StereoSGBM searches multiples of it
BLOCK = 3  # px, side of the blocks that are compared
UNKNOWN_FLOW = 1e3  # px; stands for flow to a point behind the camera, which no check takes for right


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
    start: Grey, end: Grey, overlap: Mask, start_points: Points, end_points: Points, scale: float
) -> BidirectionalFlow | None:
    """Flow both ways between two views of a still scene.

    Args:
        start, end: (h, w) uint8.
        overlap: (h, w), where to match.
        start_points, end_points: (n, 2) matched points, px.
        scale: size of the rectified pictures, 1 = as large as the overlap.

    Returns:
        Flow start -> end and back; None where the epipolar geometry is not good enough (few
        matches, a camera that only turned, an epipole in the picture, an extreme range).
    """
    rectification = rectify(start_points, end_points, overlap, scale)
    if rectification is None:
        return None
    to_start, to_end, size = rectification.start, rectification.end, rectification.size
    left, right = (
        np.asarray(cv2.warpPerspective(picture, homography, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        for picture, homography in ((start, to_start), (end, to_end))
    )
    forward = _disparity(left, right, rectification.disparities)
    # The matcher searches to the left only; mirrored, what lies to the right.
    mirrored = _disparity(right[:, ::-1], left[:, ::-1], rectification.disparities)
    backward = np.ascontiguousarray(mirrored[:, ::-1])
    shape = overlap.shape[0], overlap.shape[1]
    return BidirectionalFlow(
        _flow_of_disparity(-forward, to_start, to_end, shape), _flow_of_disparity(backward, to_end, to_start, shape)
    )


def rectify(start: Points, end: Points, overlap: Mask, scale: float) -> Rectification | None:
    """Rectify an uncalibrated pair (Hartley 1999) so that matches share a row.

    Args:
        start, end: (n, 2) matched points, px; wrong ones among them are found and left out.
        overlap: (h, w), where the pictures are to be matched.
        scale: size of the overlap after rectification, 1 = unchanged.

    Returns:
        None where the matches fit no epipolar geometry, the rectified overlap would be distorted too much, or it would
        have to be too small for its range of disparities.
    """
    inliers = epipolar_inliers(start, end, MAX_EPIPOLAR_ERROR, 5000, MIN_MATCHES)
    if inliers is None or not overlap.any():
        return None
    start, end = start[inliers], end[inliers]
    homographies = _rectifying_homographies(start, end, overlap.shape)
    if homographies is None:
        return None
    corners = _corners(overlap)
    middle = corners.mean(axis=0)
    # A homography may have any factor: take those for which the overlap lies in front of the camera.
    to_start, to_end = (h * np.sign(h[2, :2] @ middle + h[2, 2]) for h in homographies)
    enlargement = scale / np.sqrt(abs(np.linalg.det(_jacobian(to_start, middle))))
    to_start, to_end = (np.diag([enlargement, enlargement, 1.0]) @ h for h in (to_start, to_end))
    if not _is_gentle(to_start, to_end, corners, scale):
        return None
    row_error = np.abs(project(to_start, start)[:, 1] - project(to_end, end)[:, 1])
    if not np.nanmedian(row_error) <= MAX_ROW_ERROR * scale:
        return None
    alike = agree_with_neighbours(start, end - start, MAX_DISAGREEMENT * float(np.hypot(*overlap.shape)))
    if alike.sum() >= MIN_MATCHES:
        start, end = start[alike], end[alike]
    low, high = _disparity_range(project(to_start, start)[:, 0] - project(to_end, end)[:, 0])
    if high - low > MAX_DISPARITIES:  # smaller pictures have a smaller range
        smaller = scale * (MAX_DISPARITIES - 1) / (high - low)
        return rectify(start, end, overlap, smaller) if smaller > MIN_SCALE else None
    return _framed(to_start, to_end, corners, low, high)


def _disparity_range(disparity: Points) -> tuple[float, float]:
    """The range that is searched, with a reserve, for matches of these disparities (n,), px."""
    low, high = np.nanpercentile(disparity, [1, 99])
    reserve = 0.25 * (high - low) + 4
    return float(low - reserve), float(high + reserve)


def _rectifying_homographies(start: Points, end: Points, shape: tuple[int, ...]) -> tuple[Matrix, Matrix] | None:
    """Homographies of two pictures of a shape (h, w) from matches (n, 2) without outliers; None where none is found."""
    fundamental, _ = cv2.findFundamentalMat(start, end, cv2.FM_8POINT)
    if fundamental is None or fundamental.shape != (3, 3):
        return None
    done, to_start, to_end = cv2.stereoRectifyUncalibrated(start, end, fundamental, shape[1::-1])
    return (np.asarray(to_start, np.float64), np.asarray(to_end, np.float64)) if done else None


def _corners(mask: Mask) -> Points:
    """(4, 2) corners of the box around a mask, px."""
    rows, columns = np.nonzero(mask)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    return np.array([(left, top), (left, bottom), (right, top), (right, bottom)], np.float64)


def _framed(to_start: Matrix, to_end: Matrix, corners: Points, low: float, high: float) -> Rectification:
    """Move both rectified pictures so that the overlap and all that may match it fit, all disparities positive."""
    start_corners, end_corners = project(to_start, corners), project(to_end, corners)
    top = min(start_corners[:, 1].min(), end_corners[:, 1].min())
    bottom = max(start_corners[:, 1].max(), end_corners[:, 1].max())
    left, right = start_corners[:, 0].min(), start_corners[:, 0].max()
    disparities = int(np.ceil((high - low) / DISPARITY_STEP)) * DISPARITY_STEP
    # Candidates for a pixel lie up to `disparities` px to its left; for the other picture, to its right.
    move_start = np.array([[1, 0, disparities - left], [0, 1, -top], [0, 0, 1]])
    move_end = np.array([[1, 0, disparities + low - left], [0, 1, -top], [0, 0, 1]])
    size = int(np.ceil(right - left)) + 1 + 2 * disparities, int(np.ceil(bottom - top)) + 1
    return Rectification(move_start @ to_start, move_end @ to_end, size, disparities)


def _jacobian(homography: Matrix, point: Points) -> Matrix:
    """(2, 2) derivative of a homography at a point (2,)."""
    step = np.array([[0.5, 0], [0, 0.5]])
    return (project(homography, point + step) - project(homography, point - step)).T


def _is_gentle(to_start: Matrix, to_end: Matrix, corners: Points, scale: float) -> bool:
    """Whether two homographies that enlarge `scale` times stretch the overlap's corners at most `MAX_STRETCH` times."""
    jacobians = np.array([_jacobian(homography, corner) for homography in (to_start, to_end) for corner in corners])
    if not np.isfinite(jacobians).all():  # a corner lies at the horizon or behind it
        return False
    stretch = np.linalg.svd(jacobians, compute_uv=False) / scale
    return bool(stretch.max() < MAX_STRETCH and stretch.min() > 1 / MAX_STRETCH)


def _disparity(left: Grey, right: Grey, disparities: int) -> NDArray[np.float32]:
    """(h, w) px: left x - right x, 0..disparities; about -1 where invalid."""
    matcher = cv2.StereoSGBM.create(
        0, disparities, BLOCK, P1=24 * BLOCK**2, P2=96 * BLOCK**2, disp12MaxDiff=-1, preFilterCap=31,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    sixteenths = matcher.compute(left, right)
    return np.asarray(sixteenths, np.float32) / np.float32(16)


def _flow_of_disparity(offset: NDArray[np.float32], to_start: Matrix, to_end: Matrix, shape: tuple[int, int]) -> Field:
    """Flow (h, w, 2) between the pictures from offsets in x (rows, columns) between the rectified ones."""
    grid = pixel_grid(*shape)
    rectified = project(to_start, grid.astype(np.float64))
    rectified[np.isnan(rectified)] = OUTSIDE_ALL
    rectified[..., 0] += remap(offset, rectified.astype(np.float32), cv2.INTER_NEAREST)
    flow = project(np.linalg.inv(to_end), rectified) - grid
    return np.nan_to_num(flow, nan=UNKNOWN_FLOW).astype(np.float32)
