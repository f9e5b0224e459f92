"""Arrangements of pictures that a camera took while it turned, for the tests of canvas and adjustment."""

import numpy as np

from stitching.adjustment.arrangement import Arrangement
from stitching.geometry.pixel_maps import even_grid

SIZE, FOCAL = (640, 480), 550.0
FIELD = 60.4  # degrees, of a picture's width


def rotation(yaw, pitch=0.0, roll=0.0):
    """(3, 3): frame directions (right, down, ahead) -> those of a camera that looks right, up and leans, degrees."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return lean @ tilt @ turn


def turned_pictures(*angles, size=SIZE, focal=FOCAL):
    """The arrangement of pictures of one camera with the given (yaw, pitch, roll), degrees; the first is the frame."""
    camera = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    to_picture = {i: camera @ rotation(*angle) @ np.linalg.inv(camera) for i, angle in enumerate(angles)}
    return Arrangement("perspective", 0, focal, size, to_picture, 0.0)


def on_a_plane(*homographies, motion="perspective", size=SIZE):
    """The arrangement of pictures of one plane: homographies, picture px -> frame px."""
    return Arrangement(motion, 0, None, size, {i: np.linalg.inv(h) for i, h in enumerate(homographies)}, 0.0)


def sizes_of(arrangement):
    return {number: arrangement.frame_size for number in arrangement.to_picture}


def picture_points(size=SIZE):
    """(n, 2) points all over a picture, px."""
    return even_grid((0, 0), (size[0] - 1, size[1] - 1), 25).reshape(-1, 2)
