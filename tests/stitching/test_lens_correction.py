"""Pictures through lenses: the panorama shows what a lens without distortion would, sampled once."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from lens_scenes import DISTORTIONS, SIZE, lens_named, photograph, scene

from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import inside, pixel_grid, rescale
from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.io.small_copy import small_copy
from stitching.lens.lens import GAMMA, Lens
from stitching.lens_correction import with_lens

WORKING_SCALE = 0.2  # px of the grid that maps of the target are known on, per px


@pytest.fixture(scope="module", params=DISTORTIONS)
def picture(request):
    model = lens_named(request.param)
    return Picture(photograph(model), lens=Lens.of(model))


def rays_of_corrected(picture):
    return (pixel_grid(picture.size[1], picture.size[0]) - picture.lens.centre) / picture.lens.focal


def draw_as_target(picture):
    """All of a picture on a canvas of its own, by a map that is known on a coarse working grid."""
    w, h = picture.size
    canvas = Canvas(Surface(None, ((w - 1) / 2, (h - 1) / 2)), (0, 0), (w, h))
    grid = pixel_grid(round(h * WORKING_SCALE), round(w * WORKING_SCALE))
    pictures = PanoramaPictures(picture, picture, canvas, 1.0, rescale(grid, 1 / WORKING_SCALE), WORKING_SCALE)
    return pictures.draw_reference(Rectangle(0, 0, w, h)), pictures.draw_target(Rectangle(0, 0, w, h))


def away_from_rims(valid):
    """Without 4 px at each rim, where the map of the outermost working pixel is the same for all."""
    return cv2.erode(valid.astype(np.uint8), np.ones((9, 9)), borderValue=0) > 0


def displacement(drawn, expected, valid):
    """Root mean square distance, px, by which the one is shifted against the other: brightness change by slope."""
    grey = drawn.astype(np.float64).mean(axis=2) - expected.mean(axis=2)
    slope_y, slope_x = np.gradient(expected.mean(axis=2))
    steep = np.hypot(slope_x, slope_y)
    used = away_from_rims(valid)
    return float(np.sqrt((grey[used] ** 2).mean() / (steep[used] ** 2).mean()))


def test_both_pictures_show_what_a_lens_without_distortion_would(picture):
    expected = scene(rays_of_corrected(picture))
    for drawn, valid in draw_as_target(picture):
        assert valid.mean() > 0.6
        assert displacement(drawn, expected, valid) < 0.1


def test_the_panorama_is_as_sharp_as_one_cubic_sampling_of_the_photograph(picture):
    places = picture.lens.to_photograph(pixel_grid(picture.size[1], picture.size[0]).astype(np.float64))
    once = cv2.remap(picture.pixels, places.astype(np.float32), None, cv2.INTER_CUBIC)
    for drawn, valid in draw_as_target(picture):
        used = away_from_rims(valid)
        apart = np.abs(drawn.astype(int) - once)[used]
        assert np.percentile(apart, 99) <= 2  # of 175 grey levels: cv2.remap rounds places to 1/32 px
        assert apart.mean() < 0.5


def test_sixteen_bits_keep_their_values(picture):
    deep = replace(picture, pixels=picture.pixels.astype(np.uint16) * 257)
    for (plain, valid), (drawn, _) in zip(draw_as_target(picture), draw_as_target(deep), strict=True):
        assert drawn.dtype == np.uint16
        assert np.abs(drawn[valid] / 257 - plain[valid]).max() < 1
        assert len(np.unique(drawn[valid])) > 1000  # no longer multiples of 257


def test_small_copies_are_perspective_and_know_their_scale(picture):
    copy = small_copy(picture, 0.5)
    assert copy.lens is None
    assert copy.size == copy.pixel_size
    full = rescale(pixel_grid(*copy.size[::-1]), 1 / np.array(copy.scale, np.float32))
    expected = scene((full - picture.lens.centre) / picture.lens.focal)
    valid = np.ones(copy.size[::-1], bool) if copy.valid is None else copy.valid > 127
    assert displacement(copy.pixels, expected, valid) < 0.15
    assert copy.to_own_px(full) == pytest.approx(pixel_grid(*copy.size[::-1]), abs=1e-3)


def test_masks_are_of_the_photographs_size_and_are_bent_with_it(picture):
    mask = np.full(SIZE[::-1], 255, np.uint8)
    mask[:, :80] = 0
    (_, _), (_, valid) = draw_as_target(replace(picture, valid=mask))
    places = picture.lens.to_photograph(pixel_grid(picture.size[1], picture.size[0]))
    inner = away_from_rims(np.ones_like(valid))
    assert not valid[inner & (places[..., 0] < 79)].any()
    assert valid[inner & inside(places, SIZE) & (places[..., 0] > 80)].all()


@dataclass(frozen=True)
class Dark:
    """A perspective lens whose corners get half of the light."""

    name: str = "dark"
    photograph_size: tuple[int, int] = SIZE
    focal: float = 260.0

    def project(self, rays):
        return rays * self.focal + (159.5, 119.5)

    def light(self, points):
        return 1 - 0.5 * ((points - (159.5, 119.5)) ** 2).sum(axis=-1) / 200**2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dark_corners_get_their_light_back(dtype):
    light = Dark().light(pixel_grid(240, 320).astype(np.float64))
    grey = np.array([90, 120, 150]) * (1 if dtype == np.uint8 else 257)
    photo = np.rint(grey * light[..., None] ** (1 / GAMMA)).astype(dtype)
    picture = Picture(photo, lens=Lens.of(Dark()))
    copy = small_copy(picture, 0.4)
    for drawn in (*(drawn for drawn, _ in draw_as_target(picture)), copy.pixels):
        assert np.abs(drawn.astype(int) - grey).max() <= 0.012 * grey.max()


def test_what_lies_outside_of_the_circle_of_a_fisheye_is_not_shown(tmp_path):
    calibration = tmp_path / "cameras.txt"
    calibration.write_text("1 SIMPLE_RADIAL_FISHEYE 300 300 100 150 150 0\n")
    picture = with_lens(Picture(np.full((300, 300, 3), 200, np.uint8)), str(calibration))
    assert picture.valid is not None
    assert picture.size[0] < 350  # 60 degrees to each side
    assert not picture.valid[0, 0]
    assert picture.valid[150, 60]
    (_, reference), (_, target) = draw_as_target(picture)
    assert reference.mean() > 0.9
    assert target.mean() > 0.9


def test_a_lens_that_does_not_fit_is_refused_with_the_names_of_both(tmp_path):
    calibration = tmp_path / "cameras.txt"
    calibration.write_text("1 SIMPLE_PINHOLE 300 300 100 150 150\n")
    with pytest.raises(InputError, match=r"cameras\.txt is for photographs of 300 x 300 px, photo has 320 x 240"):
        with_lens(Picture(np.zeros((240, 320, 3), np.uint8), name="photo"), str(calibration))


def test_without_a_lens_a_picture_is_its_pixels():
    picture = Picture(photograph(lens_named("none")))
    assert with_lens(picture, "none") is picture
    points = np.array([[3.0, 4.0]])
    assert picture.to_photograph(points) is points
