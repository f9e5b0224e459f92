"""Where is the content of one picture found in another? The instrument behind `measures`.

It shares nothing with the stitcher's own matching on purpose: a better stitcher must not move its ruler.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

GRID = 16  # px between the nodes of the smooth map

_FEATURES = 2000
_RATIO = 0.8  # nearest to second nearest descriptor (Lowe 2004)
_FEWEST_FEATURES, _FEWEST_MATCHES, _FEWEST_INLIERS, _FEWEST_PIXELS = 20, 15, 12, 400
_MOST_FILTERED, _MOST_INTERPOLATED = 2500, 300  # points; bounds on memory and on the spline's solve
# As shares of the reference's diagonal, so that they mean the same at any size:
_HOMOGRAPHY_ERROR = 0.015  # loose: one plane has to catch a scene that has several
_PARALLAX = 0.06  # a match further from the homography is taken for a false one
_NEIGHBOUR_ERROR = 0.01  # from the median of the nearest matches
_SPLINE_LIMIT = 0.08
_FLOW_LIMIT = 0.03  # where the last flow asks for more, the content is not there


@dataclass(frozen=True)
class View:
    """A picture at measuring size, with its features.

    Attributes:
        pixels: (h, w, 3) uint8 BGR.
        seen: (h, w) uint8, 1 where there is content.
        points: (n, 2) float32, features in px.
        descriptors: (n, 128) float32, RootSIFT (Arandjelovic & Zisserman 2012).
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    @property
    def grey(self) -> NDArray[np.float32]:
        """(h, w) float32, 0..255."""
        return _grey(self.pixels).astype(np.float32)


@dataclass(frozen=True)
class Registration:
    """One view found in another, `source` in `other`.

    Attributes:
        nodes: (gh, gw, 2) float32, place in `other` of the source's pixels (0, 0), (16, 0), ...: smooth map.
        smooth: (h, w, 2) float32, the same for every source pixel.
        warped: (h, w, 3) uint8, `other` brought into the source's frame by the smooth map and a last flow.
        valid: (h, w) bool, `other` shows this content: inside it, seen, and the last flow stayed small.
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


def make_view(pixels: NDArray[np.uint8], valid: NDArray[np.uint8] | None = None) -> View:
    """Find the features of a picture, (h, w, 3) uint8; `valid` (h, w), nonzero = content, None = all."""
    keypoints, descriptors = cv2.SIFT.create(_FEATURES, contrastThreshold=0.03).detectAndCompute(_grey(pixels), None)
    if descriptors is None:
        points, root = np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    else:
        points = np.array([k.pt for k in keypoints], np.float32)
        root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    if valid is None:
        valid = np.ones(pixels.shape[:2], np.uint8)
    return View(pixels, (valid > 0).astype(np.uint8), points, root.astype(np.float32))


def register(source: View, other: View, diagonal: float) -> Registration | None:
    """Find the content of `source` in `other`; None where it cannot be found.

    A loose homography, then a smoothed thin-plate spline through what the matches are off it, then a dense
    flow for the rest: each step only has to correct the one before.

    Args:
        source, other: the views, each of its own size.
        diagonal: px, of the reference at measuring size; the unit of every limit.
    """
    matched = _match(source, other)
    if matched is None:
        return None
    points, places = matched
    homography = _loose_homography(points, places, source.pixels.shape[:2], diagonal)
    if homography is None:
        return None
    consistent = _consistent_parallax(points, places - _project(homography, points), diagonal)
    if consistent is None:
        return None
    nodes = _smooth_map(homography, *consistent, source.pixels.shape[:2], diagonal)
    return _refine(source, other, nodes, diagonal)


def thin_plate_spline(
    points: FloatArray,
    values: FloatArray,
    queries: FloatArray,
    smoothing: float,
) -> NDArray[np.float64]:
    """Smoothed thin-plate spline with a linear polynomial (Wahba 1990, section 2.4).

    Args:
        points: (n, 2), distinct. values: (n, d). queries: (m, 2), in the unit of `points`.
        smoothing: 0 interpolates; larger passes by the values more smoothly.

    Returns:
        (m, d) float64.

    Raises:
        numpy.linalg.LinAlgError: the points lie on one line.
    """
    centre, spread = points.mean(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-12)

    def basis(at: FloatArray) -> NDArray[np.float64]:
        squared = ((at[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)
        # r^2 log r = r^2 log(r^2) / 2, and 0 at r = 0
        kernel = 0.5 * squared * np.log(np.where(squared > 0, squared, 1.0))
        return np.hstack([kernel, np.ones((len(at), 1)), (at - centre) / spread])

    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n] = basis(points)
    system[n:, :n] = system[:n, n:].T
    system[:n, :n] += smoothing * np.eye(n)
    if np.linalg.matrix_rank(system[:n, n:]) < 3:
        raise np.linalg.LinAlgError("the points of a thin-plate spline lie on one line")
    coefficients = np.linalg.solve(system, np.vstack([values, np.zeros((3, values.shape[1]))]))
    return np.asarray(basis(queries) @ coefficients)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def _project(homography: NDArray[np.float64], points: FloatArray) -> FloatArray:
    """(n, 2) to (n, 2), of the same type."""
    return np.asarray(cv2.perspectiveTransform(points[:, None], homography)[:, 0], points.dtype)


def _match(source: View, other: View) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if min(len(source.points), len(other.points)) < _FEWEST_FEATURES:
        return None
    candidates = cv2.BFMatcher().knnMatch(source.descriptors, other.descriptors, k=2)
    distinct = [two[0] for two in candidates if len(two) == 2 and two[0].distance < _RATIO * two[1].distance]
    if len(distinct) < _FEWEST_MATCHES:
        return None
    return source.points[[m.queryIdx for m in distinct]], other.points[[m.trainIdx for m in distinct]]


def _loose_homography(
    points: NDArray[np.float32], places: NDArray[np.float32], shape: tuple[int, ...], diagonal: float
) -> NDArray[np.float64] | None:
    homography, inliers = cv2.findHomography(
        points, places, cv2.USAC_MAGSAC, _HOMOGRAPHY_ERROR * diagonal, maxIters=3000, confidence=0.999
    )
    if homography is None or inliers.sum() < _FEWEST_INLIERS:
        return None
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    depth = corners @ homography[2] / homography[2, 2]
    return None if (depth <= 0.05).any() else np.asarray(homography, np.float64)  # horizon in the picture


def _consistent_parallax(
    points: FloatArray, residuals: FloatArray, diagonal: float
) -> tuple[FloatArray, FloatArray] | None:
    """Matches whose residual agrees with their neighbours': (n, 2) points and residuals, distinct points."""

    def thin_out(most: int, *arrays: FloatArray) -> tuple[FloatArray, ...]:
        # RandomState: the one generator whose stream numpy promises never to change.
        some = np.random.RandomState(0).permutation(len(arrays[0]))[:most]
        return arrays if len(arrays[0]) <= most else tuple(a[some] for a in arrays)

    near = np.linalg.norm(residuals, axis=1) < _PARALLAX * diagonal
    if near.sum() < _FEWEST_INLIERS:
        return None
    kept, off = thin_out(_MOST_FILTERED, points[near], residuals[near])
    squared = ((kept[:, None] - kept[None]) ** 2).sum(axis=2)
    count = min(9, len(kept))  # itself and eight neighbours
    neighbours = np.argpartition(squared, count - 1, axis=1)[:, :count]
    agrees = np.linalg.norm(off - np.median(off[neighbours], axis=1), axis=1) < _NEIGHBOUR_ERROR * diagonal
    if agrees.sum() < _FEWEST_INLIERS:
        return None
    kept, first = np.unique(kept[agrees], axis=0, return_index=True)
    kept, off = thin_out(_MOST_INTERPOLATED, kept, off[agrees][first])
    return kept, off


def _smooth_map(
    homography: NDArray[np.float64],
    points: FloatArray,
    residuals: FloatArray,
    shape: tuple[int, ...],
    diagonal: float,
) -> NDArray[np.float32]:
    """Homography + spline of the residuals at the grid's nodes, (gh, gw, 2)."""
    height, width = shape
    columns, rows = np.arange(0, width + GRID, GRID), np.arange(0, height + GRID, GRID)
    nodes = np.stack(np.meshgrid(columns, rows), axis=2).reshape(-1, 2).astype(np.float64)  # (gh*gw, 2)
    try:
        bend = thin_plate_spline(points / diagonal, residuals, nodes / diagonal, smoothing=1e-5 * len(points))
    except np.linalg.LinAlgError:
        bend = np.zeros_like(nodes)  # matches on one line: the homography alone
    limit = _SPLINE_LIMIT * diagonal
    places = _project(homography, nodes) + np.clip(bend, -limit, limit)
    return places.reshape(len(rows), len(columns), 2).astype(np.float32)  # (gh*gw, 2) -> (gh, gw, 2)


def _refine(source: View, other: View, nodes: NDArray[np.float32], diagonal: float) -> Registration | None:
    """The smooth map made dense, and `other` resampled with a dense flow on top."""
    height, width = source.pixels.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    smooth = np.asarray(cv2.remap(nodes, x / GRID, y / GRID, cv2.INTER_LINEAR), np.float32)
    there, valid = _resample(other, smooth)
    inside = valid > 0
    if inside.sum() < _FEWEST_PIXELS:
        return None
    flow = _flow(source.grey, _grey(there).astype(np.float32), inside)
    length = np.linalg.norm(flow, axis=2)
    small = length <= _FLOW_LIMIT * diagonal
    flow[~small] = 0
    dense = cv2.remap(smooth, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    warped, valid = _resample(other, np.asarray(dense, np.float32))
    return Registration(nodes, smooth, warped, np.asarray((valid > 0) & small))


def _resample(view: View, places: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels and seen mask of a view at (h, w, 2) places; 0 outside."""
    x, y = places[..., 0], places[..., 1]
    pixels = cv2.remap(view.pixels, x, y, cv2.INTER_LINEAR)
    return np.asarray(pixels, np.uint8), np.asarray(cv2.remap(view.valid, x, y, cv2.INTER_NEAREST), np.uint8)


def _flow(source: NDArray[np.float32], there: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Dense inverse search (Kroeger et al. 2016) from one grey picture to the other, equalised first."""
    gain = source[inside].std() / max(there[inside].std(), 1)
    equal = (there - there[inside].mean()) * gain + source[inside].mean()
    equal = np.where(inside, equal, source)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    eight_bits = [picture.clip(0, 255).astype(np.uint8) for picture in (source, equal)]
    # None, not zeros: OpenCV takes a flow it is given for a first guess and then finds another one.
    return np.asarray(search.calc(*eight_bits, None), np.float32)  # type: ignore[call-overload]
