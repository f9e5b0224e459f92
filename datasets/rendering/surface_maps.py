"""What a rendered film shows at its pixels' centres: depth, normals, surfaces, kinds, edges and silhouettes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from datasets.rendering.batch_renderer import Rendering
from datasets.rendering.scene_batch import SceneBatch
from datasets.sample import Geometry

_JUMP = 0.02  # relative change of depth between neighbours, beyond the surface's own slope, that makes an edge
_CREASE = 0.9  # cosine between neighbours' normals below which there is an edge
_EVERYTHING = slice(None), slice(None)


@dataclass(frozen=True, eq=False)
class _Surfaces:
    """What q rays hit; see datasets.sample.Geometry."""

    depth: Tensor  # (q,) float32
    normals: Tensor  # (q, 3) float32
    surfaces: Tensor  # (q,) int32
    kinds: Tensor  # (q,) uint8


def geometry_of(
    batch: SceneBatch, rendering: Rendering, number: int, part: tuple[slice, slice] = _EVERYTHING
) -> Geometry:
    """What a part (rows, columns) of film `number` shows."""
    width, height = rendering.sizes[number]
    found = _surfaces(batch, rendering, number)
    depth, labels, kinds = (v.view(height, width)[part] for v in (found.depth, found.surfaces, found.kinds))
    normals = found.normals.reshape(height, width, 3)[part]
    maps = (depth, normals, labels, kinds, edges(depth, normals, labels))
    return Geometry(*(np.ascontiguousarray(values.cpu().numpy()) for values in maps))


def _surfaces(batch: SceneBatch, rendering: Rendering, number: int) -> _Surfaces:
    """Depth, normals and labels of what the rays of film `number` hit."""
    hits, cameras, tiles = rendering.hits.film(number), rendering.cameras, rendering.tiles
    sky = hits.pair < 0
    if bool(sky.all()):  # there may be no triangle at all
        nothing = torch.zeros_like(hits.pair)
        depth = torch.full(sky.shape, torch.inf, device=sky.device)
        return _Surfaces(depth, torch.zeros(len(sky), 3, device=sky.device), nothing.int(), nothing.to(torch.uint8))
    known = hits.pair.clamp_min(0)
    triangle = tiles.triangle[known]
    x, y = hits.pixels
    rows = tiles.exact.flatten(1).T.float().contiguous().index_select(1, known)  # (p, 3, 3) -> (9, q)
    weights = [rows[k] * x.float() + rows[k + 1] * y.float() + rows[k + 2] for k in (0, 3, 6)]
    normals = sum(weights[k] * batch.normals[:, k].T.contiguous().index_select(1, triangle) for k in range(3))
    rays = (hits.points[:3] - cameras.centre[number, :, None] * hits.points[3]).float()
    normals = torch.where((normals * rays).sum(0) > 0, -normals, normals)  # (3, q)
    normals = torch.nn.functional.normalize(cameras.rotation[number].float() @ normals, dim=0)
    depth = torch.where(sky, torch.inf, 1 / hits.points[3].clamp_min(1e-12))
    return _Surfaces(
        depth.float(),
        torch.where(sky, 0, normals).T,
        torch.where(sky, 0, batch.surface[triangle]),
        torch.where(sky, 0, batch.kind[triangle]),
    )


def edges(depth: Tensor, normals: Tensor, surfaces: Tensor) -> Tensor:
    """(h, w) uint8: 255 at both pixels where the surface changes, the normal bends or the depth jumps; else 0."""
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


def silhouettes(depth: Tensor, surfaces: Tensor) -> Tensor:
    """(h, w) bool: the outlines of things, at the pixel of the nearer one where surface and, by a jump, depth change.

    A part of `edges`: without creases, without the lines where things touch, and one-sided.
    """
    found = torch.zeros(surfaces.shape, dtype=torch.bool, device=surfaces.device)
    for axis in (0, 1):
        before, after = _neighbours(surfaces, axis)
        changed = (before != after) & _jumps(1 / depth, axis)
        nearer, further = _neighbours(depth, axis)
        for side, is_nearer in zip(_neighbours(found, axis), (nearer < further, further < nearer), strict=True):
            side |= changed & is_nearer
    return found


def _neighbours(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Views of all but the last and all but the first along an axis."""
    count = values.shape[axis] - 1
    return values.narrow(axis, 0, count), values.narrow(axis, 1, count)


def _jumps(nearness: Tensor, axis: int) -> Tensor:
    """Where the step to the next pixel differs from both adjacent steps: on a plane, 1 / depth has equal steps."""
    before, after = _neighbours(nearness, axis)
    step = after - before
    bend = (step.narrow(axis, 1, step.shape[axis] - 1) - step.narrow(axis, 0, step.shape[axis] - 1)).abs()
    none = torch.full_like(step.narrow(axis, 0, 1), torch.inf)
    bend = torch.minimum(torch.cat([none, bend], axis), torch.cat([bend, none], axis))
    return bend > _JUMP * torch.maximum(before, after)
