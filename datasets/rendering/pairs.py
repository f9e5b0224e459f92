"""From viewpoints to samples: both pictures, the canvas, and everything that is true about them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.options import SampleOptions
from datasets.rendering.cameras import Cameras, fundamental_matrix
from datasets.rendering.hits import Crossing, Hits, cross, find_points, pixels, project
from datasets.rendering.parallax import homography_residual, masked_quantiles
from datasets.rendering.render import Shot, render
from datasets.rendering.shading import ShadowMaps, Textures
from datasets.rendering.truth import edges, segments_in_view, surfaces
from datasets.rendering.viewpoints import Request, Viewpoints
from datasets.rendering.world import World
from datasets.sample import Geometry, Sample, View, Visibility
from datasets.scenes.scene import Scene

_BEYOND = (0.75, 0.5)  # widths and heights that the canvas may reach beyond the reference
_CAP = 4.0  # picture diagonals: places farther out are cut off there
_FITTED = 4096  # matches, about, to which a homography is fitted

Sizes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Film:
    """A rendered film of each of b scenes and the points that its pixels' central rays met."""

    cameras: Cameras
    sizes: Sizes  # (width, height) px
    shot: Shot
    hits: Hits  # of all films, one after the other, row by row


@dataclass(frozen=True, eq=False)
class Pictures:
    """The targets, and the references' enlarged films: reference pixel (0, 0) is canvas pixel -origin."""

    target: Film
    canvas: Film
    size: tuple[int, int]  # (width, height) of target and reference
    origins: tuple[tuple[int, int], ...]  # reference pixel (x, y) at canvas (0, 0)


@dataclass(frozen=True, eq=False)
class Crossings:
    """Where the films' pixels lie for the other camera. All places are px of pictures, not of the canvas."""

    to_reference: Crossing  # of the targets' pixels
    to_target: Crossing  # of the canvases' pixels


def take_pictures(
    world: World, textures: Textures, shadows: ShadowMaps, views: Viewpoints, options: SampleOptions
) -> Pictures:
    """Render the targets, then the references on a canvas that holds both."""
    count = len(views.target.rotation)
    sizes = (options.size,) * count
    target = take_film(world, textures, shadows, views.target, sizes, options.supersampling)
    places, depth = project(views.reference.projection, target.hits.points, target.hits.parts)
    boxes = [_canvas_box(places[:, part][:, depth[part] > 0], options.size) for part in target.hits.parts]
    origins = tuple((left, top) for left, top, _, _ in boxes)
    canvas_sizes = tuple((right - left, bottom - top) for left, top, right, bottom in boxes)
    moved = views.reference.moved(torch.tensor(origins, dtype=torch.float64, device=world.device))
    canvas = take_film(world, textures, shadows, moved, canvas_sizes, options.supersampling)
    return Pictures(target, canvas, options.size, origins)


def take_film(
    world: World, textures: Textures, shadows: ShadowMaps, cameras: Cameras, sizes: Sizes, supersampling: int
) -> Film:
    """One film of (width, height) px in each scene, camera for camera, and what its rays met."""
    scene = torch.arange(len(sizes), device=world.device)
    shot = render(world, textures, shadows, cameras, scene, sizes, supersampling)
    places, parts = pixels(sizes, world.device)
    pair = torch.cat([hits.flatten() for hits in shot.hits])
    return Film(cameras, sizes, shot, find_points(world, shot.tiles, cameras, places, parts, pair))


def _canvas_box(places: Tensor, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) px, half open: the reference picture and, within limits, the target's places."""
    width, height = size
    corners = places.new_tensor([[0, width - 1], [0, height - 1]])
    reach = places.new_tensor([_BEYOND[0] * width, _BEYOND[1] * height]).floor()
    places = torch.cat([places, corners], 1)
    left, top = (int(v) for v in torch.maximum(places.amin(1), corners[:, 0] - reach).floor())
    right, bottom = (int(v) + 1 for v in torch.minimum(places.amax(1), corners[:, 1] + reach).ceil())
    return left, top, right, bottom


def measure(world: World, pictures: Pictures) -> Crossings:
    """Find every pixel of one film on the other, and whether it is seen there."""
    target, canvas = pictures.target, pictures.canvas
    size = world.corners.new_tensor(pictures.size)
    origin = world.corners.new_tensor(pictures.origins)
    cap = _CAP * float(size.norm())
    windows = torch.cat([-origin, size - origin], 1)  # the reference picture on its canvas
    found = cross(target.hits, canvas.shot.tiles, canvas.cameras, windows)
    places = [found.places[:, part] + origin[k, :, None] for k, part in enumerate(target.hits.parts)]
    to_reference = Crossing(torch.cat(places, 1).clamp(-cap, cap), found.seen)
    windows = torch.cat([torch.zeros_like(size), size]).expand(len(origin), 4)
    found = cross(canvas.hits, target.shot.tiles, target.cameras, windows)
    return Crossings(to_reference, Crossing(found.places.clamp(-cap, cap), found.seen))


def assemble(
    world: World,
    pictures: Pictures,
    crossings: Crossings,
    views: Viewpoints,
    scene: Scene,
    request: Request,
    options: SampleOptions,
    number: int,
    index: int,
) -> Sample:
    """Sample `index`: scene `number` of the batch, as arrays; pictures still as rendered."""
    width, height = pictures.size
    wide, tall = pictures.canvas.sizes[number]
    left, top = pictures.origins[number]
    inner = slice(-top, height - top), slice(-left, width - left)
    to_target = _cut_out(crossings.to_target, pictures.canvas, number)
    to_reference = _cut_out(crossings.to_reference, pictures.target, number)
    stitched = _array(pictures.canvas.shot.pictures[number])
    mask = (to_target.seen == Visibility.VISIBLE).to(torch.uint8).view(tall, wide) * 2
    mask[inner] += 1
    target_picture = _array(pictures.target.shot.pictures[number])
    reference_picture = np.ascontiguousarray(stitched[inner])
    segments, visible = segments_in_view(
        torch.from_numpy(scene.segments).to(world.corners),
        (views.target[[number]], views.reference[[number]]),
        (pictures.target.shot.tiles, pictures.canvas.shot.tiles),
        number,
        pictures.size,
        pictures.origins[number],
    )
    return Sample(
        index=index,
        reference=View(
            reference_picture,
            reference_picture,
            _array(to_target.places.view(2, tall, wide)[:, *inner].permute(1, 2, 0).float()),
            _array(to_target.seen.view(tall, wide)[inner]),
            geometry_of(world, pictures.canvas, number, inner) if options.geometry else None,
        ),
        target=View(
            target_picture,
            target_picture,
            _array(to_reference.places.view(2, height, width).permute(1, 2, 0).float()),
            _array(to_reference.seen.view(height, width)),
            geometry_of(world, pictures.target, number, (slice(None), slice(None))) if options.geometry else None,
        ),
        stitched=stitched,
        clean_stitched=stitched,
        stitched_mask=_array(mask),
        origin=(left, top),
        segments=_array(segments.float()),
        segments_visible=_array(visible.float()),
        facts=_facts(pictures, views, to_reference, scene, request, number),
    )


def _cut_out(crossing: Crossing, film: Film, number: int) -> Crossing:
    """The pixels of one film."""
    part = film.hits.parts[number]
    return Crossing(crossing.places[:, part], crossing.seen[part])


def geometry_of(world: World, film: Film, number: int, part: tuple[slice, slice]) -> Geometry:
    """What a part (rows, columns) of film `number` shows."""
    width, height = film.sizes[number]
    found = surfaces(world, film.shot.tiles, film.cameras, film.hits.film(number), number)
    depth, labels, kinds = (v.view(height, width)[part] for v in (found.depth, found.surfaces, found.kinds))
    normals = found.normals.reshape(height, width, 3)[part]
    outlines = edges(depth, normals, labels)
    return Geometry(_array(depth), _array(normals), _array(labels), _array(kinds), _array(outlines))


def _facts(
    pictures: Pictures, views: Viewpoints, to_reference: Crossing, scene: Scene, request: Request, number: int
) -> dict[str, Any]:
    """What meta.jsonl says of a sample: its scene, cameras, wishes and how they were met."""
    target, reference = views.target[[number]], views.reference[[number]]
    rotation = reference.rotation @ target.rotation.transpose(1, 2)
    translation = reference.translation - (rotation @ target.translation[..., None])[..., 0]
    hits = pictures.target.hits.film(number)
    depth = 1 / hits.points[3, hits.points[3] > 0]
    seen = to_reference.seen
    length = torch.hypot(*(to_reference.places - hits.places))[seen != Visibility.BEHIND]
    turn = torch.rad2deg(torch.acos(((rotation[0].trace() - 1) / 2).clamp(-1, 1)))
    return {
        "scene": scene.name,
        "cameras": {
            "reference": reference.intrinsics[0].tolist(),
            "target": target.intrinsics[0].tolist(),
            "rotation": rotation[0].tolist(),  # target camera -> reference camera
            "translation": translation[0].tolist(),  # m: the target's place in the reference's frame
        },
        "fundamental": fundamental_matrix(target, reference)[0].tolist(),
        "requested": {name: round(float(getattr(request, name)), 4) for name in ("overlap", "parallax", "fov", "roll")},
        "achieved": {
            "overlap": _share(seen == Visibility.VISIBLE),
            "occluded": _share(seen == Visibility.OCCLUDED),
            "behind": _share(seen == Visibility.BEHIND),
            **_parallax(hits.places, to_reference, pictures.size),
            "warp_median": round(float(length.median()), 3) if len(length) else 0.0,
            "baseline": round(float(translation.norm()), 4),
            "turn": round(float(turn), 3),
        },
        "depth": _quantiles(depth),
    }


def _parallax(own: Tensor, to_reference: Crossing, size: tuple[int, int]) -> dict[str, float]:
    """Median and 90th percentile of what the best homography leaves, px at 512 px width."""
    step = max(1, round((size[0] * size[1] / _FITTED) ** 0.5))
    chosen = ((own % step) == 0).all(0)
    seen = (to_reference.seen[chosen] == Visibility.VISIBLE)[None]
    residual = homography_residual(own[:, chosen].T[None], to_reference.places[:, chosen].T[None], seen, size[0])
    median, high = masked_quantiles(residual, seen, (0.5, 0.9))[0].tolist()
    return {"parallax": round(median, 4), "parallax_p90": round(high, 4)}


def _quantiles(values: Tensor) -> dict[str, float]:
    """Nearest, median and farthest tenth, m; {} where the sky is all."""
    if len(values) == 0:
        return {}
    found = torch.quantile(values[:: max(1, len(values) // 10_000)], values.new_tensor([0.1, 0.5, 0.9]))
    return dict(zip(("p10", "median", "p90"), (round(v, 4) for v in found.tolist()), strict=True))


def _share(mask: Tensor) -> float:
    return round(float(mask.double().mean()), 6)


def _array(values: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(values.cpu().numpy())
