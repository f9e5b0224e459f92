import numpy as np
import pytest
from homographies import REALISTIC, SIZE, camera_turned, coarse_warp_of, grid_of, random_homographies, translated

from stitching.alignment.canvas_planning import MAX_PLANE_VARIATION, MAX_REACH, plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.homographies import is_plausible, size_variation
from stitching.geometry.pixel_maps import inside

NO_MATCHES = Matches(np.zeros((0, 2)), np.zeros((0, 2)))
realistic = pytest.mark.parametrize("name", REALISTIC)


@realistic
def test_both_pictures_lie_on_the_canvas(name):
    warp = coarse_warp_of(REALISTIC[name])
    canvas = warp.canvas
    reference = canvas.from_reference(grid_of(SIZE))
    assert inside(reference, canvas.size).all()
    target = warp.inverse(grid_of(SIZE))
    assert np.isfinite(target).all()
    assert (target >= -1).all()
    assert (target <= np.array(canvas.size)).all()


@realistic
def test_the_canvas_is_no_larger_than_the_pictures_need(name):
    warp = coarse_warp_of(REALISTIC[name])
    w, h = warp.canvas.size
    reference, target = warp.canvas.from_reference(grid_of(SIZE, 4)), warp.inverse(grid_of(SIZE, 4))
    outline = np.concatenate([reference.reshape(-1, 2), target.reshape(-1, 2)])  # (h, w, 2) -> (n, 2)
    slack = 8  # px: the samples are 4 apart
    assert (outline.min(axis=0) < slack).all()
    assert (outline.max(axis=0) > np.array([w, h]) - slack).all()


@realistic
def test_the_origin_is_in_whole_px_so_that_the_reference_is_not_resampled(name):
    canvas = coarse_warp_of(REALISTIC[name]).canvas
    assert all(isinstance(value, int) for value in (*canvas.origin, *canvas.size))
    if canvas.projection == "plane":
        assert np.allclose(canvas.to_reference(np.array([0.0, 0.0])), canvas.origin)


def test_the_canvas_of_a_translation_is_exact():
    warp = coarse_warp_of(translated(250, -40))
    assert warp.canvas.projection == "plane"
    x, y = warp.canvas.origin
    w, h = warp.canvas.size
    assert (x, y) == (0, pytest.approx(-40, abs=2))
    assert (w, h) == (pytest.approx(890, abs=3), pytest.approx(520, abs=3))


@realistic
def test_mapping_to_canvas_px_and_back_changes_nothing(name):
    canvas = coarse_warp_of(REALISTIC[name]).canvas
    points = grid_of(SIZE)
    assert np.allclose(canvas.to_reference(canvas.from_reference(points)), points, atol=1e-6)


def test_a_wide_turn_is_painted_on_a_cylinder_and_a_small_one_on_the_plane():
    assert coarse_warp_of(camera_turned(5)).canvas.projection == "plane"
    assert coarse_warp_of(camera_turned(45)).canvas.projection == "cylinder"


@pytest.mark.parametrize(
    ("yaw", "pitch", "projection"),
    [(45, 0, "cylinder"), (-40, 12, "cylinder"), (0, 45, "horizontal cylinder"), (8, -40, "horizontal cylinder")],
)
def test_the_axis_of_the_cylinder_follows_the_pan(yaw, pitch, projection):
    assert coarse_warp_of(camera_turned(yaw, pitch)).canvas.projection == projection


def test_where_a_cylinder_would_not_even_out_sizes_the_plane_stays():
    """Two views of a wall from the left and from the right: the camera moved around it, and looks at the same place."""
    oblique = np.array([[1, 0, 0], [0, 1, 0], [-8e-4, 0, 1]]) @ translated(-SIZE[0] / 2, -SIZE[1] / 2)
    homography = translated(SIZE[0] / 2, SIZE[1] / 2) @ oblique
    assert size_variation(homography, SIZE) > MAX_PLANE_VARIATION
    assert coarse_warp_of(homography).canvas.projection == "plane"


@realistic
def test_the_canvas_of_a_pair_turned_by_90_degrees_is_turned(name):
    """Both pictures are turned to the left: column x becomes row w - 1 - x."""
    w, h = SIZE
    to_upright = np.array([[0, -1, w - 1], [1, 0, 0], [0, 0, 1]], float)
    canvas = coarse_warp_of(REALISTIC[name]).canvas
    turned = coarse_warp_of(np.linalg.inv(to_upright) @ REALISTIC[name] @ to_upright, (h, w), (h, w)).canvas
    assert (turned.projection == "plane") == (canvas.projection == "plane")
    assert turned.size == pytest.approx(canvas.size[::-1], abs=2)
    assert turned.origin == pytest.approx((canvas.origin[1], w - (canvas.origin[0] + canvas.size[0])), abs=2)
    if canvas.projection != "plane":
        assert turned.surface.horizontal_axis != canvas.surface.horizontal_axis


def test_the_canvas_is_bounded_whatever_the_homography():
    plausible_count = 0
    for homography in random_homographies(100):
        if abs(np.linalg.det(homography)) < 1e-6:
            continue
        canvas = coarse_warp_of(homography).canvas
        plausible = is_plausible(homography, SIZE[::-1], SIZE[::-1])
        plausible_count += plausible
        # Area changes at most 5 times in the overlap, so no picture is more than a few diagonals long.
        most = (2 * MAX_REACH * (5 if plausible else 100) + 2) * np.hypot(*SIZE)
        assert max(canvas.size) < most, homography
        assert min(canvas.size) >= 1
    assert plausible_count > 15


def test_pictures_may_differ_in_size():
    small = (200, 300)
    warp = coarse_warp_of(translated(500, 100, 1.2), small)
    assert warp.canvas.size[0] == pytest.approx(740, abs=3)
    assert np.isfinite(warp.inverse(grid_of(small))).all()


def test_pictures_of_a_wide_lens_lie_on_a_cylinder_of_its_focal_length():
    """Of 640 x 480 px at a focal length of 200 px: 116 degrees across, where a plane draws corners out."""
    size, alignment = (640, 480), Alignment(translated(60, 5), NO_MATCHES, "translation", 0, 1.0)
    known = 200 / 400  # of half the diagonal
    wide = plan_coarse_warp(alignment, size, size, lambda: known, certain=True).canvas
    assert wide.projection == "cylinder"
    assert wide.surface.focal == pytest.approx(200)
    for focal, certain in ((lambda: known, False), (lambda: 3 * known, True), (lambda: None, False)):
        assert plan_coarse_warp(alignment, size, size, focal, certain=certain).canvas.projection == "plane"


def test_a_focal_length_is_asked_for_only_where_it_counts():
    """Looking it up in lensfun's collection takes time."""
    asked = []
    alignment = Alignment(translated(60, 5), NO_MATCHES, "translation", 0, 1.0)
    assert plan_coarse_warp(alignment, (640, 480), (640, 480), lambda: asked.append(1)).canvas.projection == "plane"
    assert not asked


def test_tall_pictures_of_a_wide_lens_lie_on_a_lying_cylinder():
    size, alignment = (480, 640), Alignment(translated(5, 60), NO_MATCHES, "translation", 0, 1.0)
    assert plan_coarse_warp(alignment, size, size, lambda: 0.5, certain=True).canvas.surface.horizontal_axis


@pytest.mark.parametrize("degrees", [10, 23, 30])
def test_a_wide_lens_that_was_turned_to_the_side_stands_on_an_upright_cylinder(degrees):
    """Corners of such a target lie higher above the reference's plane than it is wide."""
    size, focal = (560, 420), 240.0
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    camera = np.array([[focal, 0, 279.5], [0, focal, 209.5], [0, 0, 1]])
    homography = camera @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ np.linalg.inv(camera)
    canvas = plan_coarse_warp(
        Alignment(homography, NO_MATCHES, "homography", 1, 1.0), size, size, lambda: focal / 350, certain=True
    ).canvas
    assert canvas.projection == "cylinder"
    assert not canvas.surface.horizontal_axis
