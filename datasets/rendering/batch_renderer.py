"""The batch renderer: ray-casts and shades films of many scenes at once, on a CPU or a GPU."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import Cameras
from datasets.rendering.ray_caster import GRID_CHUNK, TILE, Tiles, cast_grid, cut_into_tiles, tile_grid, tile_pixels
from datasets.rendering.ray_hits import RayHits, find_points, pixel_centres
from datasets.rendering.scene_batch import SceneBatch
from datasets.rendering.shading import Shader
from datasets.rendering.shadow_maps import ShadowMaps
from datasets.rendering.texture_sampling import Textures

Sizes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Rendering:
    """b rendered films, and what the rays through its pixels' centres hit."""

    cameras: Cameras  # b
    sizes: Sizes  # (width, height) px of each film
    tiles: Tiles
    pictures: list[Tensor]  # (h, w, 3) uint8 BGR, every pixel the mean of its rays' colours
    hits: RayHits
    intrinsics: list[Tensor]  # (h, w, 4) float32 albedo B, G, R and shading, see Shader.intrinsics; [] unless wanted


def render(
    batch: SceneBatch,
    textures: Textures,
    shadows: ShadowMaps,
    cameras: Cameras,
    scenes: Tensor,
    sizes: Sizes,
    supersampling: int,
    with_intrinsics: bool = False,
) -> Rendering:
    """Render films of (width, height) px, one for each camera, in scenes (v,), with supersampling^2 rays a pixel."""
    tiles = cut_into_tiles(batch, cameras.films(scenes, sizes))
    shader = Shader(batch, textures, shadows, cameras, tiles, supersampling)
    order = torch.argsort(tiles.count, descending=True)
    points = torch.cat([shader.points, tile_pixels(batch.device)])
    colours = torch.empty(len(order), TILE * TILE, 3, dtype=torch.uint8, device=batch.device)
    intrinsics = torch.empty(len(order) if with_intrinsics else 0, TILE * TILE, 4, device=batch.device)
    centre_pair = torch.empty(len(order), TILE * TILE, dtype=torch.int64, device=batch.device)
    for chosen in torch.split(order, max(1, GRID_CHUNK[batch.device.type] // len(points))):
        pair, nearness = cast_grid(tiles, chosen, points)
        centre_pair[chosen] = pair[:, -TILE * TILE :].long()
        lighting = shader.light(chosen, pair[:, : -TILE * TILE].contiguous(), nearness[:, : -TILE * TILE])
        colours[chosen] = shader.shade(lighting)
        if with_intrinsics:
            intrinsics[chosen] = shader.intrinsics(lighting)
    pixels, slices = pixel_centres(sizes, batch.device)
    pair = torch.cat([film.flatten() for film in _join_tiles(tiles, centre_pair)])
    hits = find_points(batch, tiles, cameras, pixels, slices, pair)
    surfaces = _join_tiles(tiles, intrinsics) if with_intrinsics else []
    return Rendering(cameras, sizes, tiles, _join_tiles(tiles, colours), hits, surfaces)


def _join_tiles(tiles: Tiles, values: Tensor) -> list[Tensor]:
    """Films (h, w, ...) from the pixels (t, TILE * TILE, ...) of their tiles."""
    grids = [tile_grid(size) for size in tiles.films.sizes]
    parts = torch.split(values, [columns * rows for columns, rows in grids])
    films = []
    for (width, height), (columns, _), part in zip(tiles.films.sizes, grids, parts, strict=True):
        film = part.view(-1, columns, TILE, TILE, *part.shape[2:]).transpose(1, 2)  # (rows, TILE, columns, TILE, ...)
        films.append(film.reshape(-1, columns * TILE, *part.shape[2:])[:height, :width].contiguous())
    return films
