"""Colours of lit surfaces, mip-maps and shadows."""

import numpy as np
import pytest
from worlds import DARK, FIRST, ball, bank_of, camera, load, make_scene, plain, soft, square

from datasets.rendering.batch_renderer import render

SIZE = (96, 64)
COLOUR = (40, 120, 230)
DIM = (0.25, 0.25, 0.25)
BRIGHT = (0.75, 0.75, 0.75)
FLOOR = square((0, 1.5, 5), (6, 0, 0), (0, 0, 6))  # its upper side up


def render_one(scene, bank, view, supersampling=1, size=SIZE):
    """Picture, and the world points (h, w, 4) that its pixels show."""
    rendering = render(*load(scene, bank), view, FIRST, (size,), supersampling)
    return rendering.pictures[0].numpy(), rendering.hits.points.T.reshape(size[1], size[0], 4).numpy()


def lit(share):
    """What the plain colour becomes in so much light, (..., 3)."""
    return np.sqrt(np.asarray(share)[..., None]) * COLOUR


def test_full_light_shows_a_texture_as_it_is():
    view = camera((0, 0, 0), (0, 1.5, 2.5), 50, SIZE)
    picture, _ = render_one(make_scene(FLOOR), bank_of(plain(COLOUR)), view, 2)
    np.testing.assert_allclose(picture, np.broadcast_to(COLOUR, picture.shape), atol=1)


def test_tint_and_openness_scale_linear_light():
    view = camera((0, 0, 0), (0, 1.5, 2.5), 50, SIZE)
    tint = np.tile(np.float32([1, 0.25, 0.5]), (2, 1))
    scene = make_scene(FLOOR, tint=tint, openness=np.full((2, 3), 0.36, np.float32))
    picture, _ = render_one(scene, bank_of(plain(COLOUR)), view)
    expected = np.sqrt([0.36, 0.09, 0.18]) * COLOUR
    np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1)


@pytest.mark.parametrize("to_sun", [(0, -1, 0), (1, -1, 0.3), (-2, -1, 1)])
def test_the_sun_shines_by_the_cosine_of_its_angle(to_sun):
    view = camera((0, 0, 0), (0, 1.5, 2.5), 50, SIZE)
    scene = make_scene(FLOOR, to_sun=to_sun, sun=BRIGHT, ambient=DIM)
    picture, _ = render_one(scene, bank_of(plain(COLOUR)), view)
    expected = lit(0.25 + 0.75 * 1 / np.linalg.norm(to_sun))
    np.testing.assert_allclose(picture, np.broadcast_to(expected, picture.shape), atol=1.5)


def test_one_texel_a_pixel_shows_the_texture_unchanged():
    texture = soft(64, 9)
    view = camera(size=SIZE)
    focal = float(view.intrinsics[0, 0, 0])
    wall = square((0, 0, focal / 64), (3, 0, 0), (0, 3, 0))  # 64 px a metre
    picture, _ = render_one(make_scene(wall, ambient=(1.25,) * 3), bank_of(texture), view)  # a wall sees 0.8 of the sky
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    expected = texture[(y - SIZE[1] // 2) % 64, (x - SIZE[0] // 2) % 64]
    np.testing.assert_allclose(picture, expected, atol=1)


def test_a_magnified_texture_is_interpolated():
    texture = soft(16, 2)
    view = camera(size=SIZE)
    wall = square((0, 0, float(view.intrinsics[0, 0, 0]) / 96), (3, 0, 0), (0, 3, 0))  # 6 px a texel
    picture, _ = render_one(make_scene(wall, ambient=(1.25,) * 3), bank_of(texture), view)
    s, t = ((np.arange(n) - (n - 1) / 2) / 96 * 16 - 0.5 for n in SIZE)
    left, top = np.floor(s).astype(int), np.floor(t).astype(int)
    x, y = (s - left)[None, :, None], (t - top)[:, None, None]
    corner = [[texture[(top[:, None] + i) % 16, (left[None] + j) % 16].astype(float) for j in (0, 1)] for i in (0, 1)]
    expected = (1 - y) * ((1 - x) * corner[0][0] + x * corner[0][1]) + y * ((1 - x) * corner[1][0] + x * corner[1][1])
    np.testing.assert_allclose(picture, expected, atol=3)  # weights are multiples of 1 / 256


@pytest.mark.parametrize("supersampling", [1, 2])
def test_a_far_checker_is_its_mean_and_does_not_flicker(supersampling):
    checker = np.kron(np.indices((16, 16)).sum(0) % 2, np.ones((8, 8)))[..., None] * np.full(3, 255)
    view = camera((0, 0, 0), (0, 0.25, 1), 60, SIZE)
    ground = square((0, 1.5, 0), (500, 0, 0), (0, 0, 500))
    picture, points = render_one(
        make_scene(ground, repeats=0.5), bank_of(checker.astype(np.uint8)), view, supersampling
    )
    focal = float(view.intrinsics[0, 0, 0])
    distance = np.where(points[..., 3] > 0, points[..., 2] / np.where(points[..., 3] > 0, points[..., 3], 1), np.nan)
    with np.errstate(invalid="ignore"):
        far = distance**2 / (1.5 * focal) > 0.125 * 2 * supersampling  # a ray's share of the ground is two squares long
        far[1:] &= points[:-1, :, 3] > 0  # not the horizon, where the sky has its share
        near = distance**2 / (1.5 * focal) < 0.125 / 3
    assert far.sum() > 500
    assert picture[far].std() < 6
    assert abs(picture[far].mean() - 127.5) < 4
    assert picture[near].std() > 80


def casts(points, corners, to_sun, margin):
    """Where points (..., 3) are in the shade of a level rectangle grown by a margin (m), by geometry alone."""
    height = corners[..., 1].mean()
    up = (height - points[..., 1]) / to_sun[1]
    meets = points + up[..., None] * np.array(to_sun)
    low, high = corners.min((0, 1)) - margin, corners.max((0, 1)) + margin
    return (up > 1e-3) & ((meets > low) & (meets < high))[..., [0, 2]].all(-1)


@pytest.mark.parametrize("to_sun", [(0.6, -1, 0.4), (-1.5, -1, -0.5)])
def test_shadows_lie_where_geometry_predicts(to_sun):
    board = square((0.2, 0.3, 5), (1.1, 0, 0), (0, 0, 0.8))
    view = camera((0.5, -2, 0), (0, 1.5, 5), 60, SIZE)
    scene = make_scene(FLOOR, board, to_sun=to_sun, sun=BRIGHT, ambient=DIM)
    picture, points = render_one(scene, bank_of(plain(COLOUR)), view, 2)
    solid = points[..., 3] > 0
    positions = points[..., :3] / np.where(solid, points[..., 3], 1)[..., None]
    pixel = 0.12  # m on the ground of a pixel's half and of the shadow's soft border
    core, around = casts(positions, board, to_sun, -pixel), casts(positions, board, to_sun, pixel)
    floor = solid & (np.abs(positions[..., 1] - 1.5) < 1e-6)
    # Pixels beside the board and at the floor's end show two things.
    level = solid & (np.abs(np.gradient(positions[..., 1])) < 1e-3).all(0)
    shade, sun = lit(0.25), lit(0.25 + 0.75 / np.linalg.norm(to_sun))
    assert (core & floor).sum() > 60
    assert np.abs(picture - shade)[core & floor & level].max() <= 1.5
    assert (~around & floor & level).sum() > 1000
    assert np.abs(picture - sun)[~around & floor & level].max() <= 1.5
    assert (level & ~floor).sum() > 60
    assert np.abs(picture - sun)[level & ~floor].max() <= 1.5  # the board itself lies in the sun


def test_what_casts_no_shadow_casts_none():
    board = square((0.2, 0.3, 5), (1.1, 0, 0), (0, 0, 0.8))
    view = camera((0.5, -2, 0), (0, 1.5, 5), 60, SIZE)
    rows = {"to_sun": (0.6, -1, 0.4), "sun": BRIGHT, "ambient": DIM}
    scene = make_scene(FLOOR, board, casts_shadow=np.array([True, True, False, False]), **rows)
    picture, points = render_one(scene, bank_of(plain(COLOUR)), view)
    sun = lit(0.25 + 0.75 / np.linalg.norm((0.6, -1, 0.4)))
    assert np.abs(picture - sun)[points[..., 3] > 0].max() <= 1.5


@pytest.mark.parametrize("steepness", [0.1, 0.5, 0.9])
def test_no_spots_of_shadow_on_a_large_slope(steepness):
    slope = square((0, 1.5, 20), (20, 20 * steepness, 0), (0, 0, 20), parts=5)
    view = camera((0, -6, 0), (0, 1.5, 20), 60, SIZE)
    for to_sun in ((0.3, -1, 0.2), (1.0, -1, 0.5), (-0.2, -1, -1)):
        scene = make_scene(slope, to_sun=to_sun, sun=BRIGHT, ambient=DARK)
        picture, points = render_one(scene, bank_of(plain(COLOUR)), view, 2)
        cosine = scene.normals[0, 0] @ scene.light.to_sun
        solid = points[..., 3] > 0
        interior = solid & (np.abs(np.gradient(solid.astype(float))) == 0).all(0)
        if cosine > 0.1:
            assert interior.sum() > 500
            assert np.abs(picture - lit(0.75 * cosine))[interior].max() <= 1.5


def test_no_spots_of_shadow_on_a_ball():
    centre = np.array([0, 0, 5])
    corners = ball(centre, 1.5)
    normals = (corners - centre) / np.linalg.norm(corners - centre, axis=2, keepdims=True)
    to_sun = (0.8, -1, -0.6)
    scene = make_scene(corners, normals=normals.astype(np.float32), to_sun=to_sun, sun=BRIGHT, ambient=DARK)
    picture, points = render_one(scene, bank_of(plain(COLOUR)), camera(size=SIZE, fov=45), 1)
    solid = points[..., 3] > 0
    outwards = points[..., :3] / np.where(solid, points[..., 3], 1)[..., None] - centre
    cosine = outwards @ to_sun / np.linalg.norm(outwards, axis=2) / np.linalg.norm(to_sun)
    bright = solid & (cosine > 0.15)
    assert bright.sum() > 500
    np.testing.assert_allclose(picture[bright], lit(0.75 * cosine[bright]), atol=4)
    assert picture[solid & (cosine < -0.1)].max() <= 1  # the night side


def test_albedo_and_shading_are_what_the_picture_is_made_of():
    """In grey light their product is the picture, in a shadow, too; the sky has neither."""
    view = camera((0, 0, 0), (0, 1.5, 4), 60, SIZE)
    block = square((0, 1, 5), (1, 0, 0), (0, 0.5, 0))
    scene = make_scene(FLOOR, block, to_sun=(1, -2, 1), sun=BRIGHT, ambient=DIM)
    rendering = render(*load(scene, bank_of(soft(64, 5))), view, FIRST, (SIZE,), 1, with_intrinsics=True)
    picture, intrinsics = rendering.pictures[0].numpy(), rendering.intrinsics[0].numpy()
    solid = np.isfinite(intrinsics).all(2)
    np.testing.assert_array_equal(solid, rendering.hits.pair.reshape(SIZE[1], SIZE[0]) >= 0)
    assert 0.3 < solid.mean() < 0.95
    albedo, shading = intrinsics[..., :3], intrinsics[..., 3:]
    np.testing.assert_allclose(255 * (albedo * shading)[solid], picture[solid], atol=0.51)
    _, y, _, weight = rendering.hits.points.reshape(4, SIZE[1], SIZE[0]).numpy()
    levels = np.unique(shading[solid & (y > 1.499 * weight)].round(2))
    assert len(levels) == 2  # the floor in the sun and in the shadow of the block


def test_coloured_light_is_no_part_of_the_albedo():
    view = camera((0, 0, 0), (0, 1.5, 2.5), 50, SIZE)
    tint = np.tile(np.float32([1, 0.25, 0.5]), (2, 1))
    scene = make_scene(FLOOR, tint=tint, ambient=(0.2, 0.5, 0.9))
    rendering = render(*load(scene, bank_of(plain(COLOUR))), view, FIRST, (SIZE,), 2, with_intrinsics=True)
    values = rendering.intrinsics[0].numpy()
    expected = [*np.sqrt([1, 0.25, 0.5]) * COLOUR / 255, np.sqrt(0.114 * 0.2 + 0.587 * 0.5 + 0.299 * 0.9)]
    np.testing.assert_allclose(values, np.broadcast_to(expected, values.shape), atol=1e-2)
