"""Sparse matches between two pictures: mutual nearest neighbours that pass the ratio test.

Of SIFT features, and of AKAZE features where SIFT gives fewer than `MIN_SIFT_MATCHES` matches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.at_once import at_once
from stitching.geometry.pixel_maps import Grey, Points

Keypoints = tuple[NDArray[np.float64], NDArray[np.uint8]]  # (n, 2) points, (n, d) descriptors

MAX_FEATURES = 1500
RATIO = 0.8  # of the nearest to the second nearest descriptor distance (Lowe 2004, section 7.1)
MIN_SIFT_MATCHES = 40  # with fewer, AKAZE is added
COMPARED_AT_ONCE = 256  # points with all others
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


@dataclass(frozen=True, eq=False)
class Features:
    """The features of a grey picture: each kind is found when it is first asked for, and kept to match many pictures.

    Attributes:
        picture: (h, w) uint8.
        mask: (h, w) uint8, features only where 255; None = everywhere.
    """

    picture: Grey
    mask: Grey | None = None

    @cached_property
    def sift(self) -> Keypoints:
        """The strongest `MAX_FEATURES`: (n, 2) points and (n, 128) descriptors, 0..255 as OpenCV rounds them."""
        # Without the precise upscale points lie 0.25 px too far to the left and up, however the picture is turned.
        detector = cv2.SIFT.create(MAX_FEATURES, contrastThreshold=0.02, enable_precise_upscale=True)
        keypoints, descriptors = detector.detectAndCompute(self.picture, self.mask)
        if descriptors is None:
            return np.zeros((0, 2)), np.zeros((0, 128), np.uint8)
        return np.array([k.pt for k in keypoints], np.float64), np.asarray(descriptors, np.uint8)

    @cached_property
    def akaze(self) -> Keypoints:
        """AKAZE (Alcantarilla et al. 2013) on a contrast-equalised copy: corners, where SIFT finds few blobs.

        (n, 2) points and (n, 61) descriptors of 486 bits, the strongest first.
        """
        equalised = cv2.createCLAHE(4.0, (8, 8)).apply(self.picture)
        keypoints, bits = cv2.AKAZE.create(threshold=3e-4).detectAndCompute(equalised, self.mask)
        if bits is None:
            return np.zeros((0, 2)), np.zeros((0, 61), np.uint8)
        strongest = np.argsort([-k.response for k in keypoints], kind="stable")[:MAX_FEATURES]
        return np.array([keypoints[i].pt for i in strongest], np.float64), np.asarray(bits, np.uint8)[strongest]


def match_features(target: Features, reference: Features) -> Matches:
    """Match two pictures.

    Returns:
        Mutual nearest neighbours that pass the ratio test, one per target point.
    """
    found = _match(*at_once(lambda: target.sift, lambda: reference.sift), root_sift)
    if len(found) >= MIN_SIFT_MATCHES:
        return found
    more = _match(target.akaze, reference.akaze, _signs)
    return Matches(np.vstack([found.target, more.target]), np.vstack([found.reference, more.reference]))


def root_sift(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 128) descriptors of SIFT as unit vectors of RootSIFT (Arandjelovic & Zisserman 2012).

    Their Euclidean distance is the Hellinger distance of those of SIFT.
    """
    values = descriptors.astype(np.float32)
    return np.asarray(np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-6)), np.float32)


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
    count = min(NEIGHBOURS + 1, len(points))  # the point itself and its neighbours
    nearest = np.empty((len(points), count), np.intp)
    for first in range(0, len(points), COMPARED_AT_ONCE):
        some = slice(first, first + COMPARED_AT_ONCE)
        distance = ((points[some, None] - points[None]) ** 2).sum(axis=2)  # (some, n)
        nearest[some] = np.argpartition(distance, count - 1, axis=1)[:, :count]
    difference = np.sort(np.linalg.norm(moves[:, None] - moves[nearest], axis=2), axis=1)  # (n, count)
    result: NDArray[np.bool_] = difference[:, MIN_AGREEING] < tolerance
    return result


def _signs(bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, d / 8) packed bits as (n, d) unit vectors of signs: their Euclidean order is that by Hamming distance."""
    signs = np.unpackbits(bits, axis=1).astype(np.float32) * 2 - 1
    return signs / np.float32(np.sqrt(signs.shape[1]))


def _match(
    target: Keypoints, reference: Keypoints, unit_vectors: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
) -> Matches:
    (target_points, target_descriptors), (reference_points, reference_descriptors) = target, reference
    if len(target_points) < 2 or len(reference_points) < 2:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    # (n_target, n_reference), cosine of unit vectors
    similarity = unit_vectors(target_descriptors) @ unit_vectors(reference_descriptors).T
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
