"""Cameras that also move: their rotations by the epipolar geometry of the pairs, which parallax does not mislead.

A turning camera fitted to matches with parallax takes some of the movement for a turn, and the error adds up along a
row. The essential matrix of a pair tells both apart (Nister 2004). Its focal length is the one with which the
fundamental matrices have two equal singular values, as essential ones do (Mendonca & Cipolla 1999).
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.cameras.turning_cameras import USUAL_FOCAL, TurningCameras, rotations_of_pairs
from stitching.adjustment.joint_fit import residuals
from stitching.adjustment.links import LinkedPictures, Links
from stitching.adjustment.spanning_tree import spanning_tree
from stitching.geometry.homographies import Matrix
from stitching.geometry.pixel_maps import Points

FOCALS = np.geomspace(0.6, 4.0, 60)  # of half the diagonal, that are tried
FOCAL_PRIOR, KNOWN_PRIOR = 0.01, 0.3  # costs of one e times the usual one, the known one; a wrong one's is about 0.1
MIN_MATCHES = 20  # of a pair
MIN_INLIERS, MIN_IN_FRONT = 0.4, 0.6  # share of the matches that fit, and of these of points in front of both cameras
FAR = 1e4  # times the movement: points up to there count as in front
UNSURE = 1.0  # matches that a rotation counts which is that of a turning camera
MIN_SURE = 0.5  # share of the pairs whose rotation their essential matrix tells
TOLERANCE = 0.003  # of half the diagonal: distance to the epipolar line
MAX_PARALLAX = 0.1  # of half the diagonal, in the median: with more, no dense warp brings near things together
MAX_MISTAKEN = 0.35  # share of a turn: below 0.3 in rows and rings, above 0.7 around things
ROUNDS, ANGLE = 30, 0.03  # of the averaging; radians off, with which a pair counts half


class _Pair(NamedTuple):
    """The rotation from the camera `start` to the camera `end`, and how many matches say so."""

    start: int
    end: int
    rotation: Matrix
    strength: float


def fit_moving_cameras(pictures: LinkedPictures, turning: TurningCameras) -> TurningCameras | None:
    """Cameras with one focal length and the rotations that the pairs' essential matrices agree on.

    Args:
        pictures: what joins them.
        turning: the cameras that explain the matches without movement.

    Returns:
        What places far things right; None where too few pairs tell, where what the pictures share is too near, or
        where the camera moved more than it turned: around a statue, which true turns would show several times.
    """
    links = pictures.links
    blocks = [k for k in range(0, len(links.start), 2) if np.ptp(links.bounds[k : k + 2]) >= MIN_MATCHES]  # one way
    fundamental = {k: matrix for k in blocks if (matrix := _fundamental(*links.places(k))) is not None}
    if not fundamental:
        return None
    focal = _focal([(matrix, len(links.places(k)[0])) for k, matrix in fundamental.items()], pictures.focal)
    turns = rotations_of_pairs(links, focal)
    sure = {k: pair for k in fundamental if (pair := _pair(links, k, focal)) is not None}
    if len(sure) < MIN_SURE * len(links.start) / 2:
        return None
    pairs = [
        sure.get(k, _Pair(int(links.start[k]), int(links.end[k]), turns[k], UNSURE)) for k in range(0, len(turns), 2)
    ]
    cameras = TurningCameras(pictures.root, _averaged(pairs, pictures), np.full(pictures.count, focal))
    too_near = np.median(residuals(cameras.matrices, links)) > MAX_PARALLAX
    return None if too_near or _mistaken(cameras, turning, links) > MAX_MISTAKEN else cameras


def _mistaken(cameras: TurningCameras, turning: TurningCameras, links: Links) -> float:
    """How much of a pair's turn turning cameras mistake, as a share of the turn, in the median."""
    true, taken = (
        one.rotations[links.end] @ one.rotations[links.start].transpose(0, 2, 1) for one in (cameras, turning)
    )
    turns = np.array([np.linalg.norm(cv2.Rodrigues(turn)[0]) for turn in true])
    errors = np.array([np.linalg.norm(cv2.Rodrigues(a @ b.T)[0]) for a, b in zip(true, taken, strict=True)])
    return float(np.median(errors / np.maximum(turns, 1e-9)))


def _fundamental(starts: Points, ends: Points) -> Matrix | None:
    matrix, _ = cv2.findFundamentalMat(starts / TOLERANCE, ends / TOLERANCE, cv2.USAC_MAGSAC, 1.0, 0.999, 3000)
    if matrix is None or matrix.shape != (3, 3):
        return None
    scale = np.diag([1 / TOLERANCE, 1 / TOLERANCE, 1.0])
    found = scale @ matrix @ scale
    return np.asarray(found / np.linalg.norm(found))


def _focal(fundamental: Sequence[tuple[Matrix, int]], known: float | None) -> float:
    """The focal length, of half the diagonal, near a known one, that makes the matrices most like essential ones."""
    likely, weight = (known, KNOWN_PRIOR) if known else (USUAL_FOCAL, FOCAL_PRIOR)

    def cost(focal: float) -> float:
        camera = np.diag([focal, focal, 1.0])
        values = np.array([np.linalg.svd(camera @ one @ camera, compute_uv=False) for one, _ in fundamental])
        unequal = np.minimum((values[:, 0] - values[:, 1]) / values[:, 1], 1)
        matches = np.array([count for _, count in fundamental])
        return float(np.average(unequal, weights=matches)) + weight * float(np.log(focal / likely)) ** 2

    return float(min(FOCALS, key=cost))


def _pair(links: Links, block: int, focal: float) -> _Pair | None:
    """The rotation of a pair, where its matches fit one essential matrix."""
    starts, ends = (places / focal for places in links.places(block))
    essential, fits = cv2.findEssentialMat(
        starts, ends, np.eye(3), method=cv2.USAC_MAGSAC, prob=0.999, threshold=TOLERANCE / focal, maxIters=3000
    )
    if essential is None or essential.shape != (3, 3) or fits.mean() < MIN_INLIERS:
        return None
    inliers = int(np.count_nonzero(fits))
    in_front, rotation, *_ = cv2.recoverPose(essential, starts, ends, np.eye(3), distanceThresh=FAR, mask=fits)
    if in_front < MIN_IN_FRONT * inliers:
        return None
    return _Pair(int(links.start[block]), int(links.end[block]), np.asarray(rotation), inliers)


def _averaged(pairs: Sequence[_Pair], pictures: LinkedPictures) -> NDArray[np.float64]:
    """(n, 3, 3): rotations of the frame that fit those of the pairs best (Hartley et al. 2013); robust."""
    ways = [way for pair in pairs for way in ((pair.start, pair.end), (pair.end, pair.start))]
    between = [turn for pair in pairs for turn in (pair.rotation, pair.rotation.T)]
    strengths = [pair.strength for pair in pairs for _ in range(2)]
    found = np.tile(np.eye(3), (pictures.count, 1, 1))
    for way in spanning_tree(ways, strengths, pictures.root):
        start, end = ways[way]
        found[end] = between[way] @ found[start]
    for _ in range(ROUNDS):
        sums = np.zeros_like(found)
        for (start, end), turn, strength in zip(ways, between, strengths, strict=True):
            wanted = turn @ found[start]
            off = np.linalg.norm(wanted - found[end]) / np.sqrt(2)  # radians, where they are small
            sums[end] += strength / (1 + (off / ANGLE) ** 2) * wanted
        left, _, right = np.linalg.svd(sums)
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        turned = left @ right
        found = turned @ turned[pictures.root].T  # the reference looks ahead
    return found
