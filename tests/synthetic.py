"""A small pair with large parallax and exact geometry: a wall and a box in front of it, seen by two cameras."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut, coffee, gravel

SIZE = (400, 300)  # (w, h) of both pictures, px
FOCAL = 380.0  # px
WALL, BOX = 10.0, 6.0  # distance from the reference camera
BASELINE = (1.6, 0.15, 0.1)  # of the second camera: right, down, forward
ROTATION = (-0.01, 0.02, 0.015)  # of the second camera, rotation vector
BOX_CORNERS = (195, 105, 305, 230)  # left, top, right, bottom in the reference, px
MARGIN = 200  # px of the wall's texture beyond the reference's frame


@dataclass(frozen=True)
class TwoPlanes:
    """A pair and what is true about it.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR.
        map_xy: (h, w, 2) float64, target px -> reference px, also outside the reference's frame.
        visible: (h, w), target pixels that the reference sees too, a pixel off every border.
        on_box: (h, w), target pixels that show the box.
        wall: (3, 3), reference px -> target px of the wall.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    map_xy: NDArray[np.float64]
    visible: NDArray[np.bool_]
    on_box: NDArray[np.bool_]
    wall: NDArray[np.float64]


@cache
def two_planes() -> TwoPlanes:
    """Render the scene; treat the arrays as read-only."""
    w, h = SIZE
    wall, box = _homography(WALL), _homography(BOX)
    far, near = paint(coffee()[..., ::-1], 6), paint(astronaut()[..., ::-1], 3)
    left, top, right, bottom = BOX_CORNERS
    # Textures are drawn in reference px, translated by the margin.
    translation = np.array([[1, 0, -MARGIN], [0, 1, -MARGIN], [0, 0, 1]], np.float64)
    reference = far[MARGIN : MARGIN + h, MARGIN : MARGIN + w].copy()
    reference[top:bottom, left:right] = near[MARGIN + top : MARGIN + bottom, MARGIN + left : MARGIN + right]
    target, box_pixels = (cv2.warpPerspective(p, m @ translation, (w, h)) for p, m in ((far, wall), (near, box)))
    x, y = np.meshgrid(np.arange(w, dtype=np.float64), np.arange(h, dtype=np.float64))
    grid = np.stack([x, y], axis=-1)
    on_wall, on_box_plane = (_project(np.linalg.inv(m), grid) for m in (wall, box))
    on_box = _within(on_box_plane, (left - 0.5, top - 0.5, right - 0.5, bottom - 0.5))
    target[on_box] = box_pixels[on_box]
    map_xy = np.where(on_box[..., None], on_box_plane, on_wall)
    hidden = ~on_box & _within(on_wall, (left - 1.5, top - 1.5, right + 0.5, bottom + 0.5))
    visible = _within(map_xy, (1, 1, w - 2, h - 2)) & ~hidden
    return TwoPlanes(reference, target, map_xy, visible, on_box, wall)


def _homography(distance: float) -> NDArray[np.float64]:
    """Reference px -> target px of the plane z = distance."""
    w, h = SIZE
    camera = np.array([[FOCAL, 0, (w - 1) / 2], [0, FOCAL, (h - 1) / 2], [0, 0, 1]])
    rotation, _ = cv2.Rodrigues(np.array(ROTATION))
    parallax = np.outer(BASELINE, [0, 0, 1]) / distance
    homography = camera @ rotation @ (np.eye(3) - parallax) @ np.linalg.inv(camera)
    return np.asarray(homography / homography[2, 2])


def paint(photograph: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A photograph over gravel, so that there is something to match everywhere."""
    w, h = SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN
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
