"""Lenses of lensfun's collection against lensfun's own corrections."""

import math

import numpy as np
import pytest

from stitching.errors import InputError
from stitching.lens.camera import Camera
from stitching.lens.lensfun_search import find_by_camera, find_by_name

lensfunpy = pytest.importorskip("lensfunpy")

GOPRO = Camera("GoPro", "HERO4 Silver", focal=3.0)
NIKON = Camera("NIKON CORPORATION", "NIKON D750", "AF-S NIKKOR 24-70mm f/2.8G ED", 24.0, 24.0, 2.8, 10.0)
FUJI = Camera("FUJIFILM", "X-T1", "XF18-55mmF2.8-4 R LM OIS", 18.0, aperture=4.0)


def modifier_of(camera: Camera, size: tuple[int, int]):
    database = lensfunpy.Database()
    body = database.find_cameras(camera.make, camera.model)[0]
    lens = database.find_lenses(body, lens=camera.lens or None)[0]
    modifier = lensfunpy.Modifier(lens, body.crop_factor, *size)
    modifier.initialize(camera.focal, camera.aperture or 4.0, camera.distance or 1000.0, 1.0, pixel_format=np.float32)
    return modifier


@pytest.mark.parametrize(
    ("camera", "size"),
    [(GOPRO, (4000, 3000)), (GOPRO, (3000, 4000)), (NIKON, (4240, 2832)), (NIKON, (2832, 4240)), (FUJI, (4240, 2832))],
)
def test_a_lens_draws_as_lensfun_says(camera, size):
    lens, modifier = find_by_camera(camera, size, raw=True), modifier_of(camera, size)
    centre = (np.array(size) - 1) / 2
    for x in np.linspace(0, size[0] - 1, 7):
        for y in np.linspace(0, size[1] - 1, 7):
            expected = modifier.apply_geometry_distortion(x, y, 1, 1)[0, 0]
            assert np.abs(lens.project((np.array([x, y]) - centre) / lens.unit) - expected).max() < 0.01


@pytest.mark.parametrize(
    ("camera", "whole", "part"),
    [(GOPRO, (1200, 900), (1200, 676)), (NIKON, (1500, 1000), (1500, 844)), (NIKON, (1000, 1500), (1000, 1000))],
)
def test_a_photograph_cropped_to_another_aspect_is_the_middle_of_the_sensor(camera, whole, part):
    rays = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 2))
    places = [find_by_camera(camera, size, raw=True).project(rays) - (np.array(size) - 1) / 2 for size in (whole, part)]
    assert np.allclose(*places, atol=0.2)


def test_the_focal_length_is_that_of_the_fisheye():
    """Equisolid: a ray at the angle t from the axis arrives 2 f sin(t / 2) from the centre, but for the distortion."""
    lens = find_by_camera(GOPRO, (4000, 3000), raw=False)
    database = lensfunpy.Database()
    body = database.find_cameras("GoPro", "HERO4 Silver")[0]
    modifier = lensfunpy.Modifier(database.find_lenses(body)[0], body.crop_factor, 4000, 3000)
    modifier.initialize(3.0, 2.8, scale=1.0, flags=lensfunpy.ModifyFlags.GEOMETRY)
    ideal = 2000.0
    place = modifier.apply_geometry_distortion(1999.5 + ideal, 1499.5, 1, 1)[0, 0, 0] - 1999.5
    assert place == pytest.approx(2 * lens.unit * math.sin(math.atan(ideal / lens.unit) / 2), abs=0.5)
    assert lens.focal == pytest.approx(lens.unit * (1 - 0.03183 + 0.11592), rel=1e-3)  # ptlens: 1 - a - b - c


def test_light_falls_off_as_lensfun_says():
    size = 600, 400
    lens = find_by_camera(NIKON, size, raw=True)
    pixels = np.ones((size[1], size[0], 3), np.float32)
    assert modifier_of(NIKON, size).apply_color_modification(pixels)
    y, x = np.mgrid[: size[1], : size[0]]
    assert np.allclose(lens.light(np.stack([x, y], axis=-1).astype(float)), 1 / pixels[..., 0], atol=1e-3)


def test_rays_that_the_lens_cannot_draw_have_no_place():
    lens = find_by_camera(NIKON, (600, 400), raw=True)
    assert np.isnan(lens.project(np.array([[50.0, 0.0], [0.0, 1e9]]))).all()
    assert np.allclose(lens.project(np.zeros((2, 3, 2))), (299.5, 199.5))


def test_light_is_even_where_the_aperture_is_unknown():
    lens = find_by_camera(Camera(NIKON.make, NIKON.model, NIKON.lens, 24.0), (600, 400), raw=True)
    assert (lens.light(np.array([[0.0, 0.0], [299.5, 199.5]])) == 1).all()


@pytest.mark.parametrize(
    "camera",
    [NIKON, FUJI, Camera("Apple", "iPhone XS", focal=4.25), Camera("DJI", "FC6310", focal=8.8), Camera()],
    ids=lambda camera: camera.model,
)
def test_pictures_that_a_camera_may_have_corrected_are_left(camera):
    assert find_by_camera(camera, (4000, 3000), raw=False) is None


def test_fisheyes_and_action_cameras_are_corrected():
    fisheye = Camera("Canon", "Canon EOS 5D Mark II", "EF8-15mm f/4L FISHEYE USM", 15.0)
    for camera in (GOPRO, Camera("GoPro", "HERO5 Black", focal=3.0), fisheye):
        lens = find_by_camera(camera, (4000, 3000), raw=False)
        assert lens is not None
        assert lens.project(np.array([0.5, 0.0]))[0] < 1999.5 + 0.5 * lens.focal


def test_an_unknown_camera_has_no_lens():
    assert find_by_camera(Camera("Nobody", "X1", "35 mm", 35.0), (600, 400), raw=True) is None
    assert find_by_camera(Camera(NIKON.make, NIKON.model, "no such lens at all", 24.0), (600, 400), raw=True) is None
    assert find_by_camera(Camera(NIKON.make, NIKON.model, NIKON.lens, 400.0), (600, 400), raw=True) is None


def test_a_lens_is_found_by_its_name_in_any_capitals():
    by_name = find_by_name("gopro hero4 silver", Camera(), (4000, 3000))
    by_camera = find_by_camera(GOPRO, (4000, 3000), raw=False)
    assert np.array_equal(by_name.places, by_camera.places)
    lens = find_by_name("Samyang 8mm f/3.5 Fish-Eye CS", Camera(focal=8.0), (600, 400))
    assert lens.name == "Samyang 8mm f/3.5 Fish-Eye CS"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GoPro HERO 4 Silver", "did you mean 'GoPro HERO4 Silver'"),
        ("zzzz", "lensfun lists them"),
        ("AF-S Nikkor 24-70mm f/2.8E ED VR 170", None),
        ("Nikon AF-S Nikkor 24-70mm f/2.8E ED VR 170", "EXIF does not say the focal length"),
    ],
)
def test_a_name_that_leads_to_no_lens_is_refused_with_what_to_do(name, expected):
    with pytest.raises(InputError, match=expected or "did you mean 'Nikon AF-S Nikkor 24-70mm"):
        find_by_name(name, Camera(), (600, 400))


def test_vignetting_is_that_of_raw_files_and_of_lenses_that_are_named():
    corner = np.array([0.0, 0.0])
    fisheye = Camera("Canon", "Canon EOS 5D Mark II", "Canon EF 8-15mm f/4L Fisheye USM", 15.0, aperture=4.0)
    raw, developed = (find_by_camera(fisheye, (600, 400), raw=raw) for raw in (True, False))
    assert developed.light(corner) == 1
    assert raw.light(corner) < 1
    assert find_by_name(fisheye.lens, fisheye, (600, 400)).light(corner) < 1
