"""What must be shown, from end to end: a thing that one picture alone shows, in the overlap."""

import cv2
import numpy as np
import pytest
from synthetic import SIZE, two_planes

import stitching
from stitching import InputError, Options

W, H = SIZE
GREEN = (0, 255, 0)
RADIUS = 22
PLACE = 300, 60  # px, on the wall and in the overlap of both pictures


def disc(radius=RADIUS):
    """(H, W), a mask around the place."""
    return cv2.circle(np.zeros((H, W), np.uint8), PLACE, radius, 255, -1)


def with_disc(picture):
    return cv2.circle(picture.copy(), PLACE, RADIUS, GREEN, -1)


def stitch(reference, target, blend="seam", **masks):
    return stitching.stitch(reference, target, Options(warp="classical", blend=blend), **masks)


def green_area(stitched):
    """Shares of the disc that are shown purely, and more or less."""
    blue, green, red = (stitched.panorama[..., channel].astype(int) for channel in range(3))
    area = np.pi * RADIUS**2
    excess = green - np.maximum(blue, red)
    return (excess > 235).sum() / area, (excess > 60).sum() / area


@pytest.fixture(scope="module")
def pictures():
    return two_planes().reference, two_planes().target


@pytest.mark.parametrize("blend", ["seam", "network"])
def test_what_must_be_shown_of_the_target_is_there_whole(pictures, blend):
    made = stitch(pictures[0], with_disc(pictures[1]), blend, keep_target=disc(RADIUS + 3))
    pure, any_green = green_area(made)
    assert pure > 0.85
    assert any_green < 1.2
    assert made.summary.warnings == []


@pytest.mark.parametrize("blend", ["seam", "network"])
def test_where_the_reference_must_be_shown_nothing_is_left_of_a_thing_in_the_target(pictures, blend):
    shown_there = stitch(pictures[0], with_disc(pictures[1]), keep_target=disc())
    on_reference = shown_there.aligned.kept.target  # where the canvas has the disc
    x, y = np.round(np.argwhere(on_reference).mean(axis=0)[::-1] / shown_there.placement.scale)
    x, y = x + shown_there.canvas.origin[0], y + shown_there.canvas.origin[1]
    keep = cv2.circle(np.zeros((H, W), np.uint8), (int(x), int(y)), RADIUS + 8, 255, -1)
    made = stitch(pictures[0], with_disc(pictures[1]), blend, keep_reference=keep)
    assert green_area(made)[1] == 0


@pytest.mark.parametrize("blend", ["seam", "network"])
def test_what_must_be_shown_of_the_reference_is_there_pixel_by_pixel(pictures, blend):
    reference = with_disc(pictures[0])
    made = stitch(reference, pictures[1], blend, keep_reference=disc())
    x, y = np.array(made.canvas.origin) + made.crop.origin
    there = made.panorama[-y : H - y, -x : W - x]
    inside = disc() > 0
    assert np.abs(there[inside].astype(int) - reference[inside]).mean() < 1


def test_the_seam_around_a_kept_part_is_smooth(pictures):
    made = stitch(pictures[0], with_disc(pictures[1]), keep_target=disc(RADIUS + 3))
    plain = stitch(*pictures)
    kept = made.aligned.kept.target
    around = cv2.dilate(kept.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    around &= cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    around = cv2.resize(around.astype(np.uint8), made.pictures.size)[made.crop.slices] > 0
    assert made.panorama.shape == plain.panorama.shape
    assert np.abs(made.panorama[around].astype(int) - plain.panorama[around]).mean() < 5


def test_masks_that_ask_for_nothing_change_nothing_and_are_told_of(pictures):
    made = stitch(*pictures, keep_reference=np.zeros((H, W), np.uint8))
    assert np.array_equal(made.panorama, stitch(*pictures).panorama)
    assert len(made.summary.warnings) == 1
    assert "asks for nothing" in made.summary.warnings[0]


def test_where_both_must_be_shown_the_reference_is_and_the_rest_is_told(pictures):
    everything = np.full((H, W), 255, np.uint8)
    made = stitch(*pictures, keep_reference=everything, keep_target=everything)
    (warning,) = made.summary.warnings
    assert "not all that must be shown of target is" in warning
    assert "must be shown of the other picture, too" in warning
    x, y = np.array(made.canvas.origin) + made.crop.origin
    there = made.panorama[-y : H - y, -x : W - x]
    assert np.abs(there[:, : W - 40].astype(int) - pictures[0][:, : W - 40]).mean() < 0.5


def test_what_is_cut_off_or_masked_out_is_told(pictures):
    everything, right_half = np.full((H, W), 255, np.uint8), np.full((H, W), 255, np.uint8)
    right_half[:, : W // 2] = 0
    cropped = stitching.stitch(*pictures, Options(warp="classical", crop=True), keep_target=everything)
    assert "is cut off by the crop" in cropped.summary.warnings[0]
    masked = stitch(*pictures, mask_target=right_half, keep_target=everything)
    assert "50% is masked out, transparent or" in masked.summary.warnings[0]


def test_a_mask_of_another_size_is_refused(pictures):
    with pytest.raises(InputError, match="expected a mask of the picture's size"):
        stitch(*pictures, keep_target=disc()[:-1])
