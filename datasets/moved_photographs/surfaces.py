"""The surfaces of b pairs, and what a camera sees of them: colours, and places in the other picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from datasets.arrays import Doubles
from datasets.moved_photographs.motion import LayerPlan, PairPlan, translation
from datasets.moved_photographs.outlines import SIDE
from datasets.moved_photographs.photographs import Crop, Photographs, Texture, change_per_pixel, cut
from datasets.moved_photographs.waves import Waves, deform, undeform
from datasets.sample import Visibility
from stitching.geometry import homographies
from stitching.geometry.pixel_maps import Size

_LAYER_TEXTURE = 192, 192  # texels
_AROUND = 9  # px around the texture of a layer; enough to see how large its texels are
_ABSENT = LayerPlan(np.eye(3), np.eye(3), Crop(0, 0, 0, 8, 8, False), 0, -1e4, 1.0)  # in pairs with fewer layers
_NEAR = 0.02  # scale of a homography at which points count as behind the camera
_MAX_DISTANCE = 4.0  # picture diagonals: coordinates of warps are clipped to that


@dataclass(frozen=True, eq=False)
class LayerView:
    """How one camera sees one layer of each of b pairs."""

    onto: Tensor  # (b, 3, 3) its px -> texture, -1 .. 1
    to_other: Tensor  # (b, 3, 3) its px -> px of the other picture
    rows: slice  # of its pixels, for the reference those of the canvas, outside of which no pair shows the layer
    columns: slice


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of each of b pairs."""

    colours: Texture
    distances: Tensor  # (b, 1, SIDE, SIDE) to the outline, texels, positive inside
    softness: Tensor  # (b, 1, 1, 1) px
    reference: LayerView
    target: LayerView


@dataclass(frozen=True, eq=False)
class Surfaces:
    """A background and layers in front of it, the farthest first, of each of b pairs with pictures of `size`."""

    size: Size
    colours: Texture  # of the background
    waves: Waves
    to_reference: Tensor  # (b, 3, 3) target px -> reference px before the waves
    to_target: Tensor  # (b, 3, 3) its inverse
    from_reference: Tensor  # (b, 3, 3) reference px -> the background's texture, -1 .. 1
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """What one camera sees through its pixels' centres."""

    picture: Tensor  # (b, 3, h, w) 0 .. 1
    warp: Tensor  # (b, 2, h, w) px of the other picture
    visibility: Tensor  # (b, h, w) uint8 datasets.sample.Visibility


def build_surfaces(plans: Sequence[PairPlan], size: Size, photographs: Photographs, outlines: Tensor) -> Surfaces:
    """Cut textures and outlines; outlines: as `datasets.moved_photographs.outlines.draw_outlines` gives them."""
    device = outlines.device

    def tensor(arrays: Sequence[Doubles]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(device, torch.float32)

    def layer(number: int) -> Layer:
        parts = [plan.layers[number] if number < len(plan.layers) else _ABSENT for plan in plans]
        thickening = tensor([np.full((1, 1, 1), part.thickening) for part in parts])
        from_canvas = [part.to_texture @ translation(plan.origin) for part, plan in zip(parts, plans, strict=True)]
        from_target = [part.to_texture @ part.to_reference for part in parts]
        return Layer(
            colours=cut(photographs, [part.crop for part in parts], _LAYER_TEXTURE),
            distances=outlines[[part.outline for part in parts]].float() + thickening,
            softness=tensor([np.full((1, 1, 1), part.softness) for part in parts]),
            reference=LayerView(
                tensor([part.to_texture for part in parts]),
                tensor([_inverse(part.to_reference) for part in parts]),
                *_box(from_canvas),
            ),
            target=LayerView(tensor(from_target), tensor([part.to_reference for part in parts]), *_box(from_target)),
        )

    return Surfaces(
        size=size,
        colours=cut(photographs, [plan.crop for plan in plans], (2 * size[0], 2 * size[1])),
        waves=Waves(
            tensor([plan.waves.displacement for plan in plans]),
            tensor([plan.waves.frequency for plan in plans]),
            tensor([plan.waves.phase for plan in plans]),
        ),
        to_reference=tensor([plan.to_reference for plan in plans]),
        to_target=tensor([_inverse(plan.to_reference) for plan in plans]),
        from_reference=tensor([plan.to_texture for plan in plans]),
        layers=tuple(layer(number) for number in range(max(len(plan.layers) for plan in plans))),
    )


def _inverse(homography: Doubles) -> Doubles:
    return np.asarray(np.linalg.inv(homography), np.float64)


def _box(onto: Sequence[Doubles]) -> tuple[slice, slice]:
    """Rows and columns of pixels that hold the whole texture of each of some layers; onto: px -> texture, -1 .. 1."""
    corners = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    points = np.concatenate([homographies.project(_inverse(matrix), corners) for matrix in onto])
    if not np.isfinite(points).all():
        return slice(None), slice(None)
    low, high = points.min(0) - _AROUND, points.max(0) + _AROUND
    low, high = np.floor(low).clip(0).astype(int), np.ceil(high).clip(0).astype(int) + 1
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def look_from_target(surfaces: Surfaces, points: Tensor) -> Seen:
    """What the target sees at its pixels (b, 2, h, w)."""
    flat = project(surfaces.to_reference, points)
    place = torch.cat([deform(surfaces.waves, flat[:, :2]), flat[:, 2:]], 1)
    picture = surfaces.colours.sample(project(surfaces.from_reference, place[:, :2])[:, :2])
    views = [(layer.target, layer.reference) for layer in surfaces.layers]
    return _see(surfaces, picture, place, points, views)


def look_from_reference(surfaces: Surfaces, points: Tensor) -> Seen:
    """What the reference sees at pixels (b, 2, h, w) of the canvas; the points are its own px."""
    place = project(surfaces.to_target, undeform(surfaces.waves, points))
    picture = surfaces.colours.sample(project(surfaces.from_reference, points)[:, :2])
    views = [(layer.reference, layer.target) for layer in surfaces.layers]
    return _see(surfaces, picture, place, points, views)


def _see(
    surfaces: Surfaces, picture: Tensor, place: Tensor, points: Tensor, views: Sequence[tuple[LayerView, LayerView]]
) -> Seen:
    """Put the layers in front of the background; changes `picture` and `place`.

    Args:
        surfaces: of the pairs.
        picture: (b, 3, h, w) colours of the background.
        place: (b, 3, h, w) x, y, scale of its points in the other picture.
        points: (b, 2, h, w) the pixels.
        views: how this camera and how the other one sees each layer.
    """
    nearest = torch.zeros_like(place[:, :1], dtype=torch.uint8)  # 0: the background
    for number, (layer, (view, _)) in enumerate(zip(surfaces.layers, views, strict=True), 1):
        box = slice(None), slice(None), view.rows, view.columns
        pixels = points[box]
        if min(pixels.shape[2:]) <= _AROUND:  # it is outside
            continue
        onto = project(view.onto, pixels)
        distance = _distance(layer, onto)
        width = layer.softness * change_per_pixel(onto[:, :2]).view(-1, 1, 1, 1) * (SIDE / 2)
        picture[box] = torch.lerp(picture[box], layer.colours.sample(onto[:, :2]), (0.5 + distance / width).clamp(0, 1))
        nearest[box].masked_fill_(distance > 0, number)
        place[box] = torch.where(distance > 0, project(view.to_other, pixels), place[box])
    hidden = torch.zeros_like(nearest, dtype=torch.bool)
    for number, (layer, (_, other)) in enumerate(zip(surfaces.layers, views, strict=True), 1):
        hidden |= (nearest < number) & (_distance(layer, project(other.onto, place[:, :2])) > 0)
    return Seen(picture, _bounded(place[:, :2], surfaces.size), _visibility(place, hidden, surfaces.size))


def project(homography: Tensor, points: Tensor) -> Tensor:
    """(b, 3, h, w) x, y and scale of points (b, 2, h, w); behind the camera the scale is below _NEAR, x, y anything."""
    flat = points.flatten(2)  # (b, 2, h w)
    mapped = torch.baddbmm(homography[:, :, 2:], homography[:, :, :2], flat).view(-1, 3, *points.shape[2:])
    mapped[:, :2] /= mapped[:, 2:].clamp_min(_NEAR)
    return mapped


def _distance(layer: Layer, onto: Tensor) -> Tensor:
    """(b, 1, h, w) to the outline, texels, at places (b, 3, h, w); negative where they are behind the camera."""
    grid = onto[:, :2].permute(0, 2, 3, 1)  # (b, h, w, 2)
    distance = grid_sample(layer.distances, grid, padding_mode="border", align_corners=False)
    return torch.where(onto[:, 2:] > _NEAR, distance, -SIDE)


def _visibility(place: Tensor, hidden: Tensor, size: Size) -> Tensor:
    x, y, scale = place.unbind(1)
    inside = (x >= -0.5) & (x < size[0] - 0.5) & (y >= -0.5) & (y < size[1] - 0.5)
    codes = torch.full_like(x, Visibility.OUTSIDE, dtype=torch.uint8)
    codes.masked_fill_(inside, Visibility.VISIBLE)
    codes.masked_fill_(inside & hidden[:, 0], Visibility.OCCLUDED)
    return codes.masked_fill_(scale <= _NEAR, Visibility.BEHIND)


def _bounded(points: Tensor, size: Size) -> Tensor:
    limit = _MAX_DISTANCE * float(np.hypot(*size))
    return points.clamp(-limit, limit)
