"""Views of a camera that turns in one place in front of a large picture, with exact geometry."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.data import coffee
from synthetic import FOCAL, MARGIN, SIZE, paint


@dataclass(frozen=True)
class View:
    """pixels: (h, w, 3) uint8 BGR; to_front: (3, 3), px of the view -> px of the view straight ahead."""

    pixels: NDArray[np.uint8]
    to_front: NDArray[np.float64]


@cache
def turned_view(yaw: float, pitch: float = 0.0, gain: float = 1.0) -> View:
    """The view turned by `yaw` degrees to the right and `pitch` degrees down; brightness times `gain`."""
    w, h = SIZE
    camera = np.array([[FOCAL, 0, (w - 1) / 2], [0, FOCAL, (h - 1) / 2], [0, 0, 1]])
    right, _ = cv2.Rodrigues(np.array([0, np.deg2rad(yaw), 0]))
    down, _ = cv2.Rodrigues(np.array([-np.deg2rad(pitch), 0, 0]))
    to_front = camera @ right @ down @ np.linalg.inv(camera)
    translation = np.array([[1, 0, -MARGIN], [0, 1, -MARGIN], [0, 0, 1]], np.float64)
    drawn = cv2.warpPerspective(paint(coffee()[..., ::-1], 6), np.linalg.inv(to_front) @ translation, SIZE)
    return View(np.clip(drawn * gain, 0, 255).astype(np.uint8), to_front)
