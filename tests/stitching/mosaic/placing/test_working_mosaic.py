"""The panorama so far at the working size, also where a canvas wraps around."""

import numpy as np
import pytest

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.rectangles import Rectangle
from stitching.mosaic.placing.working_mosaic import MAX_AREA, MAX_WINDOWS, WorkingMosaic, working_scale
from stitching.mosaic.warp_file import MAX_ALL_PIXELS

ROUND = Canvas(Surface(100 / (2 * np.pi), (10.0, 10.0)), (0, 0), (100, 20))
FLAT = Canvas(Surface(None, (10.0, 10.0)), (0, 0), (100, 20))


def drawn(canvas, window, value):
    mosaic = WorkingMosaic.empty(canvas, 1.0)
    h, w = window.size[::-1]
    pixels = np.full((h, w, 3), value, np.uint8)
    mosaic.draw(3, window, pixels, np.ones((h, w), bool), np.zeros((h, w), np.float32))
    return mosaic


def test_what_is_drawn_across_the_cut_of_a_round_canvas_goes_on_at_the_other_end():
    mosaic = drawn(ROUND, Rectangle(95, 0, 105, 20), 7)

    columns = np.flatnonzero(mosaic.valid.all(axis=0))

    assert columns.tolist() == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]
    assert (mosaic.pixels[:, columns] == 7).all()
    assert set(np.unique(mosaic.labels)) == {-1, 3}
    pixels, valid = mosaic.cut_out(Rectangle(93, 0, 103, 20))
    assert valid[:, 2:].all()
    assert not valid[:, :2].any()
    assert (pixels[valid] == 7).all()


def test_windows_of_a_round_canvas_begin_on_it():
    mosaic = WorkingMosaic.empty(ROUND, 1.0)

    assert mosaic.window(Rectangle(-5, -3, 8, 50)) == Rectangle(95, 0, 108, 20)


def test_a_window_of_nearly_a_whole_turn_shows_all_of_it():
    mosaic = WorkingMosaic.empty(ROUND, 0.1)

    assert mosaic.window(Rectangle(15, 0, 112, 20)) == Rectangle(0, 0, 10, 2)


def test_windows_of_a_canvas_that_does_not_wrap_lie_on_it():
    mosaic = WorkingMosaic.empty(FLAT, 0.5)

    assert mosaic.window(Rectangle(-5, -3, 8, 50)) == Rectangle(0, 0, 4, 10)


def test_a_weight_mixes_only_where_both_have_pixels():
    mosaic = drawn(FLAT, Rectangle(0, 0, 60, 20), 100)
    window = Rectangle(40, 0, 80, 20)
    weight = np.full((20, 40), 0.25, np.float32)

    mosaic.draw(4, window, np.full((20, 40, 3), 200, np.uint8), np.ones((20, 40), bool), weight)

    assert (mosaic.pixels[:, :40] == 100).all()
    assert (mosaic.pixels[:, 40:60] == 175).all()
    assert (mosaic.pixels[:, 60:80] == 200).all()
    assert (mosaic.labels[:, 40:80] == 4).all()


@pytest.mark.parametrize("megapix", [0.0001, 0.4])
def test_a_turn_is_a_whole_number_of_working_px(megapix):
    scale = working_scale(ROUND, np.array([400.0]), np.array([500.0]), megapix)

    assert 0 < scale <= 1
    assert (100 * scale) == pytest.approx(round(100 * scale))


def test_many_pictures_do_not_make_the_working_canvas_huge():
    canvas = Canvas(Surface(None, (10.0, 10.0)), (0, 0), (300_000, 30_000))

    scale = working_scale(canvas, np.array([4e6]), np.array([5e6]), 0.4)

    assert scale**2 * 300_000 * 30_000 <= 1.01 * MAX_AREA


def test_the_warps_of_many_pictures_can_be_loaded_again():
    canvas = Canvas(Surface(None, (10.0, 10.0)), (0, 0), (3_000, 3_000))
    pictures, windows = np.full(1000, 1e6), np.full(1000, 1.4e6)

    scale = working_scale(canvas, pictures, windows, 0.4)

    assert scale**2 * windows.sum() <= 1.01 * MAX_WINDOWS
    sides = np.ceil(np.sqrt(windows) * scale) + 1  # whole px
    assert (sides**2).sum() < MAX_ALL_PIXELS
