"""Renders pairs: each target, and its reference on a canvas that is large enough for both."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datasets.rendering.batch_renderer import Rendering, render
from datasets.rendering.cameras import Cameras
from datasets.rendering.ray_hits import project
from datasets.rendering.scene_batch import SceneBatch
from datasets.rendering.shadow_maps import ShadowMaps
from datasets.rendering.texture_sampling import Textures

_MAX_MARGIN = (0.75, 0.5)  # widths and heights by which the canvas may exceed the reference on each side


@dataclass(frozen=True, eq=False)
class RenderedPairs:
    """b rendered pairs. The canvas is the reference's film enlarged: reference pixel (0, 0) is canvas pixel -origin."""

    batch: SceneBatch
    reference: Cameras  # b
    target: Rendering
    canvas: Rendering
    size: tuple[int, int]  # (width, height) of target and reference, px
    origins: tuple[tuple[int, int], ...]  # of each pair: reference pixel (x, y) at canvas (0, 0)


def render_pairs(
    batch: SceneBatch,
    textures: Textures,
    shadows: ShadowMaps,
    reference: Cameras,
    target: Cameras,
    scenes: Tensor,
    size: tuple[int, int],
    supersampling: int,
) -> RenderedPairs:
    """Render pairs of pictures of `size` (width, height) px, one for each two cameras, in scenes (b,)."""
    target_rendering = render(batch, textures, shadows, target, scenes, (size,) * len(scenes), supersampling)
    hits = target_rendering.hits
    pixels, depth = project(reference.projection, hits.points, hits.slices)
    boxes = [_canvas_box(pixels[:, part][:, depth[part] > 0], size) for part in hits.slices]
    origins = tuple((left, top) for left, top, _, _ in boxes)
    canvas_sizes = tuple((right - left, bottom - top) for left, top, right, bottom in boxes)
    cameras = reference.with_pixel_grid(torch.tensor(origins, dtype=torch.float64, device=batch.device))
    canvas = render(batch, textures, shadows, cameras, scenes, canvas_sizes, supersampling)
    return RenderedPairs(batch, reference, target_rendering, canvas, size, origins)


def _canvas_box(points: Tensor, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 px, half open: the reference picture and, within limits, the points (2, q)."""
    width, height = size
    corners = points.new_tensor([[0, width - 1], [0, height - 1]])
    reach = points.new_tensor([_MAX_MARGIN[0] * width, _MAX_MARGIN[1] * height]).floor()
    points = torch.cat([points, corners], 1)
    left, top = (int(v) for v in torch.maximum(points.amin(1), corners[:, 0] - reach).floor())
    right, bottom = (int(v) + 1 for v in torch.minimum(points.amax(1), corners[:, 1] + reach).ceil())
    return left, top, right, bottom
