import cv2
import numpy as np
import pytest
from picture_files import refused

from stitching.alignment.image_circles import check_image_circles
from stitching.io.picture import as_picture

SIDE = 300


def picture(circular, valid=None):
    """Grey, with black corners where it is circular."""
    pixels = np.full((SIDE, SIDE, 3), 120, np.uint8)
    if circular:
        pixels = cv2.circle(np.zeros_like(pixels), (SIDE // 2, SIDE // 2), SIDE // 2, (120, 120, 120), -1)
    return as_picture(pixels, "picture") if valid is None else as_picture(np.dstack([pixels, valid]), "picture")


def turned(degrees):
    middle = SIDE / 2, SIDE / 2
    return np.vstack([cv2.getRotationMatrix2D(middle, -degrees, 1.2), [0, 0, 1]])


@pytest.mark.parametrize("degrees", [47, -130])
def test_circular_pictures_that_fit_only_askew_are_refused(degrees):
    with refused(f"turned by {abs(degrees)} degrees", "fisheye", "rectilinear"):
        check_image_circles(picture(True), picture(True), turned(degrees))


@pytest.mark.parametrize("degrees", [0, 12, 90, 180, -85])
def test_circular_pictures_that_stand_upright_or_on_a_side_are_taken(degrees):
    check_image_circles(picture(True), picture(True), turned(degrees))


def test_other_pictures_may_be_turned():
    check_image_circles(picture(True), picture(False), turned(47))
    check_image_circles(picture(False), picture(True), turned(47))


def test_masked_corners_are_not_those_of_a_lens():
    inside = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (SIDE // 2, SIDE // 2), SIDE // 2, 255, -1)
    check_image_circles(picture(True, inside), picture(True, inside), turned(47))
