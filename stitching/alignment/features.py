"""Sparse matches between two pictures: mutual nearest neighbours that pass the ratio test.

Of SIFT features, and of AKAZE features where SIFT gives fewer than `MIN_SIFT_MATCHES` matches.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Grey, Points

KeypointSet = tuple[NDArray[np.float64], NDArray[np.float32]]  # (n, 2) points, (n, d) unit descriptors

MAX_FEATURES = 1500
RATIO = 0.8  # of the nearest to the second nearest descriptor distance (Lowe 2004, section 7.1)
MIN_SIFT_MATCHES = 40  # with fewer, AKAZE is added
NEIGHBOURS, MIN_AGREEING = 6, 3  # nearest ones of a match; those that must move like it
MAX_DISAGREEMENT = 0.015  # of the diagonal, by which a match may move unlike its neighbours


@dataclass(frozen=True)
class Matches:
    """Corresponding points, best first.

    Attributes:
        target: (n, 2) float64, target px.
        reference: (n, 2) float64, reference px.
    """

    target: NDArray[np.float64]
    reference: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.target)

    def select(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Matches":
        """Some of the matches, by a mask or by indices."""
        return Matches(self.target[keep], self.reference[keep])


def match_features(
    target: Grey, reference: Grey, target_mask: Grey | None = None, reference_mask: Grey | None = None
) -> Matches:
    """Match two grey pictures.

    Args:
        target, reference: (h, w) uint8; their sizes may differ.
        target_mask, reference_mask: (h, w) uint8, features only where 255; None = everywhere.

    Returns:
        Mutual nearest neighbours that pass the ratio test, one per target point.
    """
    found = _match(_sift(target, target_mask), _sift(reference, reference_mask))
    if len(found) >= MIN_SIFT_MATCHES:
        return found
    more = _match(_akaze(target, target_mask), _akaze(reference, reference_mask))
    return Matches(np.vstack([found.target, more.target]), np.vstack([found.reference, more.reference]))


def epipolar_inliers(
    first: Points, second: Points, tolerance: float, iterations: int, minimum: int
) -> NDArray[np.bool_] | None:
    """Matches that fit one fundamental matrix, as all do in a still scene, parallax included.

    Args:
        first, second: (n, 2) matched points, px.
        tolerance: largest distance to the epipolar line, px.
        iterations: of the robust search, at most.
        minimum: number of inliers.

    Returns:
        (n,); None where fewer than `minimum` fit.
    """
    if len(first) < minimum:
        return None
    try:
        _, fits = cv2.findFundamentalMat(first, second, cv2.USAC_MAGSAC, tolerance, 0.999, iterations)
    except cv2.error as error:
        if error.code != cv2.Error.StsAssert:
            raise
        return None  # OpenCV 4.13 asserts that it has found some matrix
    if fits is None or fits.sum() < minimum:
        return None
    return np.asarray(fits.ravel() > 0)


def agree_with_neighbours(points: Points, moves: Points, tolerance: float) -> NDArray[np.bool_]:
    """(n,): which moves are like those of `MIN_AGREEING` of their `NEIGHBOURS` nearest neighbours.

    Args:
        points, moves: (n, 2) px.
        tolerance: px, largest difference of moves that are alike.
    """
    if len(points) <= MIN_AGREEING:
        return np.zeros(len(points), bool)
    distance = ((points[:, None] - points[None]) ** 2).sum(axis=2)  # (n, n)
    count = min(NEIGHBOURS + 1, len(points))  # the point itself and its neighbours
    nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
    difference = np.sort(np.linalg.norm(moves[:, None] - moves[nearest], axis=2), axis=1)  # (n, count)
    result: NDArray[np.bool_] = difference[:, MIN_AGREEING] < tolerance
    return result


def _sift(picture: Grey, mask: Grey | None) -> KeypointSet:
    """RootSIFT (Arandjelovic & Zisserman 2012), whose Euclidean distance is the Hellinger distance of SIFT."""
    # Without the precise upscale points lie 0.25 px too far to the left and up, however the picture is turned.
    detector = cv2.SIFT.create(MAX_FEATURES, contrastThreshold=0.02, enable_precise_upscale=True)
    keypoints, descriptors = detector.detectAndCompute(picture, mask)
    if descriptors is None:
        return np.zeros((0, 2)), np.zeros((0, 128), np.float32)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    return np.array([k.pt for k in keypoints], np.float64), np.asarray(root, np.float32)


def _akaze(picture: Grey, mask: Grey | None) -> KeypointSet:
    """AKAZE (Alcantarilla et al. 2013) on a contrast-equalised copy: corners, where SIFT finds few blobs."""
    equalised = cv2.createCLAHE(4.0, (8, 8)).apply(picture)
    keypoints, bits = cv2.AKAZE.create(threshold=3e-4).detectAndCompute(equalised, mask)
    if bits is None:
        return np.zeros((0, 2)), np.zeros((0, 486), np.float32)
    strongest = np.argsort([-k.response for k in keypoints], kind="stable")[:MAX_FEATURES]
    signs = np.unpackbits(np.asarray(bits, np.uint8)[strongest], axis=1).astype(np.float32) * 2 - 1
    # As unit vectors of signs, so that the order by Euclidean distance is that by Hamming distance.
    points = np.array([keypoints[i].pt for i in strongest], np.float64)
    return points, signs / np.float32(np.sqrt(signs.shape[1]))


def _match(target: KeypointSet, reference: KeypointSet) -> Matches:
    (target_points, target_vectors), (reference_points, reference_vectors) = target, reference
    if len(target_points) < 2 or len(reference_points) < 2:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    similarity = target_vectors @ reference_vectors.T  # (n_target, n_reference), cosine of unit vectors
    best = similarity.argmax(axis=1)
    rows = np.arange(len(best))
    # cv2.reduceArgMax is six times as fast as numpy's argmax along the first axis.
    mutual = cv2.reduceArgMax(similarity, 0).ravel()[best] == rows
    top = similarity[rows, best]
    similarity[rows, best] = -np.inf
    second = similarity.max(axis=1)
    # |a - b|^2 = 2 - 2 a.b for unit vectors, so the ratio of distances is a ratio of these.
    distinct = (1 - top) < RATIO**2 * (1 - second)
    keep = np.flatnonzero(mutual & distinct)
    keep = keep[np.argsort(-top[keep], kind="stable")]
    # SIFT repeats a point with several orientations: the best match of each point is kept.
    _, first = np.unique(np.round(target_points[keep], 2), axis=0, return_index=True)
    keep = keep[np.sort(first)]
    return Matches(target_points[keep], reference_points[best[keep]])
