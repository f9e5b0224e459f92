"""The joint adjustment: where all pictures of a connected set lie, from the matches of all pairs at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np

from stitching.adjustment.arrangement import Arrangement, Motion
from stitching.adjustment.cameras.levelling import levelling
from stitching.adjustment.cameras.moving_cameras import fit_moving_cameras
from stitching.adjustment.cameras.turning_cameras import (
    SHORTEST_FOCAL,
    TurningCameras,
    likely_focal,
    start_as_cameras,
)
from stitching.adjustment.joint_fit import LIMITS, NOISE, fit_jointly, residuals, typical_residual
from stitching.adjustment.links import LinkedPictures, link_pictures
from stitching.adjustment.match_distance import match_distance
from stitching.adjustment.plane_motions import (
    PlaneMotions,
    start_as_homographies,
    start_as_similarities,
    start_as_translations,
)
from stitching.geometry.homographies import MIN_DEPTH_RATIO, Matrix, from_homogeneous
from stitching.geometry.pixel_maps import Size
from stitching.io.picture_source import PictureSource
from stitching.match_graph.match_graph import MatchGraph

Fit = PlaneMotions | TurningCameras

WORSE = 1.15  # times the residual of a more complex motion: as good as that
MAX_FLAT = {"translation": 0.010, "affine": 0.004}  # of half the diagonal: larger residuals come from parallax
HOMOGRAPHIES_GAIN = 0.6  # of the cameras' residual: what homographies, which have more parameters, may leave of it
MIN_PARALLAX = 0.010  # of half the diagonal: so much of the residual of turning cameras comes from movement
PLANE_GAIN = 0.33  # of that residual: with less the cameras moved over a plane, which homographies describe
MAX_CHANGE = 20.0  # of a picture's area by a homography, both ways
FOCAL_STARTS = 1.0, 0.7, 1.4  # times the focal length that fits the pairs best; a ring tells it better than its pairs


def adjust(
    sources: Sequence[PictureSource],
    graph: MatchGraph,
    members: tuple[int, ...],
    reference: int,
    motion: Literal["auto"] | Motion,
) -> Arrangement:
    """Where the pictures of one connected component lie.

    Args:
        sources: all pictures of the set.
        graph: its match graph.
        members: numbers of the component's pictures, rising.
        reference: the one whose view is kept.
        motion: what moves one picture to another; "auto" takes the simplest one that explains the matches as well as
            the others do.

    Returns:
        The arrangement of the members; the same for the same input, byte for byte.
    """
    pictures = link_pictures(graph, {number: sources[number].size for number in members}, reference)
    pictures = replace(pictures, focal=_known_focal([sources[number] for number in members], pictures.unit))
    chosen, fit = _simplest(pictures) if motion == "auto" else (motion, FITS[motion](pictures))
    return _arrangement(pictures, chosen, fit)


def _known_focal(members: Sequence[PictureSource], unit: float) -> float | None:
    """The median focal length that is known, of `unit` px; None unless it is of more than half of the pictures."""
    halves = [float(np.hypot(*one.size)) / 2 for one in members]
    known = [one.focal * half / unit for one, half in zip(members, halves, strict=True) if one.focal]
    return float(np.median(known)) if 2 * len(known) > len(members) else None


def fit_translations(pictures: LinkedPictures) -> PlaneMotions:
    """Translations, as of rigid grids of tiles."""
    return fit_jointly(start_as_translations(pictures), pictures.links)


def fit_affinities(pictures: LinkedPictures) -> PlaneMotions:
    """Affinities, near similarities."""
    return fit_jointly(start_as_similarities(pictures), pictures.links)


def fit_perspective(pictures: LinkedPictures) -> Fit:
    """Turning cameras; with much parallax cameras that also move, or homographies where these explain the matches."""
    return _perspective_beside(fit_homographies(pictures), pictures)


def _perspective_beside(homographies: PlaneMotions, pictures: LinkedPictures) -> Fit:
    cameras = fit_cameras(pictures)
    by_turns, by_planes = error_of(cameras, pictures), error_of(homographies, pictures)
    if by_planes > PLANE_GAIN * by_turns > PLANE_GAIN * MIN_PARALLAX and (
        moving := fit_moving_cameras(pictures, cameras)
    ):
        return moving
    fails = by_planes < HOMOGRAPHIES_GAIN * by_turns or cameras.focals.min() <= SHORTEST_FOCAL
    return homographies if fails and _are_plausible(homographies, pictures) else cameras


def fit_homographies(pictures: LinkedPictures) -> PlaneMotions:
    """Homographies of one plane, near similarities."""
    return fit_jointly(start_as_homographies(pictures), pictures.links)


def fit_cameras(pictures: LinkedPictures) -> TurningCameras:
    """Turning cameras; of a known focal length where the matches, which parallax misleads, do not clearly refuse it."""
    likely = likely_focal(pictures.links)
    free = _fit_cameras(pictures, [factor * likely for factor in FOCAL_STARTS], None)
    if pictures.focal is None:
        return free
    known = _fit_cameras(pictures, [pictures.focal], pictures.focal)
    return known if error_of(known, pictures) < WORSE * error_of(free, pictures) else free


def _fit_cameras(pictures: LinkedPictures, focals: Sequence[float], known: float | None) -> TurningCameras:
    """With one focal length, from the best of these; then each with its own near it, which takes up some parallax."""
    starts = (start_as_cameras(pictures, focal, known) for focal in focals)
    first = [fit_jointly(start, pictures.links, LIMITS[:1]) for start in starts]
    shared = fit_jointly(min(first, key=lambda fit: error_of(fit, pictures)), pictures.links, LIMITS[1:])
    return fit_jointly(replace(shared, own_from=float(shared.focals[0])), pictures.links, LIMITS[-1:])


FITS: dict[Motion, Callable[[LinkedPictures], Fit]] = {
    "translation": fit_translations,
    "affine": fit_affinities,
    "perspective": fit_perspective,
}


def error_of(fit: Fit, pictures: LinkedPictures) -> float:
    """Robust residual of a fit, of half the diagonal."""
    return typical_residual(residuals(fit.matrices, pictures.links))


def _simplest(pictures: LinkedPictures) -> tuple[Motion, Fit]:
    """The simplest motion that leaves as small residuals as homographies do, and ones of a flat original.

    Where things are at many depths no motion of a plane is right, and homographies are hardly better than translations:
    without limits the simplest motion would be taken.
    """
    homographies = fit_homographies(pictures)
    enough = WORSE * error_of(homographies, pictures)
    for motion in ("translation", "affine"):
        fit = FITS[motion](pictures)
        if error_of(fit, pictures) < min(enough, MAX_FLAT[motion] + NOISE):
            return motion, fit
    return "perspective", _perspective_beside(homographies, pictures)


def _are_plausible(fit: PlaneMotions, pictures: LinkedPictures) -> bool:
    """Whether the reference's plane can show each picture: no horizon in or near it, its area not changed much."""
    for matrix, (w, h) in zip(fit.matrices, pictures.sizes.values(), strict=True):
        x, y = w / (2 * pictures.unit), h / (2 * pictures.unit)
        corners = np.array([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]]) @ np.linalg.inv(matrix).T
        if not corners[:, 2].min() > MIN_DEPTH_RATIO * corners[:, 2].max():
            return False
        change = cv2.contourArea(from_homogeneous(corners).astype(np.float32)) / (4 * x * y)
        if not 1 / MAX_CHANGE < change < MAX_CHANGE:
            return False
    return True


def _arrangement(pictures: LinkedPictures, motion: Motion, fit: Fit) -> Arrangement:
    """The fit in px."""
    size = pictures.sizes[pictures.reference]
    frame, focal = fit.matrices, None
    if isinstance(fit, TurningCameras):
        focal = float(fit.focals[pictures.root])
        camera = np.diag([focal, focal, 1.0])
        frame = frame @ levelling(fit.rotations) @ np.linalg.inv(camera)
        focal *= pictures.unit
    to_unit = pictures.normalisations[pictures.root]
    found = {
        number: np.asarray(np.linalg.inv(own) @ matrix @ to_unit)
        for number, own, matrix in zip(pictures.sizes, pictures.normalisations, frame, strict=True)
    }
    if focal is None:
        found = {number: _in_front(matrix, pictures.sizes[number]) for number, matrix in found.items()}
    known = pictures.focal and pictures.focal * pictures.unit
    return Arrangement(motion, pictures.reference, focal, size, found, match_distance(pictures, found), known)


def _in_front(matrix: Matrix, size: Size) -> Matrix:
    """The matrix, frame px -> picture px, with the sign that puts what the picture sees in front of the frame."""
    centre = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2, 1])
    return np.asarray(matrix * np.sign(np.linalg.solve(matrix, centre)[2]))
