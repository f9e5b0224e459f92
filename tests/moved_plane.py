"""Two views of a plane that only moves, and flows beside the true one."""

import cv2
import numpy as np
from synthetic import SIZE, paint

W, H = SIZE
EVERYWHERE = np.ones((H, W), bool)
INNER = slice(40, -40), slice(40, -40)


def views(x, y):
    """Two views of a plane; what is at p in the first is at p + (x, y) in the second."""
    plane = paint(np.zeros((40, 40, 3), np.uint8), 1)
    start = cv2.warpAffine(plane, np.float32([[1, 0, -150], [0, 1, -150]]), SIZE, flags=cv2.INTER_CUBIC)
    end = cv2.warpAffine(plane, np.float32([[1, 0, x - 150], [0, 1, y - 150]]), SIZE, flags=cv2.INTER_CUBIC)
    return start, end


def constant(x, y):
    return np.broadcast_to(np.float32([x, y]), (H, W, 2)).copy()


def error(flow, x, y):
    return np.linalg.norm(flow - np.float32([x, y]), axis=2)[INNER]
