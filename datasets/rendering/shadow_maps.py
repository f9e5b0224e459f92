"""Shadow maps: what the sun of each scene sees (Williams 1978, "Casting curved shadows on curved surfaces")."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.ray_caster import TILE, Films, Tiles, cast_grid, cut_into_tiles, tile_pixels
from datasets.rendering.scene_batch import SceneBatch

_SIDE = 512  # px of a shadow map
_BORDER = 4  # px around the points that the map has to cover
_NEARNESS_OFFSET = 1000  # m; nearness is positive for everything within a kilometre


@dataclass(frozen=True, eq=False)
class ShadowMaps:
    """An orthographic film for the sun of each scene, with the nearness of the first surface that casts a shadow."""

    to_film: Tensor  # (b, 3, 4): homogeneous world point -> film x, film y, nearness (m towards the sun)
    texel: Tensor  # (b,) m a pixel
    nearest: Tensor  # (b, side, side), 0 where nothing casts a shadow


def map_shadows(batch: SceneBatch, points: Tensor, scene: Tensor) -> ShadowMaps:
    """Render shadow maps that cover the world points (q, 3) of scenes (q,)."""
    to_film, texel = _sun_projections(batch.to_sun.double(), points, scene)
    count = len(to_film)
    projection = to_film.clone()
    projection[:, 2] = to_film.new_tensor([0, 0, 0, 1])
    films = Films(projection, to_film[:, 2], torch.arange(count, device=points.device), ((_SIDE, _SIDE),) * count)
    tiles = cut_into_tiles(batch, films, casters_only=True)
    return ShadowMaps(to_film, texel, _nearest(tiles, count))


def _sun_projections(to_sun: Tensor, points: Tensor, scene: Tensor) -> tuple[Tensor, Tensor]:
    """(b, 3, 4) from the world to the suns' films, and the size (b,) of their pixels, m."""
    helper = torch.where(to_sun[:, 1:2].abs() < 0.9, to_sun.new_tensor([0, 1, 0]), to_sun.new_tensor([1, 0, 0]))
    right = torch.nn.functional.normalize(torch.linalg.cross(helper, to_sun), dim=1)
    axes = torch.stack([right, torch.linalg.cross(to_sun, right), to_sun], 1)  # (b, 3, 3)
    covered = (axes[scene] @ points[..., None])[..., 0]
    count = len(to_sun)
    index = scene[:, None].expand(-1, 3)
    low = covered.new_full((count, 3), torch.inf).scatter_reduce(0, index, covered, "amin")
    high = covered.new_full((count, 3), -torch.inf).scatter_reduce(0, index, covered, "amax")
    texel = (high - low)[:, :2].amax(1).clamp_min(0.1) / (_SIDE - 2 * _BORDER)
    to_film = torch.zeros(count, 3, 4, dtype=torch.float64, device=points.device)
    to_film[:, :2, :3] = axes[:, :2] / texel[:, None, None]
    to_film[:, :2, 3] = _BORDER - low[:, :2] / texel[:, None]
    to_film[:, 2, :3] = axes[:, 2]
    to_film[:, 2, 3] = _NEARNESS_OFFSET - low[:, 2]
    return to_film, texel


def _nearest(tiles: Tiles, count: int) -> Tensor:
    """(count, side, side) nearness at the pixel centres of the suns' films."""
    order = torch.argsort(tiles.count, descending=True)
    nearest = torch.zeros(len(order), TILE * TILE, device=order.device)
    for chosen in torch.split(order, 4096):
        nearest[chosen] = cast_grid(tiles, chosen, tile_pixels(order.device))[1]
    rows = _SIDE // TILE
    nearest = nearest.view(count, rows, rows, TILE, TILE).permute(0, 1, 3, 2, 4)  # (b, row, y, column, x)
    return nearest.reshape(count, _SIDE, _SIDE).contiguous()
