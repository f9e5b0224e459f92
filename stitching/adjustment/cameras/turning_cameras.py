"""Cameras that turn in one place: rotations and focal lengths (Szeliski & Shum 1997; Brown & Lowe 2007, section 4)."""

from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.joint_fit import QUADRATIC, Vector, residuals, typical_residual
from stitching.adjustment.links import LinkedPictures, Links, as_directions

SHORTEST_FOCAL = 0.45  # of half the diagonal: 131 degrees across
FOCALS = np.geomspace(SHORTEST_FOCAL, 12, 16)  # of half the diagonal, that are tried for all pairs
ROUNDS = 4  # of the robust fit of a rotation to one pair
USUAL_FOCAL, FOCAL_DEVIATION = 1.4, 1.0  # of half the diagonal (60 degrees across); of its logarithm
KNOWN_DEVIATION = 0.1  # of the logarithm of a focal length that metadata say, which counts as much as all matches
OWN_DEVIATION = 0.1  # of the logarithm of a picture's own focal length from that of all, as Brown & Lowe (eq. 25)

_CROSS = np.array(
    [[[0, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [0, 0, 0], [-1, 0, 0]], [[0, -1, 0], [1, 0, 0], [0, 0, 0]]],
    np.float64,
)  # (3, 3, 3): the cross products with the axes
_ZOOM = np.diag([1.0, 1.0, 0.0])


@dataclass(frozen=True, eq=False)
class TurningCameras:
    """The cameras of n pictures, that of the reference looks ahead; see `joint_fit.Motions`.

    Attributes:
        reference: index of the picture that stays.
        rotations: (n, 3, 3), directions of the frame (right, down, ahead) -> those of the camera.
        focals: (n,), of half the diagonal.
        own_from: None = all have one focal length; else each has its own, near this one.
        expected: the one that is likely without any match, and the deviation of its logarithm.
    """

    reference: int
    rotations: NDArray[np.float64]
    focals: NDArray[np.float64]
    own_from: float | None = None
    expected: tuple[float, float] = USUAL_FOCAL, FOCAL_DEVIATION

    @property
    def matrices(self) -> NDArray[np.float64]:
        """(n, 3, 3), directions of the frame -> normalised picture."""
        return self._cameras @ self.rotations

    @property
    def generators(self) -> NDArray[np.float64]:
        """(n, 4, 3, 3): turns about three axes, and zoom."""
        turns = self._cameras[:, None] @ _CROSS @ np.linalg.inv(self._cameras)[:, None]
        zoom = np.broadcast_to(_ZOOM, (len(turns), 1, 3, 3))
        return np.concatenate([turns, zoom], axis=1)

    @property
    def columns(self) -> NDArray[np.intp]:
        """(n, 4): all but the turns of the reference; one zoom for all unless each has its own."""
        n = len(self.focals)
        columns = np.full((n, 4), -1)
        columns[np.delete(np.arange(n), self.reference), :3] = np.arange(3 * n - 3).reshape(n - 1, 3)  # (n - 1, 3)
        columns[:, 3] = 3 * n - 3 + (np.arange(n) if self.own_from else 0)
        return columns

    def moved(self, step: Vector) -> Self:
        """The cameras after a step (n, 4)."""
        turns = np.stack([cv2.Rodrigues(turn)[0] for turn in step[:, :3]])
        # Parallax, which no turn explains, may pull the focal length to zero, where every picture is one point.
        focals = np.maximum(self.focals * np.exp(np.clip(step[:, 3], -1, 1)), SHORTEST_FOCAL)
        return replace(self, rotations=turns @ self.rotations, focals=focals)

    def prior(self) -> tuple[Vector, Vector]:
        """Focal lengths are usual ones, or near that of all."""
        n = len(self.focals)
        usual, deviation = self.expected
        usual, deviation = (self.own_from, OWN_DEVIATION) if self.own_from else (usual, deviation * n**0.5)
        change = np.zeros((n, 1, 4))
        change[..., 3] = 1 / deviation
        return np.log(self.focals / usual)[:, None] / deviation, change

    @property
    def _cameras(self) -> NDArray[np.float64]:
        cameras = np.zeros((len(self.focals), 3, 3))
        cameras[:, 0, 0] = cameras[:, 1, 1] = self.focals
        cameras[:, 2, 2] = 1
        return cameras


def start_as_cameras(pictures: LinkedPictures, focal: float, known: float | None = None) -> TurningCameras:
    """Cameras to start with: the rotations of the pairs along the tree; `known` as `LinkedPictures.focal`."""
    links, rotations = pictures.links, np.tile(np.eye(3), (pictures.count, 1, 1))
    between = rotations_of_pairs(links, focal)
    for block in pictures.tree:
        rotations[links.end[block]] = between[block] @ rotations[links.start[block]]
    expected = USUAL_FOCAL, FOCAL_DEVIATION
    if known:  # matches with parallax are wrong together: more of them say no more
        expected = known, KNOWN_DEVIATION / len(links.start_places) ** 0.5
    return TurningCameras(pictures.root, rotations, np.full(pictures.count, focal), expected=expected)


def likely_focal(links: Links) -> float:
    """The focal length, of half the diagonal, with which turns explain the pairs best, each for itself."""

    def cost(focal: float) -> float:
        camera = np.diag([focal, focal, 1.0])
        between = camera @ rotations_of_pairs(links, focal) @ np.linalg.inv(camera)
        return typical_residual(_residuals_of_pairs(between, links))

    return float(min(FOCALS, key=cost))


def _residuals_of_pairs(between: NDArray[np.float64], links: Links) -> Vector:
    """(m,): how far each match is from its place after the motion (b, 3, 3) of its block."""
    # As if each block had two pictures of its own, the first one being the frame.
    blocks = len(between)
    alone = replace(links, start=np.arange(blocks), end=np.arange(blocks, 2 * blocks))
    return residuals(np.concatenate([np.broadcast_to(np.eye(3), between.shape), between]), alone)


def rotations_of_pairs(links: Links, focal: float) -> NDArray[np.float64]:
    """(b, 3, 3): the rotation of each block, start -> end, that brings the directions of its matches together.

    Kabsch 1976, iteratively reweighted.
    """
    starts, ends = as_directions(links.start_places, focal), as_directions(links.end_places, focal)
    products = ends[:, :, None] * starts[:, None]  # (m, 3, 3)
    weight = np.ones(len(starts))
    rotations = np.empty((0, 3, 3))
    for _ in range(ROUNDS):
        sums = np.add.reduceat(products * weight[:, None, None], links.bounds[:-1])
        left, _, right = np.linalg.svd(sums)
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        rotations = left @ right
        moved = (rotations[links.block] @ starts[..., None])[..., 0]
        weight = 1 / np.maximum(np.linalg.norm(moved - ends, axis=1) * focal, QUADRATIC)
    return rotations
