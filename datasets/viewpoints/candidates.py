"""What candidate targets would see of a reference's surroundings: overlap, parallax, and whether they are blocked.

The surroundings are a cloud of points, one ray-cast grid for each reference. Thousands of candidates are measured by
projecting the cloud; the best ones are measured again by casting their own rays, as the cloud has holes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import FREE_DISTANCE, NEAR_DEPTH, Cameras
from datasets.rendering.parallax import homography_residual, masked_quantiles
from datasets.rendering.ray_caster import Tiles
from datasets.rendering.ray_hits import cast_even_grid, reproject
from datasets.rendering.scene_batch import SceneBatch
from datasets.sample import Visibility

_CLOUD_WIDTH = 2.0  # width of the cloud, in widths of the reference's picture
_CELLS = 24  # a target's width in cells
_POINTS = 40  # the reference's width in points of the cloud
_STEP = 2  # px of the small films between points: small tiles have few triangles
_MAX_BLOCKED = 0.002  # share of the rays that may hit something closer than FREE_DISTANCE


@dataclass(frozen=True, eq=False)
class PointCloud:
    """What b references and their surroundings show: q points each, ray-cast on small films with a wide view."""

    points: Tensor  # (b, q, 4) float64 homogeneous world points; (direction, 0) for the sky
    pixels: Tensor  # (b, q, 2) px of the small films
    inside: Tensor  # (b, q) in the reference's picture
    distance: Tensor  # (b,) typical depth, m
    blocked: Tensor  # (b,) something is too close in front of the reference
    tiles: Tiles  # of the small films
    cameras: Cameras  # of the small films
    window: Tensor  # (4,) x0, y0, x1, y1: the reference's picture on its small film, px
    scale: float  # px of the small film in a px of the picture
    size: tuple[int, int]  # (width, height) of the pictures, px


@dataclass(frozen=True, eq=False)
class _Cells:
    """The first point in each of c cells of k targets' pictures for each of b references."""

    in_target: Tensor  # (b, k, c, 2) px of the target
    in_reference: Tensor  # (b, k, c, 2) px of the reference's small film
    valid: Tensor  # (b, k, c) visible in both
    nearness: Tensor  # (b, k, c) 1 / m


@dataclass(frozen=True, eq=False)
class Measures:
    """What candidate targets achieve, each (b, k)."""

    overlap: Tensor  # share of cells that both see
    parallax: Tensor  # px at 512 px width
    blocked: Tensor  # something is too close in front of a camera

    def select(self, index: Tensor) -> "Measures":
        """Those of candidates (b, 1)."""
        return Measures(*(values.gather(1, index) for values in (self.overlap, self.parallax, self.blocked)))


def cast_cloud(batch: SceneBatch, reference: Cameras, scenes: Tensor, size: tuple[int, int]) -> PointCloud:
    """Cast a coarse grid of rays from each reference, beyond its picture's borders too."""
    scale = _POINTS * _STEP / size[0]
    counts = round(_CLOUD_WIDTH * _POINTS), round(_CLOUD_WIDTH * _POINTS * size[1] / size[0])
    origin = batch.corners.new_tensor(size) * (1 - _CLOUD_WIDTH) / 2
    cameras = reference.with_pixel_grid(origin.expand(len(scenes), 2), scale)
    tiles, hits, nearness = cast_even_grid(batch, cameras, scenes, counts, _STEP)
    pixels = hits.pixels.T.reshape(len(scenes), -1, 2)  # (2, b q) -> (b, q, 2)
    low = -origin * scale
    window = torch.cat([low, low + batch.corners.new_tensor(size) * scale])
    inside = ((pixels >= window[:2] - 0.5) & (pixels < window[2:] - 0.5)).all(2)
    nearness = nearness.view(inside.shape)
    distance = masked_quantiles(1 / nearness.clamp_min(1e-6), inside & (nearness > 0), (0.4,))[:, 0].clamp(0.5, 60)
    blocked = (inside & (nearness > 1 / FREE_DISTANCE)).double().sum(1) > _MAX_BLOCKED * inside.sum(1)
    points = hits.points.T.reshape(len(scenes), -1, 4)  # (4, b q) -> (b, q, 4)
    return PointCloud(points, pixels, inside, distance, blocked, tiles, cameras, window, scale, size)


def measure_by_projection(cloud: PointCloud, targets: Cameras) -> Measures:
    """Approximate measures of (b k) targets: the cloud is projected to cells, nearest points first."""
    count, points = cloud.points.shape[:2]
    each = len(targets.rotation) // count
    projection = targets.projection.float().view(count, each, 3, 4)  # (b k, 3, 4) -> (b, k, 3, 4)
    on_film = torch.einsum("bkij,bqj->bkiq", projection, cloud.points.float())
    depth, weight = on_film[:, :, 2], cloud.points[:, None, :, 3].float()
    x, y = (on_film[:, :, axis] / depth.clamp_min(1e-6) for axis in (0, 1))
    width, height = cloud.size
    rows = max(1, round(_CELLS * height / width))
    column, row = ((x + 0.5) * (_CELLS / width)).floor(), ((y + 0.5) * (rows / height)).floor()
    shown = (depth > NEAR_DEPTH * weight) & (column >= 0) & (column < _CELLS) & (row >= 0) & (row < rows)
    cell = torch.where(shown, row * _CELLS + column, _CELLS * rows).long()  # points that are not shown share a cell
    nearness = torch.where(shown, weight / depth.clamp_min(1e-6), -1)
    nearest = nearness.new_full((count, each, _CELLS * rows + 1), -1).scatter_reduce(2, cell, nearness, "amax")
    number = torch.where(nearness == nearest.gather(2, cell), torch.arange(points, device=cell.device), -1)
    first = torch.full_like(nearest, -1, dtype=torch.int64).scatter_reduce(2, cell, number, "amax")[..., :-1]
    known = first.clamp_min(0)
    in_target = torch.stack([x.gather(2, known), y.gather(2, known)], 3)
    in_reference = cloud.pixels[:, None].expand(-1, each, -1, -1).gather(2, known[..., None].expand(-1, -1, -1, 2))
    valid = (first >= 0) & cloud.inside[:, None].expand(-1, each, -1).gather(2, known)
    return _measure(cloud, _Cells(in_target, in_reference, valid, nearest[..., :-1]))


def measure_by_casting(batch: SceneBatch, cloud: PointCloud, targets: Cameras, scenes: Tensor) -> Measures:
    """Measures (b, 1) of one target (b) for each reference, from rays of its own."""
    counts = _POINTS, max(2, round(_POINTS * cloud.size[1] / cloud.size[0]))
    cameras = targets.with_pixel_grid(torch.zeros_like(targets.centre[:, :2]), cloud.scale)
    _, hits, nearness = cast_even_grid(batch, cameras, scenes, counts, _STEP)
    found = reproject(hits, cloud.tiles, cloud.cameras, cloud.window.expand(len(scenes), 4))
    shape = len(scenes), 1, -1
    in_target, in_reference = (pixels.T.reshape(*shape, 2) for pixels in (hits.pixels / cloud.scale, found.pixels))
    valid = (found.visibility == Visibility.VISIBLE).view(shape)
    return _measure(cloud, _Cells(in_target, in_reference, valid, nearness.view(shape)))


def _measure(cloud: PointCloud, cells: _Cells) -> Measures:
    count, each = cells.valid.shape[:2]
    in_target = cells.in_target.double().flatten(0, 1)  # (b k, c, 2)
    in_reference = (cells.in_reference / cloud.scale).double().flatten(0, 1)
    valid = cells.valid.flatten(0, 1)
    residual = homography_residual(in_target, in_reference, valid, cloud.size[0])
    parallax = masked_quantiles(residual, valid, (0.5,)).view(count, each)  # (b k, 1) -> (b, k)
    blocked = (cells.nearness > 1 / FREE_DISTANCE).double().mean(2) > _MAX_BLOCKED
    return Measures(cells.valid.double().mean(2), parallax, blocked | cloud.blocked[:, None])
