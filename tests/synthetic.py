"""A small pair with large parallax and exact geometry: a wall and a box before it, seen by two cameras."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut, coffee, gravel

SIZE = (400, 300)  # (w, h) of both pictures, px
FOCAL = 380.0  # px
WALL, BOX = 10.0, 6.0  # distance from the reference camera
STEP = (1.6, 0.15, 0.1)  # of the second camera: right, down, forward
TURN = (-0.01, 0.02, 0.015)  # of the second camera, rotation vector
BOX_AT = (195, 105, 305, 230)  # left, top, right, bottom in the reference, px
SLACK = 200  # px of wall painted beyond the reference's frame


@dataclass(frozen=True)
class Scene:
    """A pair and what is true about it.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR.
        places: (h, w, 2) float64, target px -> reference px, wherever that is.
        visible: (h, w), target pixels that the reference sees too, a pixel off every border.
        on_box: (h, w), target pixels that show the box.
        wall: (3, 3), reference px -> target px of the wall.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    places: NDArray[np.float64]
    visible: NDArray[np.bool_]
    on_box: NDArray[np.bool_]
    wall: NDArray[np.float64]


@cache
def two_planes() -> Scene:
    """Render the scene; treat the arrays as read-only."""
    w, h = SIZE
    wall, box = _homography(WALL), _homography(BOX)
    far, near = paint(coffee()[..., ::-1], 6), paint(astronaut()[..., ::-1], 3)
    left, top, right, bottom = BOX_AT
    # Textures are painted in reference px, shifted by the slack.
    shift = np.array([[1, 0, -SLACK], [0, 1, -SLACK], [0, 0, 1]], np.float64)
    reference = far[SLACK : SLACK + h, SLACK : SLACK + w].copy()
    reference[top:bottom, left:right] = near[SLACK + top : SLACK + bottom, SLACK + left : SLACK + right]
    target, box_valid = (cv2.warpPerspective(p, m @ shift, (w, h)) for p, m in ((far, wall), (near, box)))
    x, y = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
    grid = np.stack([x, y], axis=-1)
    on_wall, before = (_project(np.linalg.inv(m), grid) for m in (wall, box))
    on_box = _within(before, (left - 0.5, top - 0.5, right - 0.5, bottom - 0.5))
    target[on_box] = box_valid[on_box]
    places = np.where(on_box[..., None], before, on_wall)
    behind = ~on_box & _within(on_wall, (left - 1.5, top - 1.5, right + 0.5, bottom + 0.5))
    visible = _within(places, (1, 1, w - 2, h - 2)) & ~behind
    return Scene(reference, target, places, visible, on_box, wall)


def _homography(distance: float) -> NDArray[np.float64]:
    """Reference px -> target px of the plane z = distance."""
    w, h = SIZE
    camera = np.array([[FOCAL, 0, (w - 1) / 2], [0, FOCAL, (h - 1) / 2], [0, 0, 1]])
    rotation, _ = cv2.Rodrigues(np.array(TURN))
    shift = np.outer(STEP, [0, 0, 1]) / distance
    homography = camera @ rotation @ (np.eye(3) - shift) @ np.linalg.inv(camera)
    return np.asarray(homography / homography[2, 2])


def paint(photograph: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A photograph over gravel, so that there is something to match everywhere."""
    w, h = SIZE[0] + 2 * SLACK, SIZE[1] + 2 * SLACK
    picture = cv2.resize(photograph, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    stones = cv2.resize(np.roll(gravel(), 40 * seed, axis=1), (w, h), interpolation=cv2.INTER_AREA)
    mixed = 20 + 0.5 * picture + 0.6 * (stones[..., None].astype(np.float32) - 60)
    return np.clip(mixed, 1, 254).astype(np.uint8)


def _project(homography: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[..., :2] / mapped[..., 2:])


def _within(points: NDArray[np.float64], box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    x, y = points[..., 0], points[..., 1]
    return np.asarray((x >= box[0]) & (y >= box[1]) & (x <= box[2]) & (y <= box[3]))
