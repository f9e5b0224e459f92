"""Sets of pictures from end to end, through `stitching.stitch_many`."""

import itertools

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, coffee
from synthetic import SIZE
from turning_camera import turned_view

from stitching import InputError, Options, stitch_many
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid, rescale
from stitching.mosaic.warp_file import to_mosaic_warps

YAWS = (-12.0, 0.0, 12.0)
CORNERS = list(itertools.product((0, 130), (0, 130)))  # (y, x) of the tiles
FLAT = Options(motion="translation")


def row(gains=(1.0, 1.0, 1.0)):
    return [turned_view(yaw, 0.0, gain).pixels for yaw, gain in zip(YAWS, gains, strict=True)]


def tiles(side=170):
    """Four tiles of one picture, two rows of two, that share 40 px."""
    picture = cv2.resize(coffee()[..., ::-1], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return picture, [np.ascontiguousarray(picture[y : y + side, x : x + side]) for y, x in CORNERS]


@pytest.fixture(scope="module")
def panorama():
    return stitch_many(row(), Options(warp="classical"), reference=1)


def test_any_order_gives_the_same_panorama(panorama):
    first, second, third = row()

    other = stitch_many([third, first, second], Options(warp="classical"), reference=2)

    assert np.array_equal(other.panorama, panorama.panorama)
    assert np.array_equal(other.alpha, panorama.alpha)


def test_the_reference_keeps_its_view_and_brightness_on_the_plane():
    found = stitch_many(row(), Options(warp="classical", projection="plane"), reference=1)
    x, y = -np.add(found.canvas.origin, found.crop.origin)
    w, h = SIZE
    middle = slice(y + 40, y + h - 40), slice(x + 160, x + w - 160)

    change = np.abs(found.panorama[middle].astype(int) - row()[1][40:-40, 160:-160])

    assert change.mean() < 1


def test_every_picture_lies_where_the_camera_saw_it(panorama):
    """On the canvas, by the frame that the adjustment found, to a pixel in the median."""
    for placed in panorama.placed:
        view = turned_view(YAWS[panorama.sources[placed.picture].position])
        h, w = placed.shown_map.shape[:2]
        canvas_px = rescale(pixel_grid(h, w).astype(np.float64) + placed.window.origin, 1 / panorama.scale)
        in_front = panorama.canvas.to_reference(canvas_px)
        expected = project(np.linalg.inv(view.to_front), in_front)
        error = np.linalg.norm(placed.shown_map - expected, axis=-1)[placed.placement.covered]

        assert np.median(error) < 1.0


def test_gains_of_a_row_are_solved_together():
    found = stitch_many(row((0.7, 1.0, 0.85)), Options(warp="classical", compensator="gain"), reference=1)

    for placed in found.placed:
        position = found.sources[placed.picture].position
        assert placed.gain.mean() == pytest.approx(1 / (0.7, 1.0, 0.85)[position], rel=0.04)


def test_tiles_come_out_rigid_where_they_were_cut():
    picture, cut = tiles()

    found = stitch_many(cut, FLAT, reference=0)

    assert found.panorama.shape == (300, 300, 3)
    assert np.abs(found.panorama.astype(int) - picture[:300, :300]).mean() < 3
    for number, matrix in found.arrangement.to_picture.items():
        y, x = CORNERS[found.sources[number].position]
        assert np.abs(matrix - [[1, 0, -x], [0, 1, -y], [0, 0, 1]]).max() < 0.5
    assert {placed.warp.name for placed in found.placed[1:]} == {"homography"}


def test_a_picture_of_something_else_is_left_out_and_named():
    stranger = cv2.resize(astronaut()[..., ::-1], (400, 300), interpolation=cv2.INTER_AREA)

    found = stitch_many([*row(), stranger], Options(warp="classical"))

    assert [one.name for one in found.left_out] == ["picture 4"]
    assert len(found.placed) == 3
    assert any("picture 4" in warning for warning in found.warnings)


def test_pictures_of_16_bits_that_are_left_out_do_not_change_those_of_8_bits():
    _, alike = tiles()
    dark = astronaut()[:170, :170].astype(np.uint16) * 4

    found = stitch_many([*alike, dark], FLAT)

    assert len(found.left_out) == 1
    assert found.panorama.dtype == np.uint8
    change = np.abs(found.panorama.astype(int) - stitch_many(alike, FLAT).panorama)
    assert change.max() <= 2


def test_strict_refuses_where_a_picture_would_be_left_out():
    one_colour = np.full((300, 400, 3), 90, np.uint8)

    with pytest.raises(InputError, match="--strict"):
        stitch_many([*row(), one_colour], Options(warp="classical"), strict=True)


def test_an_unknown_reference_is_refused_with_the_names():
    with pytest.raises(InputError, match="picture 2"):
        stitch_many(row(), reference="sunset.jpg")


def test_a_motion_is_refused_where_the_warps_are_loaded(panorama):
    with pytest.raises(InputError, match="--motion affine with loaded warps"):
        stitch_many(row(), Options(motion="affine"), warps=to_mosaic_warps(panorama))
    with pytest.raises(InputError, match="--reference 0 with loaded warps"):
        stitch_many(row(), reference=0, warps=to_mosaic_warps(panorama))


def test_loaded_warps_give_the_same_panorama(panorama):
    again = stitch_many(row(), Options(warp="classical"), warps=to_mosaic_warps(panorama))

    assert np.array_equal(again.panorama, panorama.panorama)
