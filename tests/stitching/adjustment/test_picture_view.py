import numpy as np
import pytest
from turned_pictures import FOCAL, SIZE, on_a_plane, picture_points, turned_pictures

from stitching.adjustment.picture_view import PictureView
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import inside, pixel_grid

CENTRE = (319.5, 239.5)
TURN = round(2 * np.pi * FOCAL)
RADIUS = TURN / (2 * np.pi)
SPHERE = Canvas(Surface(RADIUS, CENTRE, spherical=True), (320 - TURN // 2, 240 - TURN // 4), (TURN, TURN // 2 + 1))
CYLINDER = Canvas(Surface(RADIUS, CENTRE), (320 - TURN // 2, 240 - 1500), (TURN, 3001))
PLANE = Canvas(Surface(None, CENTRE), (-3000, -2000), (7000, 5000))


def view_of(canvas, *angles):
    return PictureView(canvas, turned_pictures((0, 0), angles).to_picture[1], SIZE)


def shown(view, step=3):
    """(rows, columns) of the canvas, every `step` px, that show the picture."""
    width, height = view.canvas.size
    grid = pixel_grid(height, width)[::step, ::step].astype(np.float64)
    rows, columns = np.nonzero(inside(view(grid), view.size))
    return rows * step, columns * step


@pytest.mark.parametrize("canvas", [SPHERE, CYLINDER])
@pytest.mark.parametrize("angles", [(0, 0), (40, 10, 5), (170, 20), (-175, -30, 10), (90, 0, 90)])
def test_inverse_undoes_the_view_all_around(canvas, angles):
    view = view_of(canvas, *angles)
    points = picture_points()
    places = view.inverse(points)
    assert np.allclose(view(places), points, atol=1e-6)
    assert np.ptp(places[:, 0]) < TURN / 3  # in one piece, also across the cut


@pytest.mark.parametrize("canvas", [SPHERE, CYLINDER])
@pytest.mark.parametrize("angles", [(0, 0), (-60, 20, 30), (175, 10), (-178, -20, 10)])
def test_a_window_holds_the_picture_and_no_more(canvas, angles):
    view = view_of(canvas, *angles)
    window = view.window()
    rows, columns = shown(view)
    assert 0 <= window.left < TURN
    assert window.right - window.left < TURN / 3
    columns = window.left + (columns - window.left) % TURN
    assert window.top <= rows.min() <= window.top + 6
    assert window.bottom - 7 <= rows.max() < window.bottom
    assert columns.min() <= window.left + 6
    assert window.right - 7 <= columns.max() < window.right


def test_a_window_goes_on_beyond_the_end_of_a_canvas_that_wraps():
    assert view_of(SPHERE, 178).window().right > TURN
    assert view_of(SPHERE, -178).window().right > TURN


@pytest.mark.parametrize("pitch", [-90, -75, 80])
def test_a_picture_of_a_pole_is_all_around(pitch):
    view = view_of(SPHERE, 30, pitch)
    window = view.window()
    rows, _ = shown(view)
    assert (window.left, window.right) == (0, TURN)
    assert window.top == 0 if pitch > 0 else window.bottom == SPHERE.size[1]
    assert window.top <= rows.min()
    assert rows.max() < window.bottom
    assert rows.min() - window.top < 7
    assert window.bottom - rows.max() < 8


def test_nothing_is_seen_behind_the_camera():
    view = view_of(SPHERE, 0)
    behind = np.array([[0.0, SPHERE.size[1] / 2], [TURN - 1.0, 100.0]])
    assert np.isnan(view(behind)).all()


def test_a_picture_that_reaches_behind_the_camera_is_shown_up_to_the_end_of_a_plane():
    view = view_of(PLANE, 70)  # its right side is 100 degrees away
    window = view.window()
    rows, columns = shown(view)
    assert window.right == PLANE.size[0]
    assert window.left <= columns.min() <= window.left + 4
    assert window.top <= rows.min() <= window.top + 4
    assert window.bottom - 5 <= rows.max() < window.bottom
    assert np.isnan(view.inverse(np.array([[630.0, 240.0]]))).all()


def test_a_margin_grows_the_window_within_the_canvas():
    shift = np.array([[1, 0, -2990], [0, 1, 100], [0, 0, 1]], np.float64)
    view = PictureView(PLANE, on_a_plane(shift).to_picture[0], SIZE)
    tight, grown = view.window(), view.window(20)
    assert grown.left == 0
    assert grown.right == tight.right + 20
    assert (grown.top, grown.bottom) == (tight.top - 20, tight.bottom + 20)


def test_the_window_of_a_picture_beside_the_canvas_is_empty():
    view = PictureView(PLANE, on_a_plane(np.array([[1.0, 0, 9000], [0, 1, 0], [0, 0, 1]])).to_picture[0], SIZE)
    assert view.window().is_empty
