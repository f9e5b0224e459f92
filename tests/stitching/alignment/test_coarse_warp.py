import numpy as np
import pytest

from stitching.alignment.canvas_planning import MAX_REACH, plan_canvas
from stitching.alignment.coarse import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.canvas import Surface
from stitching.geometry.homographies import focal_length, is_plausible, project
from stitching.geometry.pixel_maps import evaluate_on_grid, inside

SIZE = (640, 480)  # (w, h)
NOTHING = Matches(np.zeros((0, 2)), np.zeros((0, 2)), "none")


def aligned(homography):
    return Alignment(np.asarray(homography, np.float64), NOTHING, "homography", 1, 1.0)


def camera_turned(yaw, pitch=0.0, roll=0.0, focal=550.0, size=SIZE):
    """target px -> reference px of a camera that turns, degrees."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    camera = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    homography = camera @ turn @ tilt @ lean @ np.linalg.inv(camera)
    return homography / homography[2, 2]


def shifted(x, y, scale=1.0):
    return np.array([[scale, 0, x], [0, scale, y], [0, 0, 1]], np.float64)


REALISTIC = {
    "same": np.eye(3),
    "shift": shifted(250, -40),
    "nearer": shifted(100, 30, 0.7),
    "farther": shifted(-120, -60, 1.5),
    "yaw 20": camera_turned(20),
    "yaw -35": camera_turned(-35, 4),
    "yaw 45": camera_turned(45, -3, 5),
    "pitch 25": camera_turned(3, 25),
    "leaning": camera_turned(15, 5, 20),
    "small wall": np.array([[0.8, 0.05, 200], [-0.15, 0.9, 40], [-5e-4, 1e-4, 1]]),
}
realistic = pytest.mark.parametrize("name", REALISTIC)


def grid_of(size, step=16):
    return np.stack(np.meshgrid(np.arange(0.0, size[0], step), np.arange(0.0, size[1], step)), axis=-1)  # (h, w, 2)


# --- the surface ---


def test_a_cylinder_is_left_as_it_was_entered():
    surface = Surface(500.0, (319.5, 239.5))
    points = grid_of(SIZE)
    assert np.allclose(surface.to_reference(surface.from_reference(points)), points, atol=1e-6)
    assert np.allclose(surface.from_reference(np.array([319.5, 239.5])), [319.5, 239.5])


def test_a_cylinder_touches_the_plane_in_the_centre():
    near = np.array([[319.5, 239.5], [321.5, 239.5], [319.5, 243.5]])
    assert np.abs(Surface(500.0, (319.5, 239.5)).from_reference(near) - near).max() < 0.001


def test_what_lies_behind_the_reference_camera_is_nowhere_on_its_plane():
    surface = Surface(100.0, (0.0, 0.0))
    assert np.isnan(surface.to_reference(np.array([[200.0, 5.0], [-200.0, 5.0]]))[:, 0]).all()


@pytest.mark.parametrize(("yaw", "focal"), [(30, 550.0), (-40, 700.0), (25, 480.0)])
def test_the_focal_length_of_a_camera_that_turned_is_found(yaw, focal):
    assert focal_length(camera_turned(yaw, 3, 2, focal), SIZE, SIZE) == pytest.approx(focal, rel=0.1)


def test_a_homography_that_says_nothing_about_focal_length_gets_a_usual_one():
    focal = focal_length(shifted(100, 0), SIZE, SIZE)
    assert 0.5 < focal / max(SIZE) < 2


# --- the canvas ---


@realistic
def test_both_pictures_lie_on_the_canvas(name):
    warp = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE)
    canvas = warp.canvas
    reference = canvas.from_reference(grid_of(SIZE))
    assert inside(reference, canvas.size).all()
    target = warp.inverse(grid_of(SIZE))
    assert np.isfinite(target).all()
    assert (target >= -1).all()
    assert (target <= np.array(canvas.size)).all()


@realistic
def test_the_canvas_is_no_larger_than_the_pictures_need(name):
    warp = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE)
    w, h = warp.canvas.size
    reference, target = warp.canvas.from_reference(grid_of(SIZE, 4)), warp.inverse(grid_of(SIZE, 4))
    outline = np.concatenate([reference.reshape(-1, 2), target.reshape(-1, 2)])  # (h, w, 2) -> (n, 2)
    slack = 8  # px: the samples are 4 apart
    assert (outline.min(axis=0) < slack).all()
    assert (outline.max(axis=0) > np.array([w, h]) - slack).all()


@realistic
def test_the_origin_is_whole_so_that_the_reference_keeps_its_pixels(name):
    canvas = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE).canvas
    assert all(isinstance(value, int) for value in (*canvas.origin, *canvas.size))
    if canvas.projection == "plane":
        assert np.allclose(canvas.to_reference(np.array([0.0, 0.0])), canvas.origin)


def test_the_canvas_of_a_shift_is_exact():
    warp = plan_canvas(aligned(shifted(250, -40)), SIZE, SIZE)
    assert warp.canvas.projection == "plane"
    x, y = warp.canvas.origin
    w, h = warp.canvas.size
    assert (x, y) == (0, pytest.approx(-40, abs=2))
    assert (w, h) == (pytest.approx(890, abs=3), pytest.approx(520, abs=3))


@realistic
def test_canvas_coordinates_and_reference_pixels_undo_each_other(name):
    canvas = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE).canvas
    points = grid_of(SIZE)
    assert np.allclose(canvas.to_reference(canvas.from_reference(points)), points, atol=1e-6)


def test_a_wide_turn_is_painted_on_a_cylinder_and_a_small_one_on_the_plane():
    assert plan_canvas(aligned(camera_turned(5)), SIZE, SIZE).canvas.projection == "plane"
    assert plan_canvas(aligned(camera_turned(45)), SIZE, SIZE).canvas.projection == "cylinder"


def random_homographies(n, seed=0):
    """Of everything from gentle to absurd."""
    random = np.random.default_rng(seed)
    for _ in range(n):
        strength = 10 ** random.uniform(-2, 0.3)
        linear = np.eye(2) + strength * random.normal(size=(2, 2))
        shift = strength * random.normal(size=2) * SIZE
        bend = strength * random.normal(size=2) / max(SIZE)
        yield np.block([[linear, shift[:, None]], [bend[None], np.ones((1, 1))]])


def test_the_canvas_is_bounded_whatever_the_homography():
    valid = 0
    for homography in random_homographies(200):
        if abs(np.linalg.det(homography)) < 1e-6:
            continue
        canvas = plan_canvas(aligned(homography), SIZE, SIZE).canvas
        plausible = is_plausible(homography, SIZE[::-1], SIZE[::-1])
        valid += plausible
        # Area changes at most 5 times in the overlap, so no picture is more than a few diagonals long.
        most = (2 * MAX_REACH * (5 if plausible else 100) + 2) * np.hypot(*SIZE)
        assert max(canvas.size) < most, homography
        assert min(canvas.size) >= 1
    assert valid > 30


# --- the coarse warp ---


@realistic
def test_inside_the_reference_the_warp_is_the_homography(name):
    homography = REALISTIC[name]
    warp = plan_canvas(aligned(homography), SIZE, SIZE)
    points = grid_of(SIZE)
    places = warp(warp.canvas.from_reference(points))
    expected = project(np.linalg.inv(homography), points)
    valid = inside(expected, SIZE)
    assert valid.any()
    assert np.abs(places - expected)[valid].max() < 0.01


@realistic
def test_the_warp_is_undone_by_its_inverse(name):
    warp = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE)
    points = grid_of(SIZE)
    assert np.linalg.norm(warp(warp.inverse(points)) - points, axis=-1).max() < 0.1


def areas(warp):
    """Signed area of a canvas pixel in target px, over the whole canvas, and where that is in the target."""
    w, h = warp.canvas.size
    points = grid_of((w, h), 4)
    step_x, step_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])
    dx, dy = warp(points + step_x) - warp(points - step_x), warp(points + step_y) - warp(points - step_y)
    return dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0], inside(warp(points), SIZE)


@realistic
def test_the_warp_folds_nowhere_on_the_target(name):
    area, valid = areas(plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE))
    assert (area[valid] > 0).all()


def test_the_warp_of_any_plausible_homography_folds_nowhere_on_the_target():
    checked = 0
    for homography in random_homographies(150, seed=1):
        if is_plausible(homography, SIZE[::-1], SIZE[::-1]):
            area, valid = areas(plan_canvas(aligned(homography), SIZE, SIZE))
            assert (area[valid] > 0).mean() > 0.999, homography
            checked += 1
    assert checked > 30


@realistic
def test_the_target_is_seen_once(name):
    """No ghost of it beyond the horizon: what the canvas shows has about the target's area."""
    warp = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE)
    area, valid = areas(warp)
    shown = 16 * area[valid].sum()  # one sample for 4 x 4 px
    assert shown == pytest.approx(SIZE[0] * SIZE[1], rel=0.05)


@realistic
def test_the_far_side_is_stretched_less_than_by_the_homography(name):
    homography = REALISTIC[name]
    warp = plan_canvas(aligned(homography), SIZE, SIZE)
    area, valid = areas(warp)
    points = grid_of(SIZE)
    depth = points @ homography[2, :2] + homography[2, 2]
    plane = np.abs(np.linalg.det(homography)) / depth**3
    assert (1 / area[valid]).max() < 1.05 * plane.max() + 0.05


@realistic
def test_drawn_on_a_grid_the_warp_is_itself(name):
    warp = plan_canvas(aligned(REALISTIC[name]), SIZE, SIZE)
    w, h = warp.canvas.size
    drawn = evaluate_on_grid(warp, (w, h), 1.0)
    exact = warp(grid_of((w, h), 1))
    valid = inside(exact, SIZE)
    error = np.linalg.norm(drawn - exact, axis=-1)[valid]
    assert error.max() < 0.5
    assert np.median(error) < 0.02


def test_pictures_of_different_sizes_fit_too():
    small = (200, 300)
    warp = plan_canvas(aligned(shifted(500, 100, 1.2)), SIZE, small)
    assert warp.canvas.size[0] == pytest.approx(740, abs=3)
    assert np.isfinite(warp.inverse(grid_of(small))).all()
