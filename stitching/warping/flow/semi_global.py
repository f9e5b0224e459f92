"""Flow along epipolar lines by semi-global matching: for displacements that are too large for a local search.

In a still scene a pixel can only match on its epipolar line, so that a large range can be searched pixel by pixel, and
smoothness along several directions decides between positions that look alike (Hirschmueller 2008).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import MAX_DISAGREEMENT, agree_with_neighbours, epipolar_inliers
from stitching.geometry.pixel_maps import Field, Grey, Mask, Points, pixel_grid, remap
from stitching.warping.flow.epipolar_lines import EpipolarLines
from stitching.warping.flow.flow_warp import BidirectionalFlow

MIN_MATCHES = 15  # that fit the epipolar geometry
MAX_EPIPOLAR_ERROR = 1.0  # px between an inlier and its epipolar line
AREA = 0.25e6  # px of the rectified pictures at most, without their margins
MAX_DISPARITIES = 160  # columns, range of the search; where it is larger, columns are farther apart,
MIN_SCALE = 0.4  # but at least so many in a px of the pictures
DISPARITY_STEP = 16  # px: StereoSGBM searches multiples of it
BLOCK = 3  # px, side of the blocks that are compared
MAX_RESERVE = 24  # px beyond the matches, at either end of the range
REACHES = 1, 5, 10  # percent of the matches at either end of the range that are given up, as few as possible


@dataclass(frozen=True)
class Range:
    """Where to search on the lines: start position - end position lies in `low` .. `low` + `disparities` / `scale`.

    Attributes:
        low: px of the pictures.
        disparities: columns of the rectified pictures, a multiple of `DISPARITY_STEP`.
        scale: columns of the rectified pictures per px of the pictures.
    """

    low: float
    disparities: int
    scale: float


def epipolar_flow(
    start: Grey, end: Grey, overlap: Mask, start_points: Points, end_points: Points
) -> BidirectionalFlow | None:
    """Flow both ways between two views of a still scene that are coarsely aligned.

    Args:
        start, end: (h, w) uint8.
        overlap: (h, w), where to match.
        start_points, end_points: (n, 2) matched points, px; wrong ones among them are found and left out.

    Returns:
        Flow start -> end and back; None where the matches fit no epipolar geometry, or lie in an extreme range.
    """
    inliers = epipolar_inliers(start_points, end_points, MAX_EPIPOLAR_ERROR, 5000, MIN_MATCHES)
    if inliers is None or not overlap.any():
        return None
    start_points, end_points = start_points[inliers], end_points[inliers]
    fundamental, _ = cv2.findFundamentalMat(start_points, end_points, cv2.FM_8POINT)
    if fundamental is None or fundamental.shape != (3, 3):
        return None
    lines = EpipolarLines.through(np.asarray(fundamental, np.float64), overlap, AREA)
    alike = agree_with_neighbours(
        start_points, end_points - start_points, MAX_DISAGREEMENT * float(np.hypot(*overlap.shape))
    )
    if alike.sum() >= MIN_MATCHES:
        start_points, end_points = start_points[alike], end_points[alike]
    searched = _search_range(lines.of_start(start_points)[1] - lines.of_end(end_points)[1], 1 / lines.pitch)
    return None if searched is None else _search(start, end, lines, searched)


def _search_range(disparity: NDArray[np.float64], scale: float) -> Range | None:
    """The range, with a reserve, for matches of these disparities (n,), px; None where it is extreme."""
    for percent in REACHES:
        low, high = np.percentile(disparity, [percent, 100 - percent]) * scale
        reserve = min(0.25 * (high - low), MAX_RESERVE) + 4
        low, high = low - reserve, high + reserve
        smaller = min(1.0, (MAX_DISPARITIES - 1) / (high - low))  # with columns farther apart the range is smaller
        if smaller == 1 or scale * smaller >= MIN_SCALE:
            steps = int(np.ceil((high - low) * smaller / DISPARITY_STEP))
            return Range(low / scale, steps * DISPARITY_STEP, scale * smaller)
    return None


def _search(start: Grey, end: Grey, lines: EpipolarLines, searched: Range) -> BidirectionalFlow:
    scale, disparities = searched.scale, searched.disparities
    # Candidates for a pixel lie up to `disparities` px to its left; for the other picture, to its right.
    columns = int(np.ceil((lines.high - lines.low) * scale)) + 1 + 2 * disparities
    positions = lines.low + (np.arange(columns) - disparities) / scale
    start_map, end_map = lines.start_places(positions), lines.end_places(positions - searched.low)
    left, right = (remap(picture, places) for picture, places in ((start, start_map), (end, end_map)))
    grid = pixel_grid(start.shape[0], start.shape[1])
    places = grid.astype(np.float64)

    def forward() -> Field:
        row, position = lines.of_start(places)
        offset = -_disparity(left, right, disparities)
        return _flow(end_map, offset, row, (position - lines.low) * scale + disparities, grid)

    def backward() -> Field:
        row, position = lines.of_end(places)
        # The matcher searches to the left only; mirrored, what lies to the right.
        offset = _disparity(right[:, ::-1], left[:, ::-1], disparities)[:, ::-1]
        return _flow(start_map, offset, row, (position + searched.low - lines.low) * scale + disparities, grid)

    return BidirectionalFlow.of(forward, backward)


def _disparity(left: Grey, right: Grey, disparities: int) -> NDArray[np.float32]:
    """(h, w) px: left x - right x, 0..disparities; about -1 where invalid."""
    matcher = cv2.StereoSGBM.create(
        0, disparities, BLOCK, P1=8 * BLOCK**2, P2=64 * BLOCK**2, disp12MaxDiff=-1, preFilterCap=63,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    sixteenths = matcher.compute(left, right)
    return np.asarray(sixteenths, np.float32) / np.float32(16)


def _flow(
    places: Field,
    offset: NDArray[np.float32],
    row: NDArray[np.float64],
    column: NDArray[np.float64],
    grid: Field,
) -> Field:
    """Flow (h, w, 2) of pixels at `row` and `column` (h, w) of a rectified picture into the other picture.

    Args:
        places: (rows, columns, 2) px of the other picture, of its rectified pixels.
        offset: (rows, columns) px, from a rectified pixel to its match in the other rectified picture.
        row, column: (h, w).
        grid: (h, w, 2), the pixels.
    """
    rectified = np.stack([column, row], axis=-1).astype(np.float32)
    rectified[..., 0] += remap(np.ascontiguousarray(offset), rectified, cv2.INTER_NEAREST)
    return remap(places, rectified) - grid
