"""Colours of rays: textures through mip-maps, sun, shadow map, sky."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.ray_caster import TILE, Films, Tiles, cast_grid, cut
from datasets.rendering.world import World
from datasets.textures.bank import TextureBank

_SHADOW_SIDE = 512  # px of the light's film


@dataclass(frozen=True, eq=False)
class Textures:
    """A texture bank on the device that renders."""

    texels: Tensor  # (t,) int32: the four bytes of a texel
    starts: Tensor  # (n, levels) int32
    sides: Tensor  # (n,) int32
    last: Tensor  # (n,) int32, level of 1 x 1

    @staticmethod
    def load(bank: TextureBank, device: torch.device) -> "Textures":
        """Copy a bank to a device."""
        texels = torch.from_numpy(bank.texels).view(torch.int32)[:, 0]  # (t, 4) uint8 -> (t,) int32
        return Textures(
            texels.to(device),
            torch.from_numpy(bank.starts).to(device, torch.int32),
            torch.from_numpy(bank.sides).to(device),
            torch.from_numpy(bank.sides).log2().int().to(device),
        )


@dataclass(frozen=True, eq=False)
class ShadowMaps:
    """What the sun of each scene sees: an orthographic film with the nearness of the first caster."""

    to_film: Tensor  # (b, 3, 4): world -> film x, film y, nearness (m towards the sun)
    texel: Tensor  # (b,) m a pixel
    nearest: Tensor  # (b, side, side), 0 where nothing casts a shadow


@dataclass(frozen=True, eq=False)
class Materials:
    """What shading needs of p (tile, triangle) pairs, a column for each pair so that gathered rows lie together.

    The first 12 rows are four values (texture s and t in repeats, direct light, ambient light), each over the
    depth and affine in px from the tile's corner: factors of x, y, 1. Then tint B, G, R, and the texels of
    level 0 that a pixel spans at depth 1 in the tile's middle.
    """

    values: Tensor  # (16, p) float32
    texture: Tensor  # (p,) int32


def gather_materials(world: World, tiles: Tiles, textures: Textures) -> Materials:
    """Bake the sun's angle into the corners and spread the corners' values over the tiles' pairs."""
    if len(tiles.triangle) == 0:  # nothing but sky; its rays look up one column all the same
        none = torch.zeros(16, 1, device=world.device)
        return Materials(none, none[0].int())
    direct = (world.normals * world.to_sun[world.scene, None]).sum(2).clamp_min(0)  # (n, corner)
    # The upper side of things sees more sky: y points down.
    ambient = world.openness * (0.8 - 0.2 * world.normals[..., 1])
    corners = torch.cat([world.uv, direct[..., None], ambient[..., None]], 2)  # (n, corner, 4)
    exact = tiles.exact.clone()
    corner = tiles.corner[torch.repeat_interleave(tiles.count)]
    exact[..., 2] += exact[..., 0] * corner[:, :1] + exact[..., 1] * corner[:, 1:]
    affine = (corners.index_select(0, tiles.triangle).transpose(1, 2).double() @ exact).float()  # (p, 4, 3)
    inverse_depth = exact.sum(1).float()
    middle = inverse_depth.new_tensor([(TILE - 1) / 2, (TILE - 1) / 2, 1])
    # d(place)/dx = (place_x w - place w_x) / w^2 with w = 1 / depth; the bracket hardly changes over a tile.
    w, place = (inverse_depth * middle).sum(1)[:, None, None], (affine[:, :2] * middle).sum(2)[..., None]
    slope = affine[:, :2, :2] * w - place * inverse_depth[:, None, :2]  # (p, place, px axis)
    texture = world.texture[tiles.triangle]
    detail = slope.square().sum(1).amax(1).sqrt() * textures.sides[texture]
    values = torch.cat([affine.flatten(1), world.tint[tiles.triangle], detail[:, None]], 1)  # (p, 4, 3) -> (p, 12)
    return Materials(values.T.contiguous(), texture.int())


def sample_texture(textures: Textures, texture: Tensor, s: Tensor, t: Tensor, level: Tensor) -> list[Tensor]:
    """B, G, R, each (q,) 0 .. 255, bilinear on one mip level; textures wrap.

    Weights are whole 256ths and two channels share an integer, which is what makes it quick on a CPU.
    """
    levels = textures.starts.shape[1]
    side = textures.sides.index_select(0, texture)
    level = torch.minimum(level.clamp_(0, levels - 1), textures.last.index_select(0, texture))
    start = textures.starts.view(-1).index_select(0, texture * levels + level)
    side = side >> level
    x, y = s * side - 0.5, t * side - 0.5
    left, top = x.floor(), y.floor()
    across, down = ((x - left) * 256).int(), ((y - top) * 256).int()
    mask = side - 1
    left, top = left.int() & mask, top.int() & mask
    right, bottom = (left + 1) & mask, start + ((top + 1) & mask) * side
    top = start + top * side
    lower = across * down >> 8
    shares = (256 - across - down + lower, across - lower, down - lower, lower)
    blue_red, green = torch.zeros_like(texture), torch.zeros_like(texture)
    for place, share in zip((top + left, top + right, bottom + left, bottom + right), shares, strict=True):
        texel = textures.texels.index_select(0, place)
        blue_red += (texel & 0xFF00FF) * share
        green += (texel >> 8 & 0xFF) * share
    return [(channel & 0xFFFF).float() / 256 for channel in (blue_red, green, blue_red >> 16)]


def map_shadows(world: World, points: Tensor, scene: Tensor) -> ShadowMaps:
    """Look from each scene's sun at the places (q, 3) of scenes (q,) that cameras see."""
    to_sun = world.to_sun.double()
    helper = torch.where(to_sun[:, 1:2].abs() < 0.9, to_sun.new_tensor([0, 1, 0]), to_sun.new_tensor([1, 0, 0]))
    right = torch.nn.functional.normalize(torch.linalg.cross(helper, to_sun), dim=1)
    axes = torch.stack([right, torch.linalg.cross(to_sun, right), to_sun], 1)  # (b, 3, 3)
    seen = (axes[scene] @ points[..., None])[..., 0]
    count = len(to_sun)
    index = scene[:, None].expand(-1, 3)
    low = seen.new_full((count, 3), torch.inf).scatter_reduce(0, index, seen, "amin")
    high = seen.new_full((count, 3), -torch.inf).scatter_reduce(0, index, seen, "amax")
    texel = (high - low)[:, :2].amax(1).clamp_min(0.1) / (_SHADOW_SIDE - 8)
    to_film = torch.zeros(count, 3, 4, dtype=torch.float64, device=points.device)
    to_film[:, :2, :3] = axes[:, :2] / texel[:, None, None]
    to_film[:, :2, 3] = 4 - low[:, :2] / texel[:, None]
    to_film[:, 2, :3] = axes[:, 2]
    to_film[:, 2, 3] = 1000 - low[:, 2]  # m; positive for everything within a kilometre
    projection = to_film.clone()
    projection[:, 2] = to_film.new_tensor([0, 0, 0, 1])
    films = Films(projection, to_film[:, 2], torch.arange(count, device=points.device), ((_SHADOW_SIDE,) * 2,) * count)
    tiles = cut(world, films, casters_only=True)
    order = torch.argsort(tiles.count, descending=True)
    nearest = torch.zeros(len(order), TILE * TILE, device=points.device)
    for chosen in torch.split(order, 4096):
        nearest[chosen] = cast_grid(tiles, chosen, pixel_grid(points.device))[1]
    side = _SHADOW_SIDE // TILE
    nearest = nearest.view(count, side, side, TILE, TILE).permute(0, 1, 3, 2, 4)  # (b, rows, tile rows, columns, ...)
    return ShadowMaps(to_film, texel, nearest.reshape(count, _SHADOW_SIDE, _SHADOW_SIDE).contiguous())


def pixel_grid(device: torch.device) -> Tensor:
    """(TILE * TILE, 2) centres of a tile's pixels, row by row, px from its corner."""
    x = torch.arange(TILE, device=device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(x, x, indexing="xy"), 2).view(-1, 2)  # (TILE, TILE, 2) -> (TILE * TILE, 2)
