"""From rendered pairs to samples: both pictures, the canvas, and their exact ground truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.camera_request import CameraRequest
from datasets.rendering.cameras import fundamental_matrix, relative_pose
from datasets.rendering.line_segments import segments_in_view
from datasets.rendering.pair_renderer import RenderedPairs
from datasets.rendering.parallax import homography_residual, masked_quantiles
from datasets.rendering.ray_hits import Reprojection, reproject
from datasets.rendering.surface_maps import geometry_of
from datasets.sample import Sample, View, Visibility
from datasets.scene_sampler import SampledScene

_MAX_DISTANCE = 4.0  # picture diagonals: coordinates of warps are clipped to that
_MATCHES = 4096  # matches, about, to which a homography is fitted


@dataclass(frozen=True, eq=False)
class Correspondences:
    """Where the pixels of b pairs lie for the other camera: px of its picture, not of the canvas."""

    to_reference: Reprojection  # of the targets' pixels
    to_target: Reprojection  # of the canvases' pixels


def find_correspondences(pairs: RenderedPairs) -> Correspondences:
    """Reproject every target pixel to the reference and every canvas pixel to the target."""
    target, canvas = pairs.target, pairs.canvas
    size = pairs.batch.corners.new_tensor(pairs.size)
    limit = _MAX_DISTANCE * float(size.norm())
    windows = torch.cat([torch.zeros_like(size), size]).expand(len(pairs.origins), 4)
    on_target = reproject(canvas.hits, target.tiles, target.cameras, windows)
    to_target = Reprojection(on_target.pixels.clamp(-limit, limit), on_target.visibility)
    return Correspondences(find_in_reference(pairs), to_target)


def find_in_reference(pairs: RenderedPairs) -> Reprojection:
    """Reproject every target pixel to the reference."""
    target, canvas = pairs.target, pairs.canvas
    size = pairs.batch.corners.new_tensor(pairs.size)
    origin = pairs.batch.corners.new_tensor(pairs.origins)
    limit = _MAX_DISTANCE * float(size.norm())
    windows = torch.cat([-origin, size - origin], 1)  # the reference picture on its canvas
    on_canvas = reproject(target.hits, canvas.tiles, canvas.cameras, windows)
    pixels = [on_canvas.pixels[:, part] + origin[k, :, None] for k, part in enumerate(target.hits.slices)]
    return Reprojection(torch.cat(pixels, 1).clamp(-limit, limit), on_canvas.visibility)


def assemble_sample(
    pairs: RenderedPairs, correspondences: Correspondences, number: int, sampled: SampledScene, with_geometry: bool
) -> Sample:
    """Pair `number` of the batch, which was rendered from `sampled`, as arrays; pictures still as rendered."""
    width, height = pairs.size
    canvas_width, canvas_height = pairs.canvas.sizes[number]
    left, top = pairs.origins[number]
    inner = slice(-top, height - top), slice(-left, width - left)  # the reference picture on the canvas
    to_target, to_reference = correspondences.to_target, correspondences.to_reference
    on_target, on_reference = pairs.canvas.hits.slices[number], pairs.target.hits.slices[number]
    warp = to_target.pixels[:, on_target].view(2, canvas_height, canvas_width)
    visibility = to_target.visibility[on_target].view(canvas_height, canvas_width)
    mask = (visibility == Visibility.VISIBLE).to(torch.uint8) * 2
    mask[inner] += 1
    stitched = _array(pairs.canvas.pictures[number])
    reference_picture = np.ascontiguousarray(stitched[inner])
    target_picture = _array(pairs.target.pictures[number])
    segments, visible = segments_in_view(pairs, number, torch.from_numpy(sampled.scene.segments))
    return Sample(
        index=sampled.index,
        reference=View(
            picture=reference_picture,
            clean=reference_picture,
            warp=_array(warp[:, *inner].permute(1, 2, 0).float()),
            mask=_array(visibility[inner]),
            geometry=geometry_of(pairs.batch, pairs.canvas, number, inner) if with_geometry else None,
        ),
        target=View(
            picture=target_picture,
            clean=target_picture,
            warp=_array(to_reference.pixels[:, on_reference].view(2, height, width).permute(1, 2, 0).float()),
            mask=_array(to_reference.visibility[on_reference].view(height, width)),
            geometry=geometry_of(pairs.batch, pairs.target, number) if with_geometry else None,
        ),
        stitched=stitched,
        clean_stitched=stitched,
        stitched_mask=_array(mask),
        origin=(left, top),
        segments=_array(segments.float()),
        segments_visible=_array(visible.float()),
        facts={"scene": sampled.scene.name} | _facts(pairs, to_reference, number, sampled.request),
    )


def _facts(pairs: RenderedPairs, to_reference: Reprojection, number: int, request: CameraRequest) -> dict[str, Any]:
    """What meta.jsonl says of a pair: its cameras, what was requested of them and what was achieved."""
    target, reference = pairs.target.cameras[[number]], pairs.reference[[number]]
    rotation, translation = relative_pose(target, reference)
    hits = pairs.target.hits.film(number)
    part = pairs.target.hits.slices[number]
    warp, visibility = to_reference.pixels[:, part], to_reference.visibility[part]
    length = torch.hypot(*(warp - hits.pixels))[visibility != Visibility.BEHIND]
    turn = torch.rad2deg(torch.acos(((rotation[0].trace() - 1) / 2).clamp(-1, 1)))
    return {
        "cameras": {
            "reference": reference.intrinsics[0].tolist(),
            "target": target.intrinsics[0].tolist(),
            "rotation": rotation[0].tolist(),  # target camera -> reference camera
            "translation": translation[0].tolist(),  # m: the target's position in the reference's frame
        },
        "fundamental": fundamental_matrix(target, reference)[0].tolist(),
        "requested": {name: round(float(getattr(request, name)), 4) for name in ("overlap", "parallax", "fov", "roll")},
        "achieved": {
            "overlap": _share(visibility == Visibility.VISIBLE),
            "occluded": _share(visibility == Visibility.OCCLUDED),
            "behind": _share(visibility == Visibility.BEHIND),
            **_parallax(hits.pixels, warp, visibility == Visibility.VISIBLE, pairs.size),
            "warp_median": round(float(length.median()), 3) if len(length) else 0.0,
            "baseline": round(float(translation.norm()), 4),
            "turn": round(float(turn), 3),
        },
        "depth": _depth_quantiles(1 / hits.points[3, hits.points[3] > 0]),
    }


def _parallax(pixels: Tensor, warp: Tensor, visible: Tensor, size: tuple[int, int]) -> dict[str, float]:
    """Median and 90th percentile of the best homography's residual, px at 512 px width."""
    step = max(1, round((size[0] * size[1] / _MATCHES) ** 0.5))
    chosen = ((pixels % step) == 0).all(0)
    visible = visible[chosen][None]
    residual = homography_residual(pixels[:, chosen].T[None], warp[:, chosen].T[None], visible, size[0])
    median, high = masked_quantiles(residual, visible, (0.5, 0.9))[0].tolist()
    return {"parallax": round(median, 4), "parallax_p90": round(high, 4)}


def _depth_quantiles(depth: Tensor) -> dict[str, float]:
    """10th, 50th and 90th percentile, m; {} where only the sky is visible."""
    if len(depth) == 0:
        return {}
    found = torch.quantile(depth[:: max(1, len(depth) // 10_000)], depth.new_tensor([0.1, 0.5, 0.9]))
    return dict(zip(("p10", "median", "p90"), (round(v, 4) for v in found.tolist()), strict=True))


def _share(mask: Tensor) -> float:
    return round(float(mask.double().mean()), 6)


def _array(values: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(values.cpu().numpy())
