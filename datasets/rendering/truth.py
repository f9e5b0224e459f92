"""Ground truth of rendered views: warps, masks, depth, normals, edges, straight segments."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import NEAR, Cameras
from datasets.rendering.hits import Hits, project
from datasets.rendering.ray_caster import Tiles, cast_at
from datasets.rendering.world import World

_JUMP = 0.02  # relative jump of the depth from pixel to pixel, beyond the surface's own slope, that is an edge
_CREASE = 0.9  # cosine between neighbours' normals below which there is an edge
_ALONG = 17  # places on a segment that are looked at
_SHORTEST = 12  # px at 512 px width in the target


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What a film sees at its pixel centres; see datasets.sample.Geometry."""

    depth: Tensor  # (q,) float32
    normals: Tensor  # (q, 3) float32
    surfaces: Tensor  # (q,) int32
    kinds: Tensor  # (q,) uint8


def surfaces(world: World, tiles: Tiles, cameras: Cameras, hits: Hits, number: int) -> Surfaces:
    """Depth, normals and labels of hits of film `number` of the cameras and tiles."""
    sky = hits.pair < 0
    if bool(sky.all()):  # there may be no triangle at all
        nothing = torch.zeros_like(hits.pair)
        depth = torch.full(sky.shape, torch.inf, device=sky.device)
        return Surfaces(depth, torch.zeros(len(sky), 3, device=sky.device), nothing.int(), nothing.to(torch.uint8))
    known = hits.pair.clamp_min(0)
    triangle = tiles.triangle[known]
    x, y = hits.places
    rows = tiles.exact.flatten(1).T.float().contiguous().index_select(1, known)  # (p, 3, 3) -> (9, q)
    weights = [rows[k] * x.float() + rows[k + 1] * y.float() + rows[k + 2] for k in (0, 3, 6)]
    normals = sum(weights[k] * world.normals[:, k].T.contiguous().index_select(1, triangle) for k in range(3))
    rays = (hits.points[:3] - cameras.centre[number, :, None] * hits.points[3]).float()
    normals = torch.where((normals * rays).sum(0) > 0, -normals, normals)  # (3, q)
    normals = torch.nn.functional.normalize(cameras.rotation[number].float() @ normals, dim=0)
    depth = torch.where(sky, torch.inf, 1 / hits.points[3].clamp_min(1e-12))
    return Surfaces(
        depth.float(),
        torch.where(sky, 0, normals).T,
        torch.where(sky, 0, world.surface[triangle]),
        torch.where(sky, 0, world.kind[triangle]),
    )


def edges(depth: Tensor, normals: Tensor, surfaces: Tensor) -> Tensor:
    """(h, w) uint8: 255 at both pixels of a change of surface, a crease or a jump of depth; else 0."""
    found = torch.zeros(surfaces.shape, dtype=torch.bool, device=surfaces.device)
    solid = surfaces > 0
    for axis in (0, 1):
        before, after = _neighbours(surfaces, axis)
        changed = before != after
        before, after = _neighbours(normals, axis)
        changed |= ((before * after).sum(-1) < _CREASE) & _neighbours(solid, axis)[0]
        changed |= _jumps(1 / depth, axis)
        for side in _neighbours(found, axis):
            side |= changed
    return found.to(torch.uint8) * 255


def _neighbours(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Views of all but the last and all but the first along an axis."""
    count = values.shape[axis] - 1
    return values.narrow(axis, 0, count), values.narrow(axis, 1, count)


def _jumps(nearness: Tensor, axis: int) -> Tensor:
    """Where the step to the next pixel differs from both steps beside it; over a plane all steps are equal."""
    before, after = _neighbours(nearness, axis)
    step = after - before
    bend = (step.narrow(axis, 1, step.shape[axis] - 1) - step.narrow(axis, 0, step.shape[axis] - 1)).abs()
    none = torch.full_like(step.narrow(axis, 0, 1), torch.inf)
    bend = torch.minimum(torch.cat([none, bend], axis), torch.cat([bend, none], axis))
    return bend > _JUMP * torch.maximum(before, after)


def segments_in_view(
    segments: Tensor,
    cameras: tuple[Cameras, Cameras],
    tiles: tuple[Tiles, Tiles],
    film: int,
    size: tuple[int, int],
    origin: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Straight segments as both views see them, trimmed to what the target shows.

    Args:
        segments: (m, 2, 3) ends in the world.
        cameras: one target, one reference.
        tiles: of the targets, and of the canvases.
        film: which of their films.
        size: (width, height) px of both pictures.
        origin: reference pixel (x, y) at canvas (0, 0).

    Returns:
        (k, 2, 2, 2) px [segment, target | reference, end, x | y] and (k, 2) visible shares in target, reference.
    """
    offset = segments.new_tensor([(0, 0), origin])
    views = [(cameras[v].projection[0], tiles[v], film, offset[v], segments.new_tensor(size)) for v in (0, 1)]
    shown, _ = _seen(_along(segments), *views[0])
    position = torch.arange(_ALONG, device=segments.device)
    start = torch.where(shown, position, _ALONG).amin(1)
    end = torch.where(shown, position, -1).amax(1)
    kept = (end > start).nonzero()[:, 0]
    points = _along(segments[kept])
    rows = torch.arange(len(kept), device=segments.device)
    points = _along(torch.stack([points[rows, start[kept]], points[rows, end[kept]]], 1))
    seen = [_seen(points, *view) for view in views]
    visible = torch.stack([shown.double().mean(1) for shown, _ in seen], 1)
    places = torch.stack([at[:, [0, -1]] for _, at in seen], 1)  # (k, view, end, 2)
    length = (places[:, 0, 1] - places[:, 0, 0]).norm(dim=1) * 512 / size[0]
    front = torch.isfinite(places).flatten(1).all(1)
    good = (length >= _SHORTEST) & (visible[:, 0] >= 0.5) & front
    return places[good], visible[good]


def _along(segments: Tensor) -> Tensor:
    """(m, along, 3) places from one end to the other."""
    share = torch.linspace(0, 1, _ALONG, dtype=torch.float64, device=segments.device)[:, None]
    return segments[:, None, 0] * (1 - share) + segments[:, None, 1] * share


def _seen(
    points: Tensor, projection: Tensor, tiles: Tiles, film: int, offset: Tensor, size: Tensor
) -> tuple[Tensor, Tensor]:
    """Which of the points (m, along, 3) a picture shows, and their places (m, along, 2), nan behind the camera."""
    flat = torch.cat([points, torch.ones_like(points[..., :1])], 2).view(-1, 4).T  # (m, along, 4) -> (4, m along)
    places, depth = project(projection[None], flat, (slice(None),))
    front = depth > NEAR
    inside = front & (places >= -0.5).all(0) & (places < size[:, None] - 0.5).all(0)
    chosen = inside.nonzero()[:, 0]
    _, nearness = cast_at(tiles, torch.full_like(chosen, film), places[:, chosen] - offset[:, None])
    # An edge lies between its own faces: only what is clearly nearer hides it.
    inside[chosen] = nearness <= (1 / depth[chosen]).float() * (1 + 5e-3)
    places = torch.where(front, places, torch.nan).T
    return inside.view(points.shape[:2]), places.reshape(*points.shape[:2], 2)
