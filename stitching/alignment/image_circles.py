"""Circular fisheye pictures: a homography does not fit them, and one that turns them against each other shows it.

Straight lines leave such a lens bent, and turn where two pictures overlap at their sides. What overlaps may fit well
then, but the whole picture is placed askew.
"""

import numpy as np

from stitching.errors import InputError
from stitching.geometry.homographies import Matrix, project
from stitching.io.picture import Picture, to_8_bit, to_grey
from stitching.io.small_copy import small_copy

COPY_SIDE = 160  # px
CORNER = 0.06  # of the shorter side
BLACK, BRIGHT = 32, 60  # grey levels: the most in a corner outside the image circle, the least as the mean of a picture
MAX_TURN = 20.0  # degrees from upright, or from a quarter turn


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
            " image circle of a fisheye lens, which is not corrected; convert them to a rectilinear projection, or mask"
            " their black corners (--mask-reference, --mask-target) if they come from another lens"
        )


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
