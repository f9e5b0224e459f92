"""What rays met, exactly: world points, and whether another camera sees them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import NEAR, Cameras
from datasets.rendering.ray_caster import Tiles, cast_at, cut
from datasets.rendering.world import World
from datasets.sample import Visibility

_NEARER = 1e-4  # relative: a hit that much nearer hides what lies behind it


@dataclass(frozen=True, eq=False)
class Hits:
    """What the q rays through all pixels of f films met: film by film, row by row."""

    places: Tensor  # (2, q) float64 px
    pair: Tensor  # (q,) int64 into the tiles' pairs, -1 for the sky
    points: Tensor  # (4, q) float64 homogeneous world points; (direction, 0) for the sky
    parts: tuple[slice, ...]  # the films' rays

    def film(self, number: int) -> "Hits":
        """The rays of one film."""
        part = self.parts[number]
        every = slice(0, part.stop - part.start)
        return Hits(self.places[:, part], self.pair[part], self.points[:, part], (every,))


@dataclass(frozen=True, eq=False)
class Crossing:
    """Where points lie for another camera."""

    places: Tensor  # (2, q) float64 px
    seen: Tensor  # (q,) uint8 Visibility


def pixels(sizes: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, tuple[slice, ...]]:
    """Places (2, q) float64 px of all pixels of films of (width, height) px, film by film, and their parts."""
    places, parts, start = [], [], 0
    for width, height in sizes:
        x = torch.arange(width, dtype=torch.float64, device=device)
        y = torch.arange(height, dtype=torch.float64, device=device)
        places.append(torch.stack(torch.meshgrid(x, y, indexing="xy")).flatten(1))  # (2, h, w) -> (2, h w)
        parts.append(slice(start, start + width * height))
        start += width * height
    return torch.cat(places, 1), tuple(parts)


def find_points(
    world: World, tiles: Tiles, cameras: Cameras, places: Tensor, parts: tuple[slice, ...], pair: Tensor
) -> Hits:
    """World points that rays through `places` met, computed in double precision."""
    points = places.new_zeros(4, places.shape[1])
    if len(tiles.triangle):
        # Corner places weighted by the edge functions, and the functions' sum, are affine in x and y.
        weighted = world.corners.index_select(0, tiles.triangle).transpose(1, 2) @ tiles.exact
        plane = torch.cat([weighted, tiles.exact.sum(1, keepdim=True)], 1)
        rows = plane.flatten(1).T.contiguous().index_select(1, pair.clamp_min(0))  # (p, 4, 3) -> (12, q)
        x, y = places
        points = torch.stack([rows[k] * x + rows[k + 1] * y + rows[k + 2] for k in range(0, 12, 3)])
    for rays, part in zip(cameras.rays(), parts, strict=True):
        sky = part.start + (pair[part] < 0).nonzero()[:, 0]
        points[:3, sky] = rays[:, :2] @ places[:, sky] + rays[:, 2:]
        points[3, sky] = 0
    return Hits(places, pair, points, parts)


def cast_evenly(
    world: World, cameras: Cameras, scenes: Tensor, counts: tuple[int, int], step: int = 1
) -> tuple[Tiles, Hits, Tensor]:
    """What even grids of (columns, rows) rays of cameras (f,) in scenes (f,) meet, and its nearness (q,) float64.

    The rays go through every `step`-th px of films of counts * step px.
    """
    tiles = cut(world, cameras.films(scenes, ((counts[0] * step, counts[1] * step),) * len(scenes)))
    places, parts = pixels((counts,) * len(scenes), world.device)
    places = places * step + (step - 1) / 2
    film = torch.arange(len(scenes), device=world.device).repeat_interleave(counts[0] * counts[1])
    pair, nearness = cast_at(tiles, film, places)
    return tiles, find_points(world, tiles, cameras, places, parts, pair), nearness.double()


def near_points(points: Tensor) -> Tensor:
    """(k, 3) of homogeneous world points (q, 4), without sky and the farthest tenth: what shadows should fall on."""
    solid = points[:, 3] > 0
    points = points[solid] if bool(solid.any()) else points.new_tensor([[0.0, 0.0, 0.0, 1.0]])
    near = points[:, 3] >= torch.quantile(points[:, 3], 0.1)
    return points[near, :3] / points[near, 3:]


def project(projections: Tensor, points: Tensor, parts: tuple[slice, ...]) -> tuple[Tensor, Tensor]:
    """Places (2, q) px and depths (q,) of homogeneous world points (4, q); (f, 3, 4) projections, one a part.

    A point (direction, 0) lies infinitely far; its depth is that of the direction. Places of points behind
    the camera mean nothing; they are finite all the same.
    """
    on_film = torch.cat([matrix @ points[:, part] for matrix, part in zip(projections, parts, strict=True)], 1)
    return on_film[:2] / on_film[2].clamp_min(1e-9), on_film[2]


def cross(hits: Hits, other: Tiles, cameras: Cameras, windows: Tensor) -> Crossing:
    """Where hits lie on the other films and whether they are seen there.

    Args:
        hits: points on f films.
        other: tiles of the f films looked at; cameras are theirs.
        windows: (f, 4) x0, y0, x1, y1: the part of each other film that counts as its picture, px, half open.
    """
    places, depth = project(cameras.projection, hits.points, hits.parts)
    weight = hits.points[3]
    # A point's depth is metres times its weight, a direction's is a slope.
    front = depth > NEAR * torch.where(weight > 0, weight, 1)
    inside = front.clone()
    film = torch.empty_like(hits.pair)
    for number, part in enumerate(hits.parts):
        x0, y0, x1, y1 = (windows[number] - 0.5).tolist()
        x, y = places[:, part]
        inside[part] &= (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        film[part] = number
    chosen = inside.nonzero()[:, 0]
    _, nearness = cast_at(other, film[chosen], places[:, chosen])
    expected = (weight[chosen] / depth[chosen]).float()
    hidden = nearness > expected * (1 + _NEARER) + 1e-9
    seen = torch.where(front, int(Visibility.OUTSIDE), int(Visibility.BEHIND)).to(torch.uint8)
    seen[chosen] = torch.where(hidden, int(Visibility.OCCLUDED), int(Visibility.VISIBLE)).to(torch.uint8)
    return Crossing(places, seen)
