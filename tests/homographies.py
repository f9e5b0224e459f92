"""Homographies, target px -> reference px, from realistic to absurd, for the tests of alignment and geometry."""

import numpy as np

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches

SIZE = (640, 480)  # (w, h)


def camera_turned(yaw, pitch=0.0, roll=0.0, focal=550.0, size=SIZE):
    """The homography of a camera that turns by yaw, pitch and roll, degrees."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    camera = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    homography = camera @ turn @ tilt @ lean @ np.linalg.inv(camera)
    return homography / homography[2, 2]


def translated(x, y, scale=1.0):
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]], np.float64)


REALISTIC = {
    "identity": np.eye(3),
    "translation": translated(250, -40),
    "nearer": translated(100, 30, 0.7),
    "farther": translated(-120, -60, 1.5),
    "yaw 20": camera_turned(20),
    "yaw -35": camera_turned(-35, 4),
    "yaw 45": camera_turned(45, -3, 5),
    "pitch 25": camera_turned(3, 25),
    "pitch -45": camera_turned(4, -45),
    "leaning": camera_turned(15, 5, 20),
    "small wall": np.array([[0.8, 0.05, 200], [-0.15, 0.9, 40], [-5e-4, 1e-4, 1]]),
}


def random_homographies(n, seed=0):
    """`n` homographies from gentle to absurd."""
    random = np.random.default_rng(seed)
    for _ in range(n):
        strength = 10 ** random.uniform(-2, 0.3)
        linear = np.eye(2) + strength * random.normal(size=(2, 2))
        offset = strength * random.normal(size=2) * SIZE
        bend = strength * random.normal(size=2) / max(SIZE)
        yield np.block([[linear, offset[:, None]], [bend[None], np.ones((1, 1))]])


def grid_of(size, step=16):
    """(h, w, 2) points, every `step` px."""
    return np.stack(np.meshgrid(np.arange(0.0, size[0], step), np.arange(0.0, size[1], step)), axis=-1)  # (h, w, 2)


def coarse_warp_of(homography, target_size=SIZE, reference_size=SIZE):
    """The coarse warp of an alignment without matches."""
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    alignment = Alignment(np.asarray(homography, np.float64), nothing, "homography", 1, 1.0)
    return plan_coarse_warp(alignment, reference_size, target_size)
