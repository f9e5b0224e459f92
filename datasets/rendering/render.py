"""Pictures of scenes: every pixel is the mean of its rays' colours."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import Cameras
from datasets.rendering.ray_caster import GRID_CHUNK, TILE, Tiles, cast_grid, cut
from datasets.rendering.shading import ShadowMaps, Textures, gather_materials, pixel_grid, sample_texture
from datasets.rendering.world import World


@dataclass(frozen=True, eq=False)
class Shot:
    """What cameras see, film by film."""

    tiles: Tiles
    pictures: list[Tensor]  # (h, w, 3) uint8 BGR
    hits: list[Tensor]  # (h, w) int64: pair of the ray through the pixel's centre, -1 for the sky


def render(
    world: World,
    textures: Textures,
    shadows: ShadowMaps,
    cameras: Cameras,
    scene: Tensor,
    sizes: tuple[tuple[int, int], ...],
    supersampling: int,
) -> Shot:
    """Render films of (width, height) px in scenes (v,) with supersampling^2 rays a pixel."""
    tiles = cut(world, cameras.films(scene, sizes))
    shader = _Shader(world, textures, shadows, cameras, tiles, supersampling)
    order = torch.argsort(tiles.count, descending=True)
    centre = pixel_grid(world.device)
    places = torch.cat([shader.places, centre])
    colours = torch.empty(len(order), TILE * TILE, 3, dtype=torch.uint8, device=world.device)
    hits = torch.empty(len(order), TILE * TILE, dtype=torch.int64, device=world.device)
    for chosen in torch.split(order, max(1, GRID_CHUNK[world.device.type] // len(places))):
        pair, nearest = cast_grid(tiles, chosen, places)
        hits[chosen] = pair[:, -TILE * TILE :].long()
        colours[chosen] = shader.shade(chosen, pair[:, : -TILE * TILE].contiguous(), nearest[:, : -TILE * TILE])
    return Shot(tiles, _films(tiles, colours), _films(tiles, hits))


def _films(tiles: Tiles, values: Tensor) -> list[Tensor]:
    """Put the tiles' pixels (t, TILE * TILE, ...) together to films (h, w, ...)."""
    parts = torch.split(values, [((w + TILE - 1) // TILE) * ((h + TILE - 1) // TILE) for w, h in tiles.films.sizes])
    films = []
    for (width, height), part in zip(tiles.films.sizes, parts, strict=True):
        columns = (width + TILE - 1) // TILE
        film = part.view(-1, columns, TILE, TILE, *part.shape[2:]).transpose(1, 2)  # (rows, TILE, columns, TILE, ...)
        films.append(film.reshape(-1, columns * TILE, *part.shape[2:])[:height, :width].contiguous())
    return films


class _Shader:
    """Colours of the rays of one set of tiles; r rays a tile, pixel by pixel within each of s places in a pixel."""

    def __init__(
        self, world: World, textures: Textures, shadows: ShadowMaps, cameras: Cameras, tiles: Tiles, supersampling: int
    ) -> None:
        self._world, self._textures, self._shadows, self._tiles = world, textures, shadows, tiles
        self._materials = gather_materials(world, tiles, textures)
        self._directions, self._centre = cameras.rays(), cameras.centre
        step = (torch.arange(supersampling, device=world.device) + 0.5) / supersampling - 0.5
        offsets = torch.stack(torch.meshgrid(step, step, indexing="xy"), 2).view(-1, 1, 2)  # (s, 1, 2) px
        self._samples, self._spacing = len(offsets), supersampling
        self.places = (pixel_grid(world.device) + offsets).view(-1, 2)  # (s, TILE * TILE, 2) -> (r, 2)
        self._x, self._y = self.places.unbind(1)
        self._offset = offsets.expand(-1, TILE * TILE, 2).reshape(-1, 2)  # (s, TILE * TILE, 2) -> (r, 2)
        # A different share of a mip level for each of a pixel's rays: their mean blends levels.
        share = (torch.arange(self._samples, device=world.device) + 0.5) / self._samples
        self._dither = share.repeat_interleave(TILE * TILE)

    def shade(self, chosen: Tensor, pair: Tensor, nearest: Tensor) -> Tensor:
        """(c, TILE * TILE, 3) uint8 from the hits (c, r) of all rays of the chosen (c,) tiles."""
        film = self._tiles.film[chosen]
        scene = self._tiles.films.scene[film]
        depth = 1 / nearest.clamp_min(1e-6)
        known = pair.clamp_min(0).view(-1)
        rows = self._materials.values.index_select(1, known).view(16, *pair.shape)  # (16, c r) -> (16, c, r)
        s, t, direct, ambient = (
            (rows[k] * self._x + rows[k + 1] * self._y + rows[k + 2]) * depth for k in range(0, 12, 3)
        )
        level = (torch.log2(rows[15] * depth.square() / self._spacing + 1e-9) + self._dither).floor().int()
        texture = self._materials.texture.index_select(0, known).view(pair.shape)
        corner = self._tiles.corner[chosen]
        towards = self._directions[film].clone()
        towards[..., 2] += towards[..., 0] * corner[:, :1] + towards[..., 1] * corner[:, 1:]
        direct = direct * self._lit(scene, self._centre[film], towards, depth, direct)
        sky = pair < 0
        open_tiles = sky.any(1).nonzero()[:, 0]
        if len(open_tiles):
            above = self._aim_at_clouds(open_tiles, scene[open_tiles], towards, sky, texture, s, t, level)
        found = sample_texture(self._textures, *(v.view(-1) for v in (texture, s, t, level)))
        channels = []
        for k, colour in enumerate(found):
            light = direct * self._world.sun[scene, k, None] + ambient * self._world.ambient[scene, k, None]
            channel = light.mul_(rows[12 + k]).clamp_min_(0).sqrt_().mul_(colour.view(pair.shape))
            if len(open_tiles):
                seen = self._sky(k, scene[open_tiles], *above, colour.view(pair.shape)[open_tiles])
                channel[open_tiles] = torch.where(sky[open_tiles], seen, channel[open_tiles])
            channels.append(channel.view(len(chosen), self._samples, -1).mean(1))  # (c, r) -> (c, s, TILE * TILE)
        return torch.stack(channels, 2).add(0.5).clamp(0, 255).to(torch.uint8)

    def _lit(self, scene: Tensor, centre: Tensor, towards: Tensor, depth: Tensor, direct: Tensor) -> Tensor:
        """(c, r) 1 in the sun, 0 in a shadow."""
        to_film = self._shadows.to_film[scene]  # (c, 3, 4)
        start = ((to_film[..., :3] @ centre[..., None])[..., 0] + to_film[..., 3]).float()
        step = (to_film[..., :3] @ towards).float()  # (c, 3, 3)
        column, row, nearness = (start[:, k, None] + self._affine(step[:, k]) * depth for k in range(3))
        side = self._shadows.nearest.shape[1]
        # Each ray of a pixel looks to its own side: the mean over the pixel is a soft edge.
        column = (column + 1.5 * self._offset[:, 0] + 0.5).clamp(0, side - 1).int()
        row = (row + 1.5 * self._offset[:, 1] + 0.5).clamp(0, side - 1).int()
        place = (scene[:, None].int() * side + row) * side + column
        first = self._shadows.nearest.view(-1).index_select(0, place.view(-1)).view(depth.shape)
        slack = self._shadows.texel[scene, None].float() * (1 + 2 / (direct + 0.1))
        return (first < nearness + slack).float()

    def _affine(self, factors: Tensor) -> Tensor:
        """(c, r) values of factors (c, 3) of (x, y, 1)."""
        return factors[:, :1] * self._x + factors[:, 1:2] * self._y + factors[:, 2:]

    def _aim_at_clouds(
        self,
        tiles: Tensor,
        scene: Tensor,
        towards: Tensor,
        sky: Tensor,
        texture: Tensor,
        s: Tensor,
        t: Tensor,
        level: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Let rays that meet nothing look up the cloud texture; returns the shares of zenith and clouds (tiles, r)."""
        x, y, z = (self._affine(towards[tiles, k].float()) for k in range(3))
        length = torch.sqrt(x * x + y * y + z * z)
        rise = -y / length
        # Clouds lie on a plane overhead; towards the horizon the plane is held back before it aliases.
        scale = 0.15 / (length * rise.clamp_min(0.02))
        clouds = self._world.cloud[scene, None].int().expand_as(rise)
        away = -torch.log2(rise.clamp_min(0.02)).int()
        for values, new in ((texture, clouds), (s, x * scale), (t, z * scale), (level, away)):
            values[tiles] = torch.where(sky[tiles], new, values[tiles])
        return rise.clamp(0, 1).sqrt(), self._world.cloudiness[scene, None] * ((rise - 0.02) * 5).clamp(0, 1)

    def _sky(self, channel: int, scene: Tensor, up: Tensor, cloudy: Tensor, clouds: Tensor) -> Tensor:
        """(c, r) 0 .. 255 of one channel; clouds (c, r) 0 .. 255."""
        horizon, zenith = (255 * v[scene, channel, None] for v in (self._world.horizon, self._world.zenith))
        colour = horizon + (zenith - horizon) * up
        return colour + (255 - colour) * cloudy * clouds / 255
