"""Pictures: pixels are means of their rays, the sky is where no ray hits, films of a batch are independent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from worlds import CPU, DARK, FIRST, WHITE, bank_of, box, camera, load, make_scene, plain, soft, square

from datasets.rendering.batch_renderer import render
from datasets.rendering.cameras import concatenate

SIZE = (40, 30)
WALL_LIGHT = (1.25,) * 3  # a wall sees 0.8 of the sky


def render_one(scene, bank, view, supersampling=1, size=SIZE):
    """Picture and rendering of one scene."""
    rendering = render(*load(scene, bank), view, FIRST, (size,), supersampling)
    return rendering.pictures[0].numpy(), rendering


def pairs_of(rendering, number=0):
    """(h, w) pair of the ray through each pixel of a film, -1 for the sky."""
    width, height = rendering.sizes[number]
    return rendering.hits.film(number).pair.view(height, width).numpy()


@pytest.mark.parametrize("supersampling", [1, 2, 3, 4])
def test_a_pixel_on_an_edge_is_the_mean_of_its_rays(supersampling):
    # White above a slanted line, black below: both halves in one plane, 4 m away.
    halves = square((0, -10, 4), (20, 2.6, 0), (0, 10, 0)), square((0, 10, 4), (20, 2.6, 0), (0, 10, 0))
    tint = np.repeat(np.float32([[1, 1, 1], [0, 0, 0]]), 2, axis=0)
    view = camera((0, 0.013, 0), (0, 0.013, 1), size=SIZE)
    picture, _ = render_one(make_scene(*halves, ambient=WALL_LIGHT, tint=tint), bank_of(plain()), view, supersampling)
    steps = (np.arange(supersampling) + 0.5) / supersampling - 0.5
    x = (np.arange(SIZE[0])[:, None] + steps - (SIZE[0] - 1) / 2).reshape(1, SIZE[0], 1, -1)
    y = (np.arange(SIZE[1])[:, None] + steps - (SIZE[1] - 1) / 2).reshape(SIZE[1], 1, -1, 1)
    focal = float(view.intrinsics[0, 0, 0])
    above = x * 2.6 / 20 - y - 0.013 * focal / 4  # px
    expected = (above > 0).mean((2, 3)) * 255
    clear = (np.abs(above) > 3e-3).all((2, 3))  # triangles are that much larger than they should be, to leave no crack
    mixed = clear & (np.abs(expected - 127.5) < 127)
    assert clear.mean() > 0.99
    assert (mixed.sum() > 10) == (supersampling > 1)
    np.testing.assert_allclose(picture[clear], np.repeat(expected[clear, None], 3, 1), atol=1)


def test_supersampling_does_not_change_the_hits_of_pixel_centres():
    scene = make_scene(box((-1, -1, 3), (1, 0.5, 4)), square((0, 0, 9), (30, 0, 0), (0, 30, 0)))
    renderings = [render_one(scene, bank_of(plain()), camera(size=SIZE), n)[1] for n in (1, 2, 3)]
    triangles = [one.tiles.triangle[one.hits.pair.clamp_min(0)] for one in renderings]
    assert torch.equal(triangles[0], triangles[1])
    assert torch.equal(triangles[0], triangles[2])


def test_the_sky_turns_from_the_horizon_to_the_zenith():
    below = square((0, 5, 0), (9, 0, 0), (0, 0, 9))
    scene = make_scene(below)
    light = replace(scene.light, horizon=np.float32([0.2, 0.4, 0.8]), zenith=np.float32([0.9, 0.5, 0.1]))
    view = camera((0, 0, 0), (0, -0.2, 1), 90, SIZE)
    picture, rendering = render_one(replace(scene, light=light), bank_of(plain()), view, 2)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = np.stack([x, y, np.ones_like(x)], 2) @ view.rays()[0].numpy().T
    rise = np.clip(-rays[..., 1] / np.linalg.norm(rays, axis=2), 0, 1)[..., None]
    expected = 255 * (light.horizon + (light.zenith - light.horizon) * np.sqrt(rise))
    sky = (pairs_of(rendering) < 0) & (rise[..., 0] > 0.1)
    assert sky.sum() > 300
    np.testing.assert_allclose(picture[sky], expected[sky], atol=2)


def test_a_film_that_shows_only_sky():
    scene = make_scene(square((0, 0, -5), (1, 0, 0), (0, 1, 0)))
    picture, rendering = render_one(scene, bank_of(plain()), camera(size=SIZE), 2)
    assert (rendering.hits.pair == -1).all()
    assert (picture == 255).all()  # the sky of these scenes is white


def test_many_films_give_the_same_as_each_alone():
    floor = square((0, 1.5, 5), (6, 0, 0), (0, 0, 6))
    scenes = [
        make_scene(
            floor, box((-1, 0, 4), (0, 1.4, 5)), to_sun=(1, -1, 0.2), sun=(0.7, 0.6, 0.5), ambient=(0.2, 0.3, 0.4)
        ),
        make_scene(floor, to_sun=(0, -1, 0), sun=DARK, ambient=WHITE, texture=np.ones(2, np.int32)),
        make_scene(square((0, 0, 5), (2, 1, 0), (0, 2, 1)), to_sun=(0, -1, -1), sun=WHITE, ambient=DARK),
    ]
    bank = bank_of(soft(16), soft(16, seed=1))
    views = [camera((0.1 * i, -0.5, 0), (0.2 * i, 0.8, 5), 60, SIZE) for i in range(4)]
    sizes, chosen = (SIZE, (17, 33), (8, 8), (25, 19)), (1, 0, 2, 0)
    together = render(*load([scenes[k] for k in chosen], bank), concatenate(*views), torch.arange(4), sizes, 2)
    assert together.pictures[0].device == CPU
    for k, number in enumerate(chosen):
        alone, rendering = render_one(scenes[number], bank, views[k], 2, sizes[k])
        found = together.pictures[k].numpy()
        assert found.shape == (sizes[k][1], sizes[k][0], 3)
        assert (np.abs(found.astype(int) - alone) <= 1).mean() > 0.998
        np.testing.assert_array_equal(pairs_of(together, k) < 0, pairs_of(rendering) < 0)
