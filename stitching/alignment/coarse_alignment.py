"""Coarse alignment: the one homography, target -> plane of the reference, that fits the overlap best.

Candidates come from feature matches: up to `MAX_PLANES` planes of the scene, one loose fit to all matches, an
affinity and a similarity, and what becomes of each when it is fitted to all matches near it. The plausible one with
the smallest residual is taken; without one, a translation of the whole picture found by correlation. Where features
leave it uncertain, the trained network matches the pictures as they are, the same candidates come from its matches, and
the alignment that fits both kinds of matches better is taken. Each result states a confidence.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import Features, Matches, agree_with_neighbours, epipolar_inliers, match_features
from stitching.alignment.image_circles import check_image_circles
from stitching.alignment.learned_matches import match_pictures
from stitching.alignment.local_fit import fit_locally
from stitching.alignment.translation import find_translation
from stitching.errors import InputError
from stitching.geometry.homographies import Matrix, Motion, is_plausible, project, scaling_homography
from stitching.geometry.pixel_maps import Grey, Size, rescale
from stitching.io.picture import Picture, to_8_bit, to_grey
from stitching.io.small_copy import small_copy
from stitching.network.interface import MATCHING, Device, Runtime
from stitching.network.runtime.network_files import load_runtime
from stitching.network.runtime.window import AREA

SMALL_AREA, LARGE_AREA = 0.2e6, 0.6e6  # px of the copies that are matched: first small ones, then larger ones
MIN_CONFIDENCE, MIN_MATCHES = 0.8, 60  # with which the alignment of the small copies is final, without the network
MIN_CERTAIN_MATCHES = 24  # of features; with fewer the network, where it finds an alignment, is right more often
SMALL_PICTURE = 0.04e6  # px; in smaller ones matches lie so close together that many agree by chance
MIN_SMALL_CONFIDENCE = 0.5  # of alignments of these: n_inliers > 8 + 0.3 n, as Brown & Lowe 2007 (eq. 13) ask of all
MAX_PLANES = 4
MIN_INLIERS, MIN_AFFINE_INLIERS = 10, 6
PLANE_TOLERANCE, RELIEF_TOLERANCE = 0.004, 0.015  # of the diagonal: largest inlier residual, of a plane and with relief
EPIPOLAR_TOLERANCE = 0.002  # of the diagonal, at least 1 px: distance of an inlier to its epipolar line
MAX_RESIDUAL = 0.05  # share of the diagonal; a match with a larger residual says no more about a homography
CELL_EPIPOLAR_TOLERANCE, CELL_TOLERANCE = 0.005, 0.015  # of the diagonal: the network matches cells, not points
CELL_DISAGREEMENT = 0.03  # of the diagonal, by which a match of the network may move unlike its neighbours
MIN_FITTING_SHARE = 0.17  # of its matches that do, and fit one epipolar geometry; of unrelated pictures 0.12 at most
MIN_TRANSLATION_CORRELATION = 0.55  # of pictures aligned by a translation; large unrelated pictures reach 0.5 at most
MIN_SIGNIFICANCE = 8.0  # of that correlation, standard deviations: in small ones more is found by chance


@dataclass(frozen=True)
class Alignment:
    """Coarse alignment of a pair.

    Attributes:
        homography: (3, 3) float64, target px -> reference px; of the kind that `method` names.
        matches: those that fit the epipolar geometry, parallax included.
        method: "homography", "affine", "similarity" or "translation".
        planes: number of planes found in the matches, 0 for a translation.
        confidence: 0..1; below about 0.3 the user should check the result.
    """

    homography: Matrix
    matches: Matches
    method: str
    planes: int
    confidence: float

    @property
    def residuals(self) -> NDArray[np.float64]:
        """(n,) px of the reference: how far the homography leaves each match apart; inf behind the camera."""
        return _residuals(self.homography, self.matches)

    @property
    def is_final(self) -> bool:
        """Whether no other copies of the pictures, and no network, need to be asked."""
        return self.confidence >= MIN_CONFIDENCE and len(self.matches) >= MIN_MATCHES

    def of_photographs(self, target: Picture, reference: Picture) -> "Alignment":
        """The same alignment, found in these copies of the photographs, in px of the photographs."""
        by_target, by_reference = 1 / np.array(target.scale), 1 / np.array(reference.scale)  # (x, y)
        matches = Matches(rescale(self.matches.target, by_target), rescale(self.matches.reference, by_reference))
        to_target = np.linalg.inv(scaling_homography(*by_target))
        homography = scaling_homography(*by_reference) @ self.homography @ to_target
        return Alignment(homography / homography[2, 2], matches, self.method, self.planes, self.confidence)


def align_pictures(reference: Picture, target: Picture, device: Device = "auto") -> Alignment:
    """Align by features of small copies, else of larger ones; where these are uncertain, by the network, too.

    Args:
        reference, target: the pictures.
        device: where the network computes.

    Returns:
        The alignment in px of the pictures.

    Raises:
        InputError: no overlap was found, or fisheye pictures fit only turned askew (see `check_image_circles`).
    """
    found, refusal = None, InputError("no overlap was found")
    for area in (SMALL_AREA, LARGE_AREA):
        try:
            found = _align_copies(reference, target, area)
        except InputError as error:
            refusal = error
            continue
        if found.is_final:
            break
    # a translation was verified by the pictures themselves, which show too little for the network, too
    if found is None or not (found.is_final or found.method == "translation"):
        by_network = align_by_network(reference, target, load_runtime(MATCHING, device=device))
        found = _better(found, by_network, reference.size) if found and by_network else found or by_network
    if found is None:
        raise refusal
    smaller = min((reference, target), key=lambda picture: math.prod(picture.size))
    certain = found.confidence >= MIN_SMALL_CONFIDENCE or found.method == "translation"  # verified by its significance
    if math.prod(smaller.size) < SMALL_PICTURE and not certain:
        w, h = smaller.size
        raise InputError(
            f"no overlap was found: {smaller.name} has only {w} x {h} px, and too little of what matches moves alike"
            f" (confidence {found.confidence:.2f}, expected {MIN_SMALL_CONFIDENCE}); use larger pictures"
        )
    check_image_circles(reference, target, found.homography)
    return found


def align_by_network(
    reference: Picture, target: Picture, matching: Runtime, motion: Motion = "perspective"
) -> Alignment | None:
    """The alignment of the network's matches, in px of the full-size pictures.

    Args:
        reference, target: the pictures.
        matching: the network.
        motion: what may move the target.

    Returns:
        None where most of these matches fit no epipolar geometry, as those of unrelated pictures do.
    """
    small = _small_copy(target, AREA), _small_copy(reference, AREA)
    shapes = small[0].pixels.shape, small[1].pixels.shape
    diagonal = _diagonal(shapes[1])
    found = match_pictures(small[1], small[0], matching)
    alike = agree_with_neighbours(found.target, found.reference - found.target, CELL_DISAGREEMENT * diagonal)
    matches = Matches(found.target[alike], found.reference[alike])
    fits = epipolar_inliers(matches.target, matches.reference, CELL_EPIPOLAR_TOLERANCE * diagonal, 3000, MIN_INLIERS)
    if fits is None or fits.sum() < MIN_FITTING_SHARE * len(alike):
        return None
    alignment = _best_fit(
        matches.select(fits), len(alike), *shapes, CELL_TOLERANCE * diagonal, 2 * CELL_TOLERANCE * diagonal, motion
    )
    return alignment and alignment.of_photographs(*small)


def _better(by_features: Alignment, by_network: Alignment, reference_size: Size) -> Alignment:
    """Of two alignments, px of the pictures, the one whose homography fits the matches of both better.

    The matches of features, which are exact, are kept if there are enough; the confidence is that of the homography.
    """
    if len(by_features.matches) < MIN_CERTAIN_MATCHES:
        return by_network
    pairs = by_features.matches, by_network.matches
    both = Matches(np.concatenate([m.target for m in pairs]), np.concatenate([m.reference for m in pairs]))
    shape = reference_size[::-1]
    weight, max_residual = _cell_weight(both, shape), MAX_RESIDUAL * _diagonal(shape)
    better = min(by_features, by_network, key=lambda a: _cost(a.homography, both, weight, max_residual))
    return replace(better, matches=by_features.matches)


def _align_copies(reference: Picture, target: Picture, area: float) -> Alignment:
    """Align copies of at most `area` px; the result is in px of the pictures."""
    copies = _small_copy(target, area), _small_copy(reference, area)
    grey = [to_grey(to_8_bit(copy.pixels, copy.levels)) for copy in copies]
    found = align(grey[0], grey[1], copies[0].valid, copies[1].valid)
    return found.of_photographs(*copies)


def _small_copy(picture: Picture, area: float) -> Picture:
    """A copy of at most `area` px."""
    return small_copy(picture, float(np.sqrt(area / (picture.size[0] * picture.size[1]))))


def align(
    target: Grey, reference: Grey, target_mask: Grey | None = None, reference_mask: Grey | None = None
) -> Alignment:
    """Find the homography that maps the target onto the plane of the reference.

    Args:
        target, reference: (h, w) uint8 grey, about 0.3 Mpx.
        target_mask, reference_mask: (h, w) uint8, 255 = use; None = all of the picture.

    Raises:
        InputError: no overlap was found.
    """
    matches = match_features(Features(target, target_mask), Features(reference, reference_mask))
    alignment = align_matches(matches, target.shape, reference.shape)
    return alignment or _align_by_translation(target, reference, target_mask, reference_mask, len(matches))


def align_matches(
    matches: Matches,
    target_shape: tuple[int, ...],
    reference_shape: tuple[int, ...],
    motion: Motion = "perspective",
) -> Alignment | None:
    """The plausible motion of the whole target that fits matches of features best; None where there is none.

    Args:
        matches: px of the two pictures.
        target_shape, reference_shape: (h, w, ...) of the pictures.
        motion: what may move the target; a "perspective" motion can be an affine one, too.
    """
    tolerance = max(1.0, EPIPOLAR_TOLERANCE * _diagonal(target_shape))
    fits = epipolar_inliers(matches.target, matches.reference, tolerance, 3000, MIN_INLIERS)
    trusted = matches if fits is None else matches.select(fits)
    diagonal = _diagonal(reference_shape)
    tolerances = PLANE_TOLERANCE * diagonal, RELIEF_TOLERANCE * diagonal
    return _best_fit(trusted, len(matches), target_shape, reference_shape, *tolerances, motion)


def _best_fit(
    trusted: Matches,
    n_matches: int,
    target_shape: tuple[int, ...],
    reference_shape: tuple[int, ...],
    plane_tolerance: float,
    relief_tolerance: float,
    motion: Motion = "perspective",
) -> Alignment | None:
    """The plausible motion of the whole target with the smallest residual; None where there is none.

    Args:
        trusted: those of `n_matches` matches that fit the epipolar geometry.
        n_matches: for the confidence.
        target_shape, reference_shape: (h, w, ...) of the pictures.
        plane_tolerance, relief_tolerance: px, largest inlier residual of a plane and of a fit to all matches.
        motion: what may move the target.
    """
    planes = list(_planes(trusted, plane_tolerance)) if motion == "perspective" else []
    fits = [(plane, "homography") for plane in planes] + list(_fits_to_all(trusted, relief_tolerance, motion))
    plausible = [fit for fit in fits if is_plausible(fit[0], target_shape, reference_shape)]
    if not plausible:
        return None
    weight, max_residual = _cell_weight(trusted, reference_shape), MAX_RESIDUAL * _diagonal(reference_shape)
    if motion == "perspective":
        local = [(fit_locally(fit, trusted, weight, max_residual), "homography") for fit, _ in plausible]
        plausible += [fit for fit in local if is_plausible(fit[0], target_shape, reference_shape)]
    homography, method = min(plausible, key=lambda fit: _cost(fit[0], trusted, weight, max_residual))
    confidence = _confidence(homography, trusted, n_matches, _diagonal(reference_shape))
    return Alignment(homography, trusted, method, len(planes), confidence)


def _planes(matches: Matches, tolerance: float) -> Iterator[Matrix]:
    """Homographies of the planes in the scene, one after the other, each of the matches that are left."""
    for _ in range(MAX_PLANES):
        plane, inliers = _fit_homography(matches, tolerance)
        if plane is None:
            return
        yield plane
        matches = matches.select(~inliers)


def _fits_to_all(matches: Matches, tolerance: float, motion: Motion) -> Iterator[tuple[Matrix, str]]:
    """One motion of each allowed kind fitted to all matches, and the name of the kind."""
    if motion == "perspective":
        homography, _ = _fit_homography(matches, tolerance)
        if homography is not None:
            yield homography, "homography"
    if len(matches) < MIN_AFFINE_INLIERS:
        return
    if motion == "translation":
        yield fit_translation(matches, tolerance), "translation"
        return
    for fit, method in ((cv2.estimateAffine2D, "affine"), (cv2.estimateAffinePartial2D, "similarity")):
        affine, inliers = fit(matches.target, matches.reference, method=cv2.RANSAC, ransacReprojThreshold=tolerance)
        if affine is not None and inliers.sum() >= MIN_AFFINE_INLIERS:
            yield np.vstack([affine, [0, 0, 1]]), method


def _fit_homography(matches: Matches, tolerance: float) -> tuple[Matrix | None, NDArray[np.bool_]]:
    """The homography with the most inliers, (n,) bool; None with fewer than `MIN_INLIERS`."""
    nothing = None, np.zeros(len(matches), bool)
    if len(matches) < MIN_INLIERS:
        return nothing
    homography, inliers = cv2.findHomography(
        matches.target, matches.reference, cv2.USAC_MAGSAC, tolerance, maxIters=3000, confidence=0.999
    )
    if homography is None or inliers.sum() < MIN_INLIERS:
        return nothing
    return np.asarray(homography, np.float64), inliers.ravel() > 0


def fit_translation(matches: Matches, tolerance: float) -> Matrix:
    """The mean of the largest group of moves that differ by at most `tolerance` px from one of them."""
    moves = matches.reference - matches.target
    alike = np.linalg.norm(moves[:, None] - moves[None], axis=2) <= tolerance  # (n, n)
    x, y = moves[alike[alike.sum(axis=1).argmax()]].mean(axis=0)
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def _residuals(homography: Matrix, matches: Matches) -> NDArray[np.float64]:
    error = np.linalg.norm(project(homography, matches.target) - matches.reference, axis=1)
    return np.where(np.isnan(error), np.inf, error)


def _cost(homography: Matrix, matches: Matches, weight: NDArray[np.float64], max_residual: float) -> float:
    """Weighted sum of the residuals, px; what is larger than `max_residual` counts as that."""
    return float(np.minimum(_residuals(homography, matches), max_residual) @ weight)


def _cell_weight(matches: Matches, reference_shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(n,) weights, 1 in all: cells of 1/12 of the longer side count alike however many matches they hold."""
    h, w = reference_shape[:2]
    offset = matches.reference - ((w - 1) / 2, (h - 1) / 2)  # from the centre, so that a turned pair has the same cells
    cells = np.floor(offset / (max(h, w) / 12)).astype(int) @ np.array([1, 64])
    _, cell, count = np.unique(cells, return_inverse=True, return_counts=True)
    return 1 / (count[cell] * len(count))


def _confidence(homography: Matrix, trusted: Matches, n_matches: int, diagonal: float) -> float:
    """1 where matches are many and agree; Brown & Lowe 2007 (eq. 13) accept n_inliers > 8 + 0.3 n."""
    inliers = (_residuals(homography, trusted) < RELIEF_TOLERANCE * 2 * diagonal).sum()
    return float(np.clip(inliers / (8 + 0.3 * n_matches) / 2, 0, 1))


def _align_by_translation(
    target: Grey, reference: Grey, target_mask: Grey | None, reference_mask: Grey | None, n_matches: int
) -> Alignment:
    """A translation of the whole picture, accepted only where the pictures look alike after it."""
    found = find_translation(target, reference, target_mask, reference_mask)
    if found.correlation < MIN_TRANSLATION_CORRELATION or found.significance < MIN_SIGNIFICANCE:
        raise InputError(
            f"no overlap was found: {n_matches} features match, and no translation makes the pictures alike beyond"
            f" chance (correlation {found.correlation:.2f}, significance {found.significance:.1f}; expected"
            f" {MIN_TRANSLATION_CORRELATION} and {MIN_SIGNIFICANCE:g}); the pictures must share at least about a fifth"
            " of their area - try more overlap, larger pictures or pictures taken closer together"
        )
    x, y = found.shift
    none = np.zeros((0, 2))
    homography = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
    return Alignment(homography, Matches(none, none), "translation", 0, 0.3 * found.correlation)


def _diagonal(shape: tuple[int, ...]) -> float:
    return float(np.hypot(shape[0], shape[1]))
