"""Shading: the colours of rays from textures, sun, shadow maps, ambient light and sky.

Colours are shaded as linear light of which the square root is shown (gamma 2, close to sRGB and much faster).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import Cameras
from datasets.rendering.ray_caster import TILE, Tiles, tile_pixels
from datasets.rendering.scene_batch import SceneBatch
from datasets.rendering.shadow_maps import ShadowMaps
from datasets.rendering.texture_sampling import Textures, sample_texture

_LUMINANCE = 0.114, 0.587, 0.299  # of B, G, R
_LOWEST_CLOUDS = 0.02  # sine of the elevation below which the plane of the clouds would alias


@dataclass(frozen=True, eq=False)
class _Materials:
    """What shading needs of p (tile, triangle) pairs, a column for each pair so that gathered rows are contiguous.

    `affine`: u and v in repeats, direct light, ambient light, each divided by the depth and affine in px from the
    tile's corner: three rows each, the factors of x, y, 1.
    """

    affine: Tensor  # (12, p)
    tint: Tensor  # (3, p) B, G, R
    detail: Tensor  # (p,) texels of level 0 that a pixel spans at depth 1 in the tile's middle
    texture: Tensor  # (p,) int32


@dataclass(frozen=True, eq=False)
class _Rays:
    """The r rays of each of c tiles."""

    scene: Tensor  # (c,) int64
    centre: Tensor  # (c, 3) the cameras' positions
    direction: Tensor  # (c, 3, 3) from (x, y, 1), px from the tile's corner, to a world direction of depth 1
    depth: Tensor  # (c, r) m; meaningless for the sky
    sky: Tensor  # (c, r) bool: nothing is hit


@dataclass(frozen=True, eq=False)
class _Lookup:
    """Where (c, r) rays look up their texture."""

    texture: Tensor  # int32
    u: Tensor  # repeats
    v: Tensor
    level: Tensor  # int32 of the mip-map, unclamped


@dataclass(frozen=True, eq=False)
class Lighting:
    """What (c, r) rays of c tiles meet: surfaces, light, sky."""

    rays: _Rays
    colours: list[Tensor]  # of the textures, three (c, r) 0 .. 255: B, G, R
    tint: Tensor  # (3, c, r)
    direct: Tensor  # (c, r) share of the sun's light
    ambient: Tensor  # (c, r) share of the ambient light
    sky: "_Sky | None"  # None without sky


@dataclass(frozen=True, eq=False)
class _Sky:
    """What is needed to colour the sky in those t tiles that show some of it."""

    tiles: Tensor  # (t,) among the c tiles
    mask: Tensor  # (t, r) rays that hit nothing
    zenith_share: Tensor  # (t, r) 0 horizon .. 1 zenith
    cloudiness: Tensor  # (t, r) 0 .. 1


class Shader:
    """Colours of the rays of one set of tiles: r rays a tile, s a pixel; sample by sample, then pixel by pixel."""

    def __init__(
        self,
        batch: SceneBatch,
        textures: Textures,
        shadows: ShadowMaps,
        cameras: Cameras,
        tiles: Tiles,
        supersampling: int,
    ) -> None:
        self._batch, self._textures, self._shadows, self._tiles = batch, textures, shadows, tiles
        self._materials = _gather_materials(batch, tiles, textures)
        self._directions, self._centre = cameras.rays(), cameras.centre
        step = (torch.arange(supersampling, device=batch.device) + 0.5) / supersampling - 0.5
        offsets = torch.stack(torch.meshgrid(step, step, indexing="xy"), 2).view(-1, 1, 2)  # (s, 1, 2) px
        self._samples, self._supersampling = len(offsets), supersampling
        self.points = (tile_pixels(batch.device) + offsets).view(-1, 2)  # (s, TILE * TILE, 2) -> (r, 2)
        self._x, self._y = self.points.unbind(1)
        self._offset = offsets.expand(-1, TILE * TILE, 2).reshape(-1, 2)  # (s, TILE * TILE, 2) -> (r, 2)
        # A different fraction of a mip level for each of a pixel's rays: their mean blends levels.
        share = (torch.arange(self._samples, device=batch.device) + 0.5) / self._samples
        self._dither = share.repeat_interleave(TILE * TILE)

    def light(self, chosen: Tensor, pair: Tensor, nearness: Tensor) -> Lighting:
        """What the rays of chosen (c,) tiles meet, from the pairs and nearness (c, r) that they hit."""
        rays = self._rays(chosen, pair, nearness)
        known = pair.clamp_min(0).view(-1)
        materials = self._materials
        affine = materials.affine.index_select(1, known).view(4, 3, *pair.shape)  # (12, c r) -> (4, 3, c, r)
        u, v, direct, ambient = (self._affine(factors) * rays.depth for factors in affine)
        detail = materials.detail.index_select(0, known).view(pair.shape)
        level = torch.log2(detail * rays.depth.square() / self._supersampling + 1e-9) + self._dither
        texture = materials.texture.index_select(0, known).view(pair.shape)
        lookup = _Lookup(texture, u, v, level.floor().int())
        direct = direct * self._sunlit(rays, direct)
        sky = self._redirect_sky_rays(rays, lookup)
        colours = sample_texture(
            self._textures, *(part.view(-1) for part in (lookup.texture, lookup.u, lookup.v, lookup.level))
        )
        tint = materials.tint.index_select(1, known).view(3, *pair.shape)  # (3, c r) -> (3, c, r)
        return Lighting(rays, [colour.view(pair.shape) for colour in colours], tint, direct, ambient, sky)

    def shade(self, lighting: Lighting) -> Tensor:
        """(c, TILE * TILE, 3) uint8 BGR: the colours that are seen."""
        channels, sky, scene = [], lighting.sky, lighting.rays.scene
        for k, colour in enumerate(lighting.colours):
            channel = self._irradiance(lighting, k).mul_(lighting.tint[k]).clamp_min_(0).sqrt_().mul_(colour)
            if sky is not None:
                self._paint_sky(channel, sky, scene[sky.tiles], k, colour[sky.tiles])
            channels.append(channel.view(len(scene), self._samples, -1).mean(1))  # (c, r) -> (c, s, TILE * TILE)
        return torch.stack(channels, 2).add(0.5).clamp(0, 255).to(torch.uint8)

    def intrinsics(self, lighting: Lighting) -> Tensor:
        """(c, TILE * TILE, 4) float32: albedo B, G, R in 0 .. 1, and shading; NaN where only sky is met.

        The albedo is the surface in white light of strength 1. The shading is the square root of the light's
        luminance, so that in grey light their product is the colour that is seen.
        """
        albedo = (lighting.tint.sqrt() * torch.stack(lighting.colours) / 255).clamp(0, 1)
        light = torch.stack([share * self._irradiance(lighting, k) for k, share in enumerate(_LUMINANCE)]).sum(0)
        values = torch.stack([*albedo, light.clamp_min(0).sqrt()], 2)
        values = torch.where(lighting.rays.sky[..., None], torch.nan, values)
        return values.view(len(values), self._samples, -1, 4).nanmean(1)  # (c, r, 4) -> (c, s, TILE * TILE, 4)

    def _irradiance(self, lighting: Lighting, k: int) -> Tensor:
        """(c, r) linear light of channel k that reaches the surfaces."""
        sun, ambient = (light[lighting.rays.scene, k, None] for light in (self._batch.sun, self._batch.ambient))
        return lighting.direct * sun + lighting.ambient * ambient

    def _rays(self, chosen: Tensor, pair: Tensor, nearness: Tensor) -> _Rays:
        film = self._tiles.film[chosen]
        corner = self._tiles.corner[chosen]
        direction = self._directions[film].clone()
        direction[..., 2] += direction[..., 0] * corner[:, :1] + direction[..., 1] * corner[:, 1:]
        scene = self._tiles.films.scene[film]
        return _Rays(scene, self._centre[film], direction, 1 / nearness.clamp_min(1e-6), pair < 0)

    def _affine(self, factors: Tensor) -> Tensor:
        """Values (..., r) of the affine functions of the rays' points with factors (3, ..., r or 1) of x, y, 1."""
        return factors[0] * self._x + factors[1] * self._y + factors[2]

    def _sunlit(self, rays: _Rays, direct: Tensor) -> Tensor:
        """(c, r) 1 in the sun, 0 in a shadow."""
        to_film = self._shadows.to_film[rays.scene]  # (c, 3, 4)
        start = ((to_film[..., :3] @ rays.centre[..., None])[..., 0] + to_film[..., 3]).float()
        step = (to_film[..., :3] @ rays.direction).float()  # (c, 3, 3)
        column, row, nearness = (
            start[:, k, None] + self._affine(step[:, k].T[..., None]) * rays.depth for k in range(3)
        )
        side = self._shadows.nearest.shape[1]
        # Each of a pixel's rays looks up a texel next to its own: their mean is a soft edge.
        column = (column + 1.5 * self._offset[:, 0] + 0.5).clamp(0, side - 1).int()
        row = (row + 1.5 * self._offset[:, 1] + 0.5).clamp(0, side - 1).int()
        index = (rays.scene[:, None].int() * side + row) * side + column
        first = self._shadows.nearest.view(-1).index_select(0, index.view(-1)).view(rays.depth.shape)
        bias = self._shadows.texel[rays.scene, None].float() * (1 + 2 / (direct + 0.1))
        return (first < nearness + bias).float()

    def _redirect_sky_rays(self, rays: _Rays, lookup: _Lookup) -> _Sky | None:
        """Let rays that hit nothing look up the clouds (changes the tensors of `lookup`); None without sky."""
        tiles = rays.sky.any(1).nonzero()[:, 0]
        if not len(tiles):
            return None
        scene, mask = rays.scene[tiles], rays.sky[tiles]
        x, y, z = (self._affine(rays.direction[tiles, k].float().T[..., None]) for k in range(3))
        length = torch.sqrt(x * x + y * y + z * z)
        elevation = -y / length  # its sine
        # Clouds lie on a plane overhead; towards the horizon the plane is held back before it aliases.
        scale = 0.15 / (length * elevation.clamp_min(_LOWEST_CLOUDS))
        clouds = self._batch.cloud[scene, None].int().expand_as(elevation)
        level = -torch.log2(elevation.clamp_min(_LOWEST_CLOUDS)).int()
        for values, new in (
            (lookup.texture, clouds),
            (lookup.u, x * scale),
            (lookup.v, z * scale),
            (lookup.level, level),
        ):
            values[tiles] = torch.where(mask, new, values[tiles])
        cloudiness = self._batch.cloudiness[scene, None] * ((elevation - _LOWEST_CLOUDS) * 5).clamp(0, 1)
        return _Sky(tiles, mask, elevation.clamp(0, 1).sqrt(), cloudiness)

    def _paint_sky(self, channel: Tensor, sky: _Sky, scene: Tensor, k: int, clouds: Tensor) -> None:
        """Put the sky's colour into channel k (c, r), 0 .. 255; scene (t,), clouds (t, r) 0 .. 255."""
        horizon, zenith = (255 * colour[scene, k, None] for colour in (self._batch.horizon, self._batch.zenith))
        clear = horizon + (zenith - horizon) * sky.zenith_share
        cloudy = clear + (255 - clear) * sky.cloudiness * clouds / 255
        channel[sky.tiles] = torch.where(sky.mask, cloudy, channel[sky.tiles])


def _gather_materials(batch: SceneBatch, tiles: Tiles, textures: Textures) -> _Materials:
    """Light the corners and spread their values over the tiles' pairs."""
    if len(tiles.triangle) == 0:  # only sky; its rays look up one column all the same
        none = torch.zeros(12, 1, device=batch.device)
        return _Materials(none, none[:3], none[0], none[0].int())
    direct = (batch.normals * batch.to_sun[batch.scene, None]).sum(2).clamp_min(0)  # (n, corner)
    # The upper side of things sees more sky: y points down.
    ambient = batch.openness * (0.8 - 0.2 * batch.normals[..., 1])
    corners = torch.cat([batch.uv, direct[..., None], ambient[..., None]], 2)  # (n, corner, 4)
    exact = tiles.exact.clone()
    corner = tiles.corner[torch.repeat_interleave(tiles.count)]
    exact[..., 2] += exact[..., 0] * corner[:, :1] + exact[..., 1] * corner[:, 1:]
    affine = (corners.index_select(0, tiles.triangle).transpose(1, 2).double() @ exact).float()  # (p, 4, 3)
    inverse_depth = exact.sum(1).float()
    middle = inverse_depth.new_tensor([(TILE - 1) / 2, (TILE - 1) / 2, 1])
    # d(uv)/dx = (uv_x w - uv w_x) / w^2 with w = 1 / depth; the bracket hardly changes over a tile.
    w, uv = (inverse_depth * middle).sum(1)[:, None, None], (affine[:, :2] * middle).sum(2)[..., None]
    slope = affine[:, :2, :2] * w - uv * inverse_depth[:, None, :2]  # (p, u | v, px axis)
    texture = batch.texture[tiles.triangle]
    detail = slope.square().sum(1).amax(1).sqrt() * textures.sides[texture]
    rows = affine.flatten(1).T.contiguous()  # (p, 4, 3) -> (12, p)
    return _Materials(rows, batch.tint[tiles.triangle].T.contiguous(), detail, texture.int())
