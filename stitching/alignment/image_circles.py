"""Circular fisheye pictures: a homography does not fit them, and one that turns them against each other shows it.

Straight lines leave such a lens bent, and turn where two pictures overlap at their sides. What overlaps may fit well
then, but the whole picture is placed askew.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import Grey, Mask, Points, rescale
from stitching.io.picture import Picture, shrink, to_8_bit, to_grey
from stitching.io.small_copy import small_copy

COPY_SIDE, CIRCLE_SIDE = 160, 640  # px of copies, to find out whether there is a circle, and where
CORNER = 0.06  # of the shorter side
BLACK, BRIGHT = 32, 60  # grey levels: the most in a corner outside the image circle, the least as the mean of a picture
MAX_TURN = 20.0  # degrees from upright, or from a quarter turn
MAX_DISTANCE, MIN_ROUND = 0.01, 0.5  # of the radius, by which an end lies on a circle; share of the ends that must
RIM = 0.015  # of the radius, that is not shown: the lens's rim is dark and coloured


def check_image_circles(reference: Picture, target: Picture, homography: Matrix) -> None:
    """Refuse two circular fisheye pictures that are turned against each other.

    Args:
        reference, target: the pictures; what is masked is no corner of an image circle.
        homography: (3, 3), target px -> reference px.

    Raises:
        InputError: both have an image circle, and the homography turns the middle of the target by more than
            `MAX_TURN`.
    """
    turn = _turn(homography, target)
    if abs((turn + 45) % 90 - 45) > MAX_TURN and _has_image_circle(reference) and _has_image_circle(target):
        raise InputError(
            f"the pictures fit only if they are turned by {abs(turn):.0f} degrees against each other: they show the"
            " image circle of a fisheye lens, which is not corrected; give a calibration file of the lens (--lens), or"
            " mask their black corners (--mask-reference, --mask-target) if they come from another lens"
        )


def inside_image_circle(picture: Picture) -> Grey | None:
    """(h, w) of the photograph: 255 in the image circle of a fisheye lens, else 0; None where there is no such circle.

    Args:
        picture: as its lens drew it.
    """
    if not _has_image_circle(picture):
        return None
    small = shrink(picture, CIRCLE_SIDE / max(picture.pixel_size))
    lit = cv2.medianBlur(to_grey(to_8_bit(small.pixels, small.levels)), 5) >= BLACK
    circle = _fit_circle(_row_ends(lit))
    if circle is None:
        return None
    by = 1 / np.array(small.scale)
    bits = 4  # behind the point
    x, y = np.rint(rescale(circle[:2], by) * (1 << bits)).astype(int).tolist()
    radius = round((1 - RIM) * float(circle[2] * by[0]) * (1 << bits))
    mask = np.zeros(picture.pixels.shape[:2], np.uint8)
    cv2.circle(mask, (x, y), radius, (255,), -1, cv2.LINE_AA, bits)
    return mask


def _row_ends(lit: Mask) -> Points:
    """(n, 2): where rows of a mask (h, w) begin and end, but for those at the sides of the picture."""
    rows = np.flatnonzero(lit.any(axis=1))
    first, last = lit[rows].argmax(axis=1), lit.shape[1] - 1 - lit[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first, rows], axis=-1), np.stack([last, rows], axis=-1)])
    return np.asarray(ends[(ends[:, 0] > 1) & (ends[:, 0] < lit.shape[1] - 2)], np.float64)


def _fit_circle(points: Points) -> NDArray[np.float64] | None:
    """(x, y, radius) of the circle that most of (n, 2) points lie on; None where too few do.

    Least squares of x^2 + y^2 = 2 a x + 2 b y + c (Kasa 1976), again and again for the points near it.
    """
    used = np.ones(len(points), bool)
    circle = np.zeros(3)
    for _ in range(10):
        if used.sum() < max(20, MIN_ROUND * len(points)):
            return None
        near = points[used]
        found = np.linalg.lstsq(np.insert(2 * near, 2, 1, axis=1), (near**2).sum(axis=1), rcond=None)[0]
        circle = np.array([found[0], found[1], np.sqrt(max(found[2] + found[0] ** 2 + found[1] ** 2, 0))])
        distance = np.abs(np.linalg.norm(points - circle[:2], axis=1) - circle[2])
        used = distance <= max(MAX_DISTANCE * circle[2], float(np.median(distance)))
    round_share = float((distance <= MAX_DISTANCE * circle[2]).mean())
    return circle if round_share >= MIN_ROUND else None


def _turn(homography: Matrix, target: Picture) -> float:
    """Degrees, clockwise, by which a homography turns the middle of the target."""
    w, h = target.size
    x, y = w / 2, h / 2
    origin, right, down = project(homography, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    across, along = right - origin, down - origin
    return float(np.degrees(np.arctan2(across[1] - along[0], across[0] + along[1])))


def _has_image_circle(picture: Picture) -> bool:
    """Whether all four corners of a bright picture are black."""
    small = small_copy(picture, COPY_SIDE / max(picture.size))
    grey = to_grey(to_8_bit(small.pixels, small.levels))
    side = max(2, round(CORNER * min(grey.shape)))
    ends = slice(None, side), slice(-side, None)
    corners = [(rows, columns) for rows in ends for columns in ends]
    if small.valid is not None and any(small.valid[corner].min() < 255 for corner in corners):
        return False
    return bool(grey.mean() > BRIGHT and all(np.percentile(grey[corner], 90) < BLACK for corner in corners))
