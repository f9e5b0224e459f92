"""Warps of an earlier panorama for the next pictures of the same cameras."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from turning_camera import turned_view

from stitching import InputError, Options, stitch_many
from stitching.mosaic.warp_file import to_mosaic_warps

FAST = Options(warp="homography", work_megapix=0.1)
CAMERAS = [turned_view(yaw).pixels for yaw in (-12.0, 0.0, 12.0)]


@pytest.fixture(scope="module")
def first():
    return stitch_many(CAMERAS, FAST)


@pytest.fixture(scope="module")
def rig(first):
    return to_mosaic_warps(first)


def positions(panorama):
    return [panorama.sources[one.picture].position for one in panorama.placed]


def test_the_same_pictures_give_the_same_panorama(first, rig):
    again = stitch_many(CAMERAS, FAST, warps=rig)

    assert positions(again) == positions(first)
    assert np.array_equal(again.panorama, first.panorama)
    assert np.array_equal(again.alpha, first.alpha)


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (1, 0, 2)])
def test_pictures_in_another_order_are_refused(rig, order):
    with pytest.raises(InputError, match="same cameras in the same order"):
        stitch_many([CAMERAS[number] for number in order], FAST, warps=rig)


def test_pictures_that_touch_no_other_do_not_count_as_fitting():
    """Of a row of four whose first is the reference, the two in the middle are wrong; the last touches only these."""
    row = [turned_view(yaw).pixels for yaw in (-36.0, -12.0, 12.0, 36.0)]
    rig = to_mosaic_warps(stitch_many(row, FAST, reference=0))

    with pytest.raises(InputError, match="2 of 4 pictures do not fit together"):
        stitch_many([row[0], row[2], row[1], row[3]], FAST, warps=rig)


def test_a_camera_that_sees_something_else_is_left_out_and_named(rig):
    stranger = cv2.resize(astronaut()[..., ::-1], CAMERAS[0].shape[1::-1], interpolation=cv2.INTER_AREA)

    found = stitch_many([stranger, *CAMERAS[1:]], FAST, warps=rig)

    assert [one.name for one in found.left_out] == ["picture 1"]
    assert sorted(positions(found)) == [1, 2]


def test_without_its_reference_a_rig_places_the_others(first, rig):
    (middle, *_) = positions(first)
    pictures = [np.zeros_like(one) if number == middle else one for number, one in enumerate(CAMERAS)]

    found = stitch_many(pictures, FAST, warps=rig)

    assert sorted(positions(found)) == sorted({0, 1, 2} - {middle})
    assert [one.name for one in found.left_out] == [f"picture {middle + 1}"]


def test_warps_that_were_changed_in_python_are_checked(rig):
    with pytest.raises(InputError, match="scale 2"):
        stitch_many(CAMERAS, FAST, warps=replace(rig, scale=2.0))
