"""Straight edges of a scene as both pictures of a pair show them: ground truth for losses that keep lines straight."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.cameras import NEAR_DEPTH
from datasets.rendering.pair_renderer import RenderedPairs
from datasets.rendering.ray_caster import Tiles, cast_rays
from datasets.rendering.ray_hits import project

_POINTS = 17  # points on a segment whose visibility is tested
_MIN_LENGTH = 12  # px at 512 px width in the target


@dataclass(frozen=True, eq=False)
class _View:
    """One picture of a pair: its camera, and the rendered film that it is a part of."""

    projection: Tensor  # (3, 4) world -> px of the picture
    tiles: Tiles
    film: int
    offset: Tensor  # (2,) picture px (x, y) at the film's (0, 0)
    size: Tensor  # (2,) width, height of the picture, px


def segments_in_view(pairs: RenderedPairs, number: int, segments: Tensor) -> tuple[Tensor, Tensor]:
    """Straight segments as both pictures of pair `number` show them, trimmed to what is visible in the target.

    segments: (m, 2, 3) end points in the world, m.

    Returns:
        (k, 2, 2, 2) px [segment, target | reference, end, x | y] and (k, 2) visible shares in target, reference.
    """
    segments = segments.to(pairs.batch.corners)
    offsets = segments.new_tensor([(0, 0), pairs.origins[number]])
    size = segments.new_tensor(pairs.size)
    target = _View(pairs.target.cameras[[number]].projection[0], pairs.target.tiles, number, offsets[0], size)
    reference = _View(pairs.reference[[number]].projection[0], pairs.canvas.tiles, number, offsets[1], size)
    shown, _ = _project_visible(_points_along(segments), target)
    position = torch.arange(_POINTS, device=segments.device)
    start = torch.where(shown, position, _POINTS).amin(1)
    end = torch.where(shown, position, -1).amax(1)
    kept = (end > start).nonzero()[:, 0]
    points = _points_along(segments[kept])
    rows = torch.arange(len(kept), device=segments.device)
    points = _points_along(torch.stack([points[rows, start[kept]], points[rows, end[kept]]], 1))
    projected = [_project_visible(points, view) for view in (target, reference)]
    visible = torch.stack([shown.double().mean(1) for shown, _ in projected], 1)
    ends = torch.stack([pixels[:, [0, -1]] for _, pixels in projected], 1)  # (k, view, end, 2)
    length = (ends[:, 0, 1] - ends[:, 0, 0]).norm(dim=1) * 512 / pairs.size[0]
    in_front = torch.isfinite(ends).flatten(1).all(1)
    good = (length >= _MIN_LENGTH) & (visible[:, 0] >= 0.5) & in_front
    return ends[good], visible[good]


def _points_along(segments: Tensor) -> Tensor:
    """(m, _POINTS, 3) points from one end to the other."""
    share = torch.linspace(0, 1, _POINTS, dtype=torch.float64, device=segments.device)[:, None]
    return segments[:, None, 0] * (1 - share) + segments[:, None, 1] * share


def _project_visible(points: Tensor, view: _View) -> tuple[Tensor, Tensor]:
    """Which points (m, p, 3) are visible in a picture, and their px (m, p, 2), nan behind the camera."""
    flat = torch.cat([points, torch.ones_like(points[..., :1])], 2).view(-1, 4).T  # (m, p, 4) -> (4, m p)
    pixels, depth = project(view.projection[None], flat, (slice(None),))
    in_front = depth > NEAR_DEPTH
    inside = in_front & (pixels >= -0.5).all(0) & (pixels < view.size[:, None] - 0.5).all(0)
    chosen = inside.nonzero()[:, 0]
    _, nearness = cast_rays(view.tiles, torch.full_like(chosen, view.film), pixels[:, chosen] - view.offset[:, None])
    # An edge lies between the faces that it belongs to: only what is clearly nearer occludes it.
    inside[chosen] = nearness <= (1 / depth[chosen]).float() * (1 + 5e-3)
    pixels = torch.where(in_front, pixels, torch.nan).T
    return inside.view(points.shape[:2]), pixels.reshape(*points.shape[:2], 2)
