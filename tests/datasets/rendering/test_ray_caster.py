"""The ray caster agrees with brute-force ray casting in double precision."""

import numpy as np
import pytest
import torch
from banks import small_bank
from worlds import CPU, box, camera, make_scene, meet_all, square

from datasets.rendering.cameras import concatenate
from datasets.rendering.ray_caster import TILE, Films, cast_grid, cast_rays, cut_into_tiles, tile_pixels
from datasets.rendering.ray_hits import pixel_centres
from datasets.rendering.scene_batch import batch_scenes
from datasets.scenes.recipes import build_scene

SIZE = (64, 48)


def grid_hits(tiles):
    """Triangle (-1: none) and nearness of the ray through every pixel, film by film."""
    order = torch.argsort(tiles.count, descending=True)
    found = torch.zeros(len(order), TILE * TILE, 2, dtype=torch.float64)
    pair, nearness = cast_grid(tiles, order, tile_pixels(CPU))
    triangle = torch.where(pair < 0, -1, tiles.triangle[pair.clamp_min(0).long()]) if len(tiles.triangle) else pair
    found[order] = torch.stack([triangle.double(), nearness.double()], 2)
    films, start = [], 0
    for width, height in tiles.films.sizes:
        columns, rows = -(-width // TILE), -(-height // TILE)
        film = found[start : start + columns * rows].view(rows, columns, TILE, TILE, 2).transpose(1, 2)
        films.append(film.reshape(rows * TILE, columns * TILE, 2)[:height, :width].flatten(0, 1))
        start += columns * rows
    return [(film[:, 0].long().numpy(), film[:, 1].numpy()) for film in films]


def single_hits(tiles, film, pixels):
    """The same of single rays through pixels (2, q)."""
    pair, nearness = cast_rays(tiles, torch.full((pixels.shape[1],), film), pixels)
    triangle = torch.where(pair < 0, -1, tiles.triangle[pair.clamp_min(0)]) if len(tiles.triangle) else pair
    return triangle.numpy(), nearness.double().numpy()


def compare(corners, origins, rays, hits):
    """Check first triangle and 1 / distance of every ray; returns the share of rays where rounding does not decide."""
    triangle, nearness = hits
    distances, border = meet_all(corners, origins, rays)
    nearest = distances.min(1)
    # A border in the way, or a second triangle as near, leaves two right answers.
    unsure = border.any(1) | ((distances < nearest[:, None] * (1 + 1e-5)).sum(1) > 1)
    clear = ~unsure
    expected = np.where(np.isinf(nearest), -1, distances.argmin(1))
    np.testing.assert_array_equal(triangle[clear], expected[clear])
    known = clear & (expected >= 0)
    np.testing.assert_allclose(nearness[known], 1 / nearest[known], rtol=2e-4)
    return clear.mean()


def rays_of(view, pixels):
    """Origin (1, 3) and directions (q, 3) of depth 1."""
    rays = view.rays()[0] @ torch.cat([pixels, torch.ones_like(pixels[:1])])
    return view.centre.numpy(), rays.T.numpy()


def check_camera(corners, view, seed=0, clear=0.9):
    """Compare grid and single rays of a camera with brute force."""
    batch = batch_scenes([make_scene(corners)], CPU)
    tiles = cut_into_tiles(batch, view.films(torch.tensor([0]), (SIZE,)))
    rng = np.random.default_rng(seed)
    anywhere = torch.from_numpy(rng.uniform(-0.5, np.array(SIZE)[:, None] - 0.5001, (2, 2000)))
    exact = batch.corners.numpy()
    middle, _ = pixel_centres((SIZE,), CPU)
    assert compare(exact, *rays_of(view, middle), grid_hits(tiles)[0]) > clear
    assert compare(exact, *rays_of(view, anywhere), single_hits(tiles, 0, anywhere)) > clear


def soup(rng, n, spread, size):
    """Triangles all around the camera: in front of it, behind it and through its plane."""
    return rng.normal(0, spread, (n, 1, 3)) + rng.normal(0, size, (n, 3, 3))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "spread", "size"), [(250, 4.0, 1.0), (600, 3.0, 0.1), (40, 5.0, 30.0)])
def test_finds_the_first_triangle_in_all_directions(seed, n, spread, size):
    corners = soup(np.random.default_rng(seed), n, spread, size)
    check_camera(corners, camera(fov=70, size=SIZE, roll=20 * seed), seed)


def test_finds_huge_and_tiny_and_far_triangles():
    rng = np.random.default_rng(5)
    ground = square((0, 1.5, 0), (3000, 0, 0), (0, 0, 3000))
    dust = rng.uniform((-1, -1, 1), (1, 1.4, 3), (300, 1, 3)) + rng.normal(0, 0.01, (300, 3, 3))
    hills = rng.uniform((-300, -20, 300), (300, 0, 900), (50, 1, 3)) + rng.normal(0, 30, (50, 3, 3))
    check_camera(np.concatenate([ground, dust, hills]), camera(size=SIZE))


def test_finds_triangles_seen_edge_on():
    blades = np.concatenate(
        [square((0.02 * i, 0.013 * i, 3 + 0.2 * i), (1e-4 * i, 0, 2), (0, 1, 0)) for i in range(-9, 10)]
    )
    check_camera(blades, camera(size=SIZE))


@pytest.mark.parametrize("name", ["room", "street", "landscape", "clutter"])
def test_finds_the_first_triangle_of_a_recipe_scene(name):
    scene = build_scene(name, np.random.default_rng(3), small_bank())
    stand = scene.standpoint
    size = (24, 16)
    view = camera(stand.eye.mean(0), stand.look_at.mean(0), 70, size)
    batch = batch_scenes([scene], CPU)
    tiles = cut_into_tiles(batch, view.films(torch.tensor([0]), (size,)))
    pixels, _ = pixel_centres((size,), CPU)
    assert compare(batch.corners.numpy(), *rays_of(view, pixels), grid_hits(tiles)[0]) > 0.9
    assert compare(batch.corners.numpy(), *rays_of(view, pixels), single_hits(tiles, 0, pixels)) > 0.9


@pytest.mark.parametrize("eye", [(0.3, -0.2, 0.1), (0.0, 0.0, 0.0), (0.95, 0.9, -0.9), (0.3, 0.98, 0.1)])
def test_no_ray_passes_between_adjacent_triangles(eye):
    corners = box((-1, -1, -1), (1, 1, 1), parts=7)
    batch = batch_scenes([make_scene(corners)], CPU)
    looks = [(0, 0, 3), (3, 1, 3), (-3, -2, -1), (0.1, 3, 0.1), (2, -3, 0.2)]
    cameras = concatenate(*(camera(eye, look, 100, SIZE) for look in looks))
    tiles = cut_into_tiles(batch, cameras.films(torch.zeros(5, dtype=torch.int64), (SIZE,) * 5))
    for triangle, nearness in grid_hits(tiles):
        assert (triangle >= 0).all()
        assert (nearness > 0).all()
    # Exactly along the edges that two triangles share, where rounding would leave a crack.
    ends = batch.corners[:, [0, 1, 1, 2, 2, 0]].view(-1, 2, 3)
    share = torch.linspace(0, 1, 21, dtype=torch.float64)[:, None]
    points = (ends[:, None, 0] * (1 - share) + ends[:, None, 1] * share).view(-1, 3)
    for number in range(5):
        on_film = cameras.projection[number] @ torch.cat([points, torch.ones_like(points[:, :1])], 1).T
        pixels = on_film[:2] / on_film[2]
        limit = torch.tensor(SIZE)[:, None] - 0.5
        visible = (on_film[2] > 1e-3) & (pixels >= -0.5).all(0) & (pixels < limit).all(0)
        triangle, _ = single_hits(tiles, number, pixels[:, visible])
        assert (triangle >= 0).all()


def test_orthographic_films_find_the_highest_triangle():
    rng = np.random.default_rng(8)
    corners = soup(rng, 200, 2.0, 0.8)
    batch = batch_scenes([make_scene(corners)], CPU)
    scale, lift = 9.0, 50.0
    projection = torch.tensor([[scale, 0, 0, 32], [0, 0, scale, 24], [0, 0, 0, 1]], dtype=torch.float64)
    nearness = torch.tensor([[0, -1, 0, lift]], dtype=torch.float64)  # grows upwards
    tiles = cut_into_tiles(batch, Films(projection[None], nearness, torch.tensor([0]), (SIZE,)))
    triangle, near = grid_hits(tiles)[0]
    x, y = pixel_centres((SIZE,), CPU)[0].numpy()
    origins = np.stack([(x - 32) / scale, np.full_like(x, -lift), (y - 24) / scale], 1)
    distances, border = meet_all(batch.corners.numpy(), origins, np.tile([0.0, 1.0, 0.0], (len(x), 1)))
    clear = ~border.any(1)
    assert clear.mean() > 0.9
    first = np.where(np.isinf(distances.min(1)), -1, distances.argmin(1))
    np.testing.assert_array_equal(triangle[clear], first[clear])
    known = clear & (first >= 0)
    np.testing.assert_allclose(near[known], 2 * lift - distances.min(1)[known], atol=2e-4)


def test_many_films_give_the_same_as_each_alone():
    rng = np.random.default_rng(9)
    scenes = [make_scene(soup(rng, n, 3.0, 0.6)) for n in (90, 300, 5)]
    views = [camera(rng.normal(0, 0.3, 3), rng.normal((0, 0, 4), 1), 65, (40, 30), i) for i in range(4)]
    sizes, chosen = ((40, 30), (17, 50), (64, 8), (9, 9)), (2, 0, 1, 0)
    tiles = cut_into_tiles(batch_scenes(scenes, CPU), concatenate(*views).films(torch.tensor(chosen), sizes))
    starts = np.cumsum([0, *(len(s.corners) for s in scenes)])
    together = grid_hits(tiles)
    for k, (view, number) in enumerate(zip(views, chosen, strict=True)):
        alone = cut_into_tiles(batch_scenes([scenes[number]], CPU), view.films(torch.tensor([0]), (sizes[k],)))
        (expected, near), (triangle, nearness) = grid_hits(alone)[0], together[k]
        np.testing.assert_array_equal(triangle, np.where(expected < 0, -1, expected + starts[number]))
        np.testing.assert_allclose(nearness, near, rtol=1e-6)
        pixels = torch.from_numpy(rng.uniform(-0.5, np.array(sizes[k])[:, None] - 0.5001, (2, 100)))
        found, _ = single_hits(tiles, k, pixels)
        lone, _ = single_hits(alone, 0, pixels)
        np.testing.assert_array_equal(found, np.where(lone < 0, -1, lone + starts[number]))
    assert any((hits[0] >= 0).any() for hits in together)


def test_a_film_that_sees_nothing_is_empty():
    batch = batch_scenes([make_scene(square((0, 0, -3), (1, 0, 0), (0, 1, 0)))], CPU)
    tiles = cut_into_tiles(batch, camera(size=SIZE).films(torch.tensor([0]), (SIZE,)))
    triangle, nearness = grid_hits(tiles)[0]
    assert (triangle == -1).all()
    assert (nearness == 0).all()
