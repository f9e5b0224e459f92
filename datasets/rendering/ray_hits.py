"""The world points that rays hit, in double precision, and whether other cameras see them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import NEAR_DEPTH, Cameras
from datasets.rendering.ray_caster import Tiles, cast_rays, cut_into_tiles
from datasets.rendering.scene_batch import SceneBatch
from datasets.sample import Visibility

_NEARER = 1e-4  # relative difference of depth from which a surface occludes what lies behind it


@dataclass(frozen=True, eq=False)
class RayHits:
    """What the q rays through all pixels of f films hit: film by film, row by row."""

    pixels: Tensor  # (2, q) float64 px
    pair: Tensor  # (q,) int64 (tile, triangle) pair of the films' tiles, -1 for the sky
    points: Tensor  # (4, q) float64 homogeneous world points; (direction, 0) for the sky
    slices: tuple[slice, ...]  # the rays of each film

    def film(self, number: int) -> "RayHits":
        """The hits of one film."""
        part = self.slices[number]
        return RayHits(self.pixels[:, part], self.pair[part], self.points[:, part], (slice(0, part.stop - part.start),))


@dataclass(frozen=True, eq=False)
class Reprojection:
    """Where points lie in another camera's picture."""

    pixels: Tensor  # (2, q) float64 px
    visibility: Tensor  # (q,) uint8 Visibility


def pixel_centres(sizes: tuple[tuple[int, int], ...], device: torch.device) -> tuple[Tensor, tuple[slice, ...]]:
    """Centres (2, q) float64 px of all pixels of films of (width, height) px, film by film, and each film's slice."""
    centres, slices, start = [], [], 0
    for width, height in sizes:
        x = torch.arange(width, dtype=torch.float64, device=device)
        y = torch.arange(height, dtype=torch.float64, device=device)
        centres.append(torch.stack(torch.meshgrid(x, y, indexing="xy")).flatten(1))  # (2, h, w) -> (2, h w)
        slices.append(slice(start, start + width * height))
        start += width * height
    return torch.cat(centres, 1), tuple(slices)


def find_points(
    batch: SceneBatch, tiles: Tiles, cameras: Cameras, pixels: Tensor, slices: tuple[slice, ...], pair: Tensor
) -> RayHits:
    """World points that the rays through `pixels` (2, q) hit, given the pairs (q,) that they hit first."""
    points = pixels.new_zeros(4, pixels.shape[1])
    if len(tiles.triangle):
        # Corners weighted by the edge functions, and the functions' sum, are affine in x and y.
        weighted = batch.corners.index_select(0, tiles.triangle).transpose(1, 2) @ tiles.exact
        plane = torch.cat([weighted, tiles.exact.sum(1, keepdim=True)], 1)
        rows = plane.flatten(1).T.contiguous().index_select(1, pair.clamp_min(0))  # (p, 4, 3) -> (12, q)
        x, y = pixels
        points = torch.stack([rows[k] * x + rows[k + 1] * y + rows[k + 2] for k in range(0, 12, 3)])
    for rays, part in zip(cameras.rays(), slices, strict=True):
        sky = part.start + (pair[part] < 0).nonzero()[:, 0]
        points[:3, sky] = rays[:, :2] @ pixels[:, sky] + rays[:, 2:]
        points[3, sky] = 0
    return RayHits(pixels, pair, points, slices)


def cast_even_grid(
    batch: SceneBatch, cameras: Cameras, scenes: Tensor, counts: tuple[int, int], step: int = 1
) -> tuple[Tiles, RayHits, Tensor]:
    """Tiles, hits and nearness (q,) float64 of even grids of (columns, rows) rays of cameras (f,) in scenes (f,).

    The rays go through every `step`-th px of films of counts * step px.
    """
    tiles = cut_into_tiles(batch, cameras.films(scenes, ((counts[0] * step, counts[1] * step),) * len(scenes)))
    pixels, slices = pixel_centres((counts,) * len(scenes), batch.device)
    pixels = pixels * step + (step - 1) / 2
    film = torch.arange(len(scenes), device=batch.device).repeat_interleave(counts[0] * counts[1])
    pair, nearness = cast_rays(tiles, film, pixels)
    return tiles, find_points(batch, tiles, cameras, pixels, slices, pair), nearness.double()


def near_points(points: Tensor) -> Tensor:
    """(k, 3) of homogeneous world points (q, 4), without the sky and the farthest tenth: what shadow maps cover."""
    solid = points[:, 3] > 0
    points = points[solid] if bool(solid.any()) else points.new_tensor([[0.0, 0.0, 0.0, 1.0]])
    near = points[:, 3] >= torch.quantile(points[:, 3], 0.1)
    return points[near, :3] / points[near, 3:]


def project(projections: Tensor, points: Tensor, slices: tuple[slice, ...]) -> tuple[Tensor, Tensor]:
    """Pixels (2, q) and depths (q,) of homogeneous world points (4, q); projections (f, 3, 4), one for each slice.

    A point (direction, 0) lies infinitely far; its depth is that of the direction. Pixels of points behind
    the camera are meaningless but finite.
    """
    on_film = torch.cat([matrix @ points[:, part] for matrix, part in zip(projections, slices, strict=True)], 1)
    return on_film[:2] / on_film[2].clamp_min(1e-9), on_film[2]


def reproject(hits: RayHits, tiles: Tiles, cameras: Cameras, windows: Tensor) -> Reprojection:
    """Where hits on f films lie on the films of f other cameras, and whether they are visible there.

    Args:
        hits: points on f films.
        tiles: of the other cameras' films.
        cameras: the f other cameras.
        windows: (f, 4) x0, y0, x1, y1: the part of each other film that counts as its picture, px, half open.
    """
    pixels, depth = project(cameras.projection, hits.points, hits.slices)
    weight = hits.points[3]
    # A point's depth is metres times its weight, a direction's is a slope.
    in_front = depth > NEAR_DEPTH * torch.where(weight > 0, weight, 1)
    inside = in_front.clone()
    film = torch.empty_like(hits.pair)
    for number, part in enumerate(hits.slices):
        x0, y0, x1, y1 = (windows[number] - 0.5).tolist()
        x, y = pixels[:, part]
        inside[part] &= (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        film[part] = number
    chosen = inside.nonzero()[:, 0]
    _, nearness = cast_rays(tiles, film[chosen], pixels[:, chosen])
    expected = (weight[chosen] / depth[chosen]).float()
    occluded = nearness > expected * (1 + _NEARER) + 1e-9
    visibility = torch.where(in_front, int(Visibility.OUTSIDE), int(Visibility.BEHIND)).to(torch.uint8)
    visibility[chosen] = torch.where(occluded, int(Visibility.OCCLUDED), int(Visibility.VISIBLE)).to(torch.uint8)
    return Reprojection(pixels, visibility)
