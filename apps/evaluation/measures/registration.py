"""Where is the content of one picture in another? What `panorama` measures with.

It shares neither features nor matching with the stitcher on purpose: a better stitcher must not change its own measure.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.measures.feature_view import FeatureView
from apps.evaluation.measures.thin_plate_spline import thin_plate_spline
from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.picture import to_grey

Points = NDArray[np.floating]  # (n, 2), x then y

GRID = 16  # px between the nodes of the smooth map

_MAX_RATIO = 0.8  # nearest to second nearest descriptor (Lowe 2004)
_MIN_FEATURES, _MIN_MATCHES, _MIN_INLIERS, _MIN_PIXELS = 20, 15, 12, 400
_MAX_FILTERED, _MAX_INTERPOLATED = 2500, 300  # points; bounds on memory and on the time to solve for the spline
_NEIGHBOURS = 8  # nearest matches with which the residual of a match must agree
_MIN_DEPTH = 0.05  # of the picture's corners against its origin: a horizon in the picture is refused
# As shares of the reference's diagonal, so that they mean the same at any size:
_HOMOGRAPHY_ERROR = 0.015  # loose: one homography has to serve a scene of several planes
_MAX_PARALLAX = 0.06  # a match further from the homography is taken for a false one
_MAX_DISAGREEMENT = 0.01  # from the median residual of the nearest matches
_MAX_SPLINE = 0.08
_MAX_FLOW = 0.03  # where the last flow asks for more, the content is not there


@dataclass(frozen=True)
class Registration:
    """One view found in another, `source` in `other`.

    Attributes:
        nodes: (gh, gw, 2) float32, positions in `other` of the source's pixels (0, 0), (16, 0), ...: smooth map.
        smooth: (h, w, 2) float32, the same for every source pixel.
        warped: (h, w, 3) uint8, `other` brought into the source's frame by the smooth map and a last flow.
        valid: (h, w) bool, `other` shows this content: it has pixels there, and the last flow stayed small.
    """

    nodes: NDArray[np.float32]
    smooth: NDArray[np.float32]
    warped: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    def singular_values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Larger and smaller singular value of the smooth map's Jacobian, (n,) each, one per grid cell."""
        right = (self.nodes[:, 1:] - self.nodes[:, :-1])[:-1] / GRID
        down = (self.nodes[1:] - self.nodes[:-1])[:, :-1] / GRID
        jacobians = np.stack([right, down], axis=-1).reshape(-1, 2, 2)  # (gh-1, gw-1, 2, 2) -> (n, 2, 2)
        values = np.linalg.svd(jacobians.astype(np.float64), compute_uv=False)
        return values[:, 0], np.maximum(values[:, 1], 1e-6)

    def scales(self) -> NDArray[np.float64]:
        """(n,) `other` px per source px, one per grid cell: the square root of the area's change."""
        larger, smaller = self.singular_values()
        return np.asarray(np.sqrt(larger * smaller))


def register(source: FeatureView, other: FeatureView, diagonal: float) -> Registration | None:
    """Find the content of `source` in `other`; None where it cannot be found.

    A loose homography, then a smoothed thin-plate spline through the residuals of the matches, then a dense flow for
    the rest: each step only has to correct the one before.

    Args:
        source, other: the views, each of its own size.
        diagonal: px, of the reference at measuring size; the unit of every limit.
    """
    matches = _match(source, other)
    if matches is None:
        return None
    points, matched = matches
    homography = _loose_homography(points, matched, source.pixels.shape[:2], diagonal)
    if homography is None:
        return None
    consistent = _consistent_parallax(points, matched - _project(homography, points), diagonal)
    if consistent is None:
        return None
    nodes = _smooth_map(homography, *consistent, source.pixels.shape[:2], diagonal)
    return _refine(source, other, nodes, diagonal)


def _project(homography: NDArray[np.float64], points: Points) -> Points:
    """(n, 2) to (n, 2), of the same type."""
    return np.asarray(cv2.perspectiveTransform(points[:, None], homography)[:, 0], points.dtype)


def _match(source: FeatureView, other: FeatureView) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Points of the source and their matches in the other view, (n, 2) each, by the ratio test."""
    if min(len(source.points), len(other.points)) < _MIN_FEATURES:
        return None
    candidates = cv2.BFMatcher().knnMatch(source.descriptors, other.descriptors, k=2)
    distinct = [two[0] for two in candidates if len(two) == 2 and two[0].distance < _MAX_RATIO * two[1].distance]
    if len(distinct) < _MIN_MATCHES:
        return None
    return source.points[[m.queryIdx for m in distinct]], other.points[[m.trainIdx for m in distinct]]


def _loose_homography(
    points: NDArray[np.float32], matched: NDArray[np.float32], shape: tuple[int, ...], diagonal: float
) -> NDArray[np.float64] | None:
    """(3, 3) source px -> other px; None where few matches agree or it has a horizon in the source."""
    homography, inliers = cv2.findHomography(
        points, matched, cv2.USAC_MAGSAC, _HOMOGRAPHY_ERROR * diagonal, maxIters=3000, confidence=0.999
    )
    if homography is None or inliers.sum() < _MIN_INLIERS:
        return None
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    depth = corners @ homography[2] / homography[2, 2]
    return None if (depth <= _MIN_DEPTH).any() else np.asarray(homography, np.float64)


def _consistent_parallax(points: Points, residuals: Points, diagonal: float) -> tuple[Points, Points] | None:
    """Matches whose residual agrees with their neighbours': (n, 2) points and residuals, distinct points."""
    near = np.linalg.norm(residuals, axis=1) < _MAX_PARALLAX * diagonal
    if near.sum() < _MIN_INLIERS:
        return None
    points, residuals = _thin_out(_MAX_FILTERED, points[near], residuals[near])
    squared = ((points[:, None] - points[None]) ** 2).sum(axis=2)  # (n, n)
    count = min(1 + _NEIGHBOURS, len(points))  # itself, too
    neighbours = np.argpartition(squared, count - 1, axis=1)[:, :count]
    disagreement = np.linalg.norm(residuals - np.median(residuals[neighbours], axis=1), axis=1)
    agrees = disagreement < _MAX_DISAGREEMENT * diagonal
    if agrees.sum() < _MIN_INLIERS:
        return None
    distinct, first = np.unique(points[agrees], axis=0, return_index=True)
    return _thin_out(_MAX_INTERPOLATED, distinct, residuals[agrees][first])


def _thin_out(limit: int, points: Points, residuals: Points) -> tuple[Points, Points]:
    """At most `limit` of the points, chosen at random but always the same ones."""
    if len(points) <= limit:
        return points, residuals
    # RandomState: the one generator whose stream numpy promises never to change.
    chosen = np.random.RandomState(0).permutation(len(points))[:limit]
    return points[chosen], residuals[chosen]


def _smooth_map(
    homography: NDArray[np.float64], points: Points, residuals: Points, shape: tuple[int, ...], diagonal: float
) -> NDArray[np.float32]:
    """Homography + spline of the residuals at the grid's nodes, (gh, gw, 2)."""
    height, width = shape
    columns, rows = np.arange(0, width + GRID, GRID), np.arange(0, height + GRID, GRID)
    nodes = np.stack(np.meshgrid(columns, rows), axis=2).reshape(-1, 2).astype(np.float64)  # (gh*gw, 2)
    try:
        bend = thin_plate_spline(points / diagonal, residuals, nodes / diagonal, smoothing=1e-5 * len(points))
    except np.linalg.LinAlgError:
        bend = np.zeros_like(nodes)  # matches on one line: the homography alone
    limit = _MAX_SPLINE * diagonal
    positions = _project(homography, nodes) + np.clip(bend, -limit, limit)
    return positions.reshape(len(rows), len(columns), 2).astype(np.float32)  # (gh*gw, 2) -> (gh, gw, 2)


def _refine(
    source: FeatureView, other: FeatureView, nodes: NDArray[np.float32], diagonal: float
) -> Registration | None:
    """The smooth map made dense, and `other` resampled with a dense flow on top."""
    grid = pixel_grid(*source.pixels.shape[:2])
    smooth = np.asarray(cv2.remap(nodes, grid[..., 0] / GRID, grid[..., 1] / GRID, cv2.INTER_LINEAR), np.float32)
    resampled, valid = _resample(other, smooth)
    inside = valid > 0
    if inside.sum() < _MIN_PIXELS:
        return None
    flow = _flow(source.grey, to_grey(resampled).astype(np.float32), inside)
    small = np.linalg.norm(flow, axis=2) <= _MAX_FLOW * diagonal
    flow[~small] = 0
    x, y = np.moveaxis(grid + flow, -1, 0)
    dense = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    warped, valid = _resample(other, np.asarray(dense, np.float32))
    return Registration(nodes, smooth, warped, np.asarray((valid > 0) & small))


def _resample(view: FeatureView, map_xy: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels and mask of a view at (h, w, 2) positions; 0 outside."""
    x, y = map_xy[..., 0], map_xy[..., 1]
    pixels = cv2.remap(view.pixels, x, y, cv2.INTER_LINEAR)
    return np.asarray(pixels, np.uint8), np.asarray(cv2.remap(view.valid, x, y, cv2.INTER_NEAREST), np.uint8)


def _flow(source: NDArray[np.float32], other: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Dense inverse search (Kroeger et al. 2016), (h, w, 2) px; the other grey picture gets the source's contrast."""
    gain = source[inside].std() / max(other[inside].std(), 1)
    equal = (other - other[inside].mean()) * gain + source[inside].mean()
    equal = np.where(inside, equal, source)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    first, second = (picture.clip(0, 255).astype(np.uint8) for picture in (source, equal))
    # None, not zeros: OpenCV takes a flow it is given for a first guess and then finds another one.
    return np.asarray(search.calc(first, second, None), np.float32)  # type: ignore[call-overload]
