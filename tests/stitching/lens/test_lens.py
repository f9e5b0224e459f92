"""The corrected picture of a lens: its frame, and where it lies in the photograph."""

import cv2
import numpy as np
import pytest
from lens_scenes import DISTORTIONS, SIZE, lens_named

from stitching.errors import InputError
from stitching.geometry.pixel_maps import inside, pixel_grid
from stitching.io.picture_reader import upright
from stitching.lens.calibrated_lens import CalibratedLens
from stitching.lens.distortions import BrownDistortion, FisheyeDistortion
from stitching.lens.lens import WIDEST, Lens

W, H = SIZE


def grid_of(lens):
    return pixel_grid(lens.size[1], lens.size[0]).astype(np.float64)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_rays_land_where_opencv_projects_them(name):
    model, rays = lens_named(name), np.random.default_rng(0).uniform(-0.9, 0.9, (200, 2))
    d = model.distortion
    camera = np.array([[model.matrix[0, 0], 0, 163.0], [0, model.matrix[1, 1], 117.5], [0, 0, 1]])
    places, none = np.insert(rays, 2, 1, axis=1)[:, None], np.zeros(3)  # (n, 1, 3)
    if isinstance(d, FisheyeDistortion):
        expected = cv2.fisheye.projectPoints(places, none, none, camera, np.array([d.k1, d.k2, d.k3, d.k4]))[0]
    else:
        coefficients = np.array([d.k1, d.k2, d.p1, d.p2, d.k3, d.k4, d.k5, d.k6])
        expected = cv2.projectPoints(places, none, none, camera, coefficients)[0]
    assert np.abs(model.project(rays) - expected[:, 0]).max() < 1e-6


def test_without_distortion_the_corrected_picture_is_the_photograph():
    lens = Lens.of(CalibratedLens.of("plain", SIZE, BrownDistortion(), (300, 300), (150, 130)))
    assert lens.size == SIZE
    assert np.abs(lens.to_photograph(grid_of(lens)) - grid_of(lens)).max() < 0.01
    assert lens.shown_mask() is None
    assert lens.gains is None


@pytest.mark.parametrize("name", DISTORTIONS)
def test_the_corrected_picture_shows_all_of_the_photograph_as_fine_as_in_its_centre(name):
    lens = Lens.of(lens_named(name))
    assert lens.shown_mask() is None
    places = lens.to_photograph(grid_of(lens))
    for side, (low, high) in enumerate(zip(places.min(axis=(0, 1)), places.max(axis=(0, 1)), strict=True)):
        assert low < 1
        assert high > SIZE[side] - 2
    x, y = np.rint(lens.centre).astype(int)
    area = np.linalg.det(np.stack([places[y, x + 1] - places[y, x], places[y + 1, x] - places[y, x]]))
    assert area == pytest.approx(1, abs=0.01)


def test_a_wide_fisheye_is_cut_off_at_60_degrees_and_the_rest_is_masked():
    lens = Lens.of(CalibratedLens.of("fisheye", (400, 400), FisheyeDistortion(), (120, 120), (199.5, 199.5)))
    assert lens.size == (round(2 * WIDEST * 120),) * 2
    mask = lens.shown_mask()
    assert mask is not None
    x, y = np.moveaxis(pixel_grid(400, 400) - 199.5, -1, 0)
    radius = np.hypot(x, y)
    assert mask[radius < 120 * np.radians(59)].all()
    assert not mask[radius > 120 * np.radians(70) + 4].any()


def test_beyond_what_a_formula_is_good_for_the_map_goes_on_outwards():
    """r (1 - 0.5 r^2) turns back at r = 0.82: what lies behind would be shown again."""
    lens = Lens.of(CalibratedLens.of("folding", SIZE, BrownDistortion(k1=-0.5), (150, 150), (159.5, 119.5)))
    assert lens.reach == pytest.approx(0.816, abs=0.01)
    far = np.stack([np.linspace(-3000, 3000, 500), np.full(500, 100.0)], axis=-1)
    places = lens.to_photograph(far)
    assert (np.diff(places[:, 0]) > 0).all()
    assert np.isfinite(lens.to_photograph(np.array([[-1e5, -1e5]], np.float32))).all()
    mask, beyond = lens.shown_mask(), np.abs(far[:, 0] - lens.centre[0]) > 1.2 * 0.82 * 150
    seen = beyond & inside(places, SIZE)
    x, y = np.rint(places[seen]).astype(int).T
    assert mask is not None
    assert not mask[y, x].any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_lens_is_turned_with_its_photograph(orientation):
    model = CalibratedLens.of("turned", (40, 30), BrownDistortion(k1=0.1, p1=0.02, p2=0.01), (35, 30), (17, 16))
    plain = CalibratedLens.of("plain", (40, 30), BrownDistortion(), (30, 30), (19.5, 14.5))

    def upright_place(place):
        drawn = np.zeros((30, 40), np.uint8)
        cv2.circle(drawn, (int(place[0]), int(place[1])), 0, (255,))
        return np.argwhere(upright(drawn, orientation))[0, ::-1]

    turned = model.turned(orientation)
    assert turned.photograph_size == ((40, 30) if orientation < 5 else (30, 40))
    assert turned.focal == pytest.approx(model.focal)
    middle = (np.array(turned.photograph_size) - 1) / 2
    for ray in np.array([[0.3, 0.1], [-0.4, 0.2], [0.1, -0.3]]):
        at = np.rint(plain.project(ray))  # of a px, so that turning the picture moves it exactly
        exact = (at - (19.5, 14.5)) / 30
        upright_ray = (upright_place(at) - middle) / 30
        expected = model.project(exact)
        low, corner = np.floor(expected), turned.project(upright_ray)
        assert np.abs(corner - upright_place(np.rint(expected))).max() <= 0.5 + 1e-9
        assert np.linalg.norm(corner - upright_place(low)) == pytest.approx(np.linalg.norm(expected - low))


def test_a_lens_fits_smaller_copies_of_its_photographs():
    model, rays = lens_named("barrel"), np.random.default_rng(1).uniform(-0.5, 0.5, (50, 2))
    half = model.resized((W // 2, H // 2))
    assert np.allclose(half.project(rays), (model.project(rays) + 0.5) / 2 - 0.5)
    assert half.focal == pytest.approx(model.focal / 2)


@pytest.mark.parametrize(
    ("distortion", "centre"),
    [
        (BrownDistortion(), (-50, 100)),  # the axis beside the photograph
        (BrownDistortion(k1=-1e6), (160, 120)),  # turns back at once
        (BrownDistortion(k4=1e5), (160, 120)),
    ],
)
def test_lenses_out_of_all_proportion_are_refused_by_name(distortion, centre):
    with pytest.raises(InputError, match="odd"):
        Lens.of(CalibratedLens.of("odd", SIZE, distortion, (200, 200), centre))
