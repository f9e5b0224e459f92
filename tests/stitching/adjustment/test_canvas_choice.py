import numpy as np
import pytest
from homographies import REALISTIC, camera_turned, translated
from turned_pictures import FOCAL, SIZE, on_a_plane, picture_points, sizes_of, turned_pictures

from stitching.adjustment.canvas_choice import choose_canvas
from stitching.adjustment.picture_view import PictureView
from stitching.errors import InputError

RING = [(yaw, 0) for yaw in range(0, 360, 40)]


def canvas_of(arrangement, projection="auto"):
    return choose_canvas(arrangement, sizes_of(arrangement), projection)


def places(canvas, arrangement):
    """(n, 2) canvas px of points all over all pictures; columns within one turn where the canvas wraps."""
    views = [PictureView(canvas, matrix, SIZE) for matrix in arrangement.to_picture.values()]
    found = np.concatenate([view.inverse(picture_points()) for view in views])
    if canvas.wraps:
        found[:, 0] = (found[:, 0] + 0.5) % canvas.size[0] - 0.5
    return found


def assert_holds_all(canvas, arrangement):
    found = places(canvas, arrangement)
    assert np.isfinite(found).all()
    assert found.min() >= -0.5
    assert (found <= np.array(canvas.size) - 0.5).all()


@pytest.mark.parametrize(
    ("angles", "projection"),
    [
        ([(0, 0), (14, 0), (-12, 5)], "plane"),
        ([(0, 0), (35, 0), (70, 0)], "cylinder"),
        ([(0, 0), (0, 35), (0, 70)], "horizontal cylinder"),
        ([(yaw, pitch) for yaw in (0, 20) for pitch in (0, 15, 30)], "cylinder"),  # lying: less stretch, but bent
        ([(0, 0), (40, 0), (80, 0), (0, 40), (40, 45), (80, 75)], "sphere"),
        ([(0, pitch) for pitch in range(0, 161, 40)], "sphere"),  # over the zenith to behind the camera
        (RING, "cylinder"),
        ([*RING, *[(yaw, 45) for yaw, _ in RING], (0, 90)], "sphere"),
    ],
)
def test_the_surface_follows_what_the_pictures_cover(angles, projection):
    arrangement = turned_pictures(*angles)
    canvas = canvas_of(arrangement)
    assert canvas.projection == projection
    assert_holds_all(canvas, arrangement)


@pytest.mark.parametrize("motion", ["affine", "translation", "perspective"])
def test_pictures_of_one_plane_are_not_bent(motion):
    arrangement = on_a_plane(*(translated(x, y) for x in (0, 500, 1000) for y in (0, 400)), motion=motion)
    canvas = canvas_of(arrangement)
    assert canvas.projection == "plane"
    assert canvas.size == (1642, 882)  # all of the outermost pixels
    with_focal = canvas_of(on_a_plane(np.eye(3)), "cylinder")
    assert with_focal.projection == "cylinder"


def test_a_row_is_on_a_cylinder_also_where_homographies_fit_it_better_than_a_turning_camera():
    row = canvas_of(on_a_plane(np.eye(3), camera_turned(25), camera_turned(48)))
    column = canvas_of(on_a_plane(np.eye(3), camera_turned(0, 25), camera_turned(0, 48)))
    assert (row.projection, column.projection) == ("cylinder", "horizontal cylinder")
    wall = canvas_of(on_a_plane(np.eye(3), REALISTIC["small wall"]))
    assert wall.projection == "plane"


@pytest.mark.parametrize("projection", ["cylinder", "sphere"])
def test_scans_are_not_bent_even_if_asked_for(projection):
    with pytest.raises(InputError, match=f"projection {projection} .* affine: expected plane"):
        canvas_of(on_a_plane(np.eye(3), translated(400, 0), motion="affine"), projection)


@pytest.mark.parametrize("projection", ["cylinder", "sphere"])
def test_a_ring_of_pictures_closes(projection):
    arrangement = turned_pictures(*RING)
    canvas = canvas_of(arrangement, projection)
    assert canvas.wraps
    assert abs(canvas.size[0] - 2 * np.pi * FOCAL) <= 0.5
    middle = (canvas.size[0] - 1) / 2
    reference = PictureView(canvas, np.eye(3), SIZE).inverse(np.array([319.5, 239.5]))
    assert abs(reference[0] - middle) <= 1


@pytest.mark.parametrize("first", [0, 100, 200])
def test_the_ends_of_a_canvas_are_in_the_gap(first):
    angles = [(0, 0), *((yaw, 0) for yaw in range(-first, 241 - first, 40) if yaw != 0)]  # 300 degrees
    arrangement = turned_pictures(*angles)
    canvas = canvas_of(arrangement)
    assert not canvas.wraps
    assert canvas.size[0] == pytest.approx(np.deg2rad(300.4) * FOCAL, abs=4)
    assert_holds_all(canvas, arrangement)


def test_the_canvas_is_as_large_as_the_reference_in_its_centre():
    for projection in ("plane", "cylinder", "sphere"):
        arrangement = turned_pictures((0, 0), (20, 0))
        view = PictureView(canvas_of(arrangement, projection), np.eye(3), SIZE)
        step = view.inverse(np.array([324.5, 244.5])) - view.inverse(np.array([314.5, 234.5]))
        assert np.allclose(step, 10, atol=0.01)


def test_a_plane_that_would_be_endless_is_refused():
    with pytest.raises(InputError, match=r"plane: the pictures reach 9\d degrees .* take cylinder, sphere or auto"):
        canvas_of(turned_pictures((0, 0), (30, 0), (60, 0)), "plane")
    with pytest.raises(InputError, match=r"cylinder: .* take sphere or auto"):
        canvas_of(turned_pictures(*RING, (0, 90)), "cylinder")


def test_a_picture_that_runs_off_to_its_horizon_is_bounded():
    arrangement = on_a_plane(np.eye(3), camera_turned(58))  # its right side is 88 degrees away
    canvas = canvas_of(arrangement, "plane")
    assert canvas.size[0] < 8 * SIZE[0]
    assert canvas.size[1] < 8 * SIZE[1]


def test_a_canvas_far_larger_than_the_pictures_is_refused():
    near = translated(0, 0, 0.02)  # the reference shows a fiftieth of what the others show
    arrangement = on_a_plane(np.eye(3), *(np.linalg.inv(near) for _ in range(3)), motion="affine")
    with pytest.raises(InputError, match=r"\d+ x \d+ px, \d+ times those .* at most 30 times"):
        canvas_of(arrangement)
