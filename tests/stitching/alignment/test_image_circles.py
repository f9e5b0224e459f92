import cv2
import numpy as np
import pytest
from picture_files import refused

from stitching.alignment.image_circles import check_image_circles, inside_image_circle
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
    with refused(f"turned by {abs(degrees)} degrees", "fisheye", "--lens"):
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


def fisheye_picture(size, centre, radius):
    """Noise inside of a circle, black outside, but for the noise of a sensor."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    mask = cv2.circle(np.zeros(noise.shape[:2], np.uint8), centre, radius, 255, -1)
    return np.where(mask[..., None] > 0, cv2.GaussianBlur(noise, (0, 0), 2), noise // 32), mask


@pytest.mark.parametrize(
    ("size", "centre", "radius"),
    [((900, 900), (440, 460), 400), ((960, 640), (490, 300), 450), ((1500, 1000), (750, 500), 500)],
)
def test_the_image_circle_is_found_also_where_sides_cut_it(size, centre, radius):
    pixels, inside = fisheye_picture(size, centre, radius)
    found = inside_image_circle(as_picture(pixels, "picture"))
    assert found is not None
    assert not found[inside == 0].any()  # nothing that is black is shown
    kept = cv2.circle(np.zeros_like(inside), centre, round(0.96 * radius), 255, -1)
    assert found[kept > 0].min() == 255


def test_pictures_without_a_circle_have_no_mask():
    square = np.full((400, 400, 3), 150, np.uint8)
    assert inside_image_circle(as_picture(square, "picture")) is None
    framed = cv2.copyMakeBorder(square, 60, 60, 60, 60, cv2.BORDER_CONSTANT)
    assert inside_image_circle(as_picture(framed, "picture")) is None
