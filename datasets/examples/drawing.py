"""Draws pairs with their truth on windows, in batches on the pairs' device: exact wherever the homographies lead.

Points are px; (0, 0) is the centre of the first pixel. Inside, places on pictures are given from -1 to 1 from border
to border, as grid_sample takes them.
"""

import torch
from torch import Tensor
from torch.nn import functional

from datasets.examples.batch import BatchTruth, ExampleBatch
from datasets.examples.window_transforms import WindowTransforms, fit_affine, move, translation
from datasets.examples.windows import MAX_RESIDUAL
from datasets.pair_batch import PairBatch
from datasets.sample import Visibility
from stitching.geometry.pixel_maps import Size
from stitching.network.tensor_maps import halve, pixel_xy

_SMOOTH = 0.5  # px: where nearest and interpolated warp differ by more, the warp jumps and is not interpolated
_STEP = 8  # px between the pixels that an affine map is fitted to
_SHARPER = 0.25  # halvings by which pictures are shrunk less than windows do: interpolation blurs, too


def draw_examples(pairs: PairBatch, transforms: WindowTransforms, size: Size, with_stitch: bool) -> ExampleBatch:
    """Examples of pairs on windows of `size` (width, height) px; `start` is 0 and trusted nowhere.

    A target pixel whose place is outside the window counts as outside the reference's view, whatever the picture
    showed. Pixels with an unknown residual have none of the masks of the truth.

    Args:
        pairs: b pairs.
        transforms: of b pairs to their windows, on the pairs' device.
        size: of the windows.
        with_stitch: draw the true stitches, too; else nothing of them is known.
    """
    to_reference, to_target = transforms.reference, transforms.target
    reference, reference_valid = draw_pictures(pairs.reference, to_reference, size)
    places, target_valid = _places(to_target, pairs.target, size)
    target = _antialiased(pairs.target, places, to_target) * target_valid
    residual, code = _true_residual(pairs, places, to_reference, target_valid)
    stitched, stitched_known = torch.zeros_like(target), torch.zeros_like(target_valid)
    if with_stitch:
        stitched, stitched_known = _draw_stitched(pairs, to_reference, size)
    segments, owner = _move_segments(pairs, to_target)
    truth = BatchTruth(
        residual=residual,
        visible=(code == Visibility.VISIBLE).float(),
        occluded=(code == Visibility.OCCLUDED).float(),
        outside=(code == Visibility.OUTSIDE).float(),
        stitched=stitched,
        stitched_known=stitched_known,
        fundamental=_move_fundamental(pairs.fundamental, to_reference, to_target),
        segments=segments,
        owner=owner,
    )
    ids = torch.tensor(pairs.indices, dtype=torch.int64, device=residual.device)
    nothing = torch.zeros_like(residual), torch.zeros_like(target_valid)
    return ExampleBatch(reference, target, reference_valid, target_valid, *nothing, truth, ids)


def draw_pictures(pictures: Tensor, to_window: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Pictures (b, c, h, w) on windows (b, c, height, width), black beside them, and 1 where they are (b, 1, ...)."""
    places, valid = _places(to_window, pictures, size)
    return _antialiased(pictures, places, to_window) * valid, valid


def _draw_stitched(pairs: PairBatch, to_reference: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """The true stitches on windows, and 1 where they are known."""
    canvas = to_reference @ translation(pairs.origins.to(to_reference))
    places, _ = _places(canvas, pairs.stitched, size)
    on_canvas = pairs.stitched_known[:, None].to(pairs.stitched)
    drawn = _antialiased(torch.cat([pairs.stitched * on_canvas, on_canvas], 1), places, canvas, beside="zeros")
    known = (drawn[:, 3:] > 0.5).to(drawn)
    return drawn[:, :3] / drawn[:, 3:].clamp_min(0.5) * known, known


def _true_residual(
    pairs: PairBatch, places: Tensor, to_reference: Tensor, target_valid: Tensor
) -> tuple[Tensor, Tensor]:
    """(b, 2, height, width) px and (b, 1, height, width) Visibility; 0 and BEHIND where unknown.

    The warp is interpolated between pixels where it is smooth; across jumps it is that of the nearest pixel. Both act
    on what remains after an affine map, which they would blur where pictures are turned or enlarged.

    places: (b, 2, height, width) of the windows' pixels on the target.
    """
    warp, mask = pairs.warp, pairs.mask[:, None]
    pixels = (pixel_xy(warp) * 2 + 1) / warp.new_tensor(warp.shape[:1:-1]).view(2, 1, 1) - 1  # (1, 2, h, w)
    some = [field[:, :, ::_STEP, ::_STEP].flatten(2).mT for field in (pixels.expand_as(warp), warp, mask)]
    affine = fit_affine(some[0], some[1], some[2][..., 0] != Visibility.BEHIND).to(warp)[:, :2]
    rest = warp - _moved(pixels.expand_as(warp), affine)
    nearest = _at(torch.cat([rest, mask.to(rest)], 1), places, "nearest")
    smooth = _at(rest, places)
    jumps = ((smooth - nearest[:, :2]).abs() > _SMOOTH).any(1, keepdim=True)
    there = torch.where(jumps, nearest[:, :2], smooth) + _moved(places, affine)  # reference px
    moved = _moved(there, to_reference.to(there))
    depth = moved[:, 2:]
    place = moved[:, :2] / torch.where(depth.abs() > 1e-6, depth, 1e-6)
    size = place.new_tensor(place.shape[:1:-1]).view(2, 1, 1)
    residual = place - pixel_xy(place)
    code = nearest[:, 2:].round().to(torch.uint8)
    known = (target_valid > 0) & (code != Visibility.BEHIND) & (depth > 0)
    known &= (residual.abs() < MAX_RESIDUAL * size[0]).all(1, keepdim=True)
    beside = ((place < -0.5) | (place >= size - 0.5)).any(1, keepdim=True)
    code = torch.where(beside, Visibility.OUTSIDE, code)
    return residual * known, torch.where(known, code, Visibility.BEHIND)


def _moved(xy: Tensor, matrices: Tensor) -> Tensor:
    """Points (b, 2, h, w) times matrices (b, k, 3), as (x, y, 1): (b, k, h, w)."""
    moved = torch.baddbmm(matrices[:, :, 2:], matrices[:, :, :2], xy.flatten(2))  # (b, k, h w)
    return moved.view(len(xy), -1, *xy.shape[2:])


def _move_segments(pairs: PairBatch, to_target: Tensor) -> tuple[Tensor, Tensor]:
    """(k, 2, 2) the target's ends of segments on the windows, and their owners (k,)."""
    ends, depth = move(pairs.segments[:, 0], to_target[pairs.owner])
    kept = (depth > 0).all(1)
    return ends[kept].to(pairs.segments), pairs.owner[kept]


def _move_fundamental(fundamental: Tensor, to_reference: Tensor, to_target: Tensor) -> Tensor:
    """(b, 3, 3) in px of the windows, of unit norm; unknown ones stay 0."""
    moved: Tensor = torch.linalg.inv(to_reference).mT @ fundamental.to(to_target) @ torch.linalg.inv(to_target)
    norm: Tensor = torch.linalg.matrix_norm(moved, keepdim=True)
    return (moved / norm.clamp_min(1e-30)).to(fundamental)


def _places(to_window: Tensor, pictures: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Where windows' pixels lie on pictures (b, c, h, w): (b, 2, height, width), and 1 where on them (b, 1, ...)."""
    w, h = size
    sides = to_window.new_tensor(pictures.shape[:1:-1])  # width, height
    to_unit = torch.diag(torch.cat([2 / sides, sides.new_ones(1)]))
    to_unit[:2, 2] = 1 / sides - 1
    matrix = (to_unit @ torch.linalg.inv(to_window)).to(pictures)[..., None, None]  # (b, 3, 3, 1, 1)
    x, y = (torch.arange(side, dtype=pictures.dtype, device=pictures.device) for side in (w, h))
    rows = matrix[:, :, 0] * x + (matrix[:, :, 1] * y[:, None] + matrix[:, :, 2])  # (b, 3, h, w)
    depth = rows[:, 2:]
    places = (rows[:, :2] / torch.where(depth.abs() > 1e-6, depth, 1e-6)).clamp(-9, 9)
    inside = (places.abs() < 1).all(1, keepdim=True) & (depth > 0)
    return places, inside.to(pictures)


def _at(values: Tensor, places: Tensor, mode: str = "bilinear", beside: str = "border") -> Tensor:
    """Values (b, c, h, w) at places (b, 2, height, width)."""
    return functional.grid_sample(values, places.permute(0, 2, 3, 1), mode, beside, align_corners=False)


def _antialiased(pictures: Tensor, places: Tensor, to_window: Tensor, beside: str = "border") -> Tensor:
    """As `_at`, of pictures shrunk beforehand as much as windows shrink them, so that they do not alias.

    Trilinear: between the two of the sizes 1, 1/2 and 1/4 that fit the scale in the middle of the picture best.
    """
    sides = to_window.new_tensor(pictures.shape[:1:-1])
    depth = move((sides - 1).expand(len(pictures), 1, 2) / 2, to_window)[1][:, 0]
    area = torch.linalg.det(to_window).abs() / depth.abs().clamp_min(1e-9) ** 3  # of a pixel's image there
    level = (-area.clamp_min(1e-9).log2() / 2 - _SHARPER).clamp(0, 2).to(pictures)[:, None, None, None]
    drawn, size = torch.zeros_like(places[:, :1]), 1
    for number in range(int(level.max().ceil()) + 1):
        weight = (1 - (level - number).abs()).clamp_min(0)
        if bool(weight.any()):
            ratio = (sides / size / sides.new_tensor(pictures.shape[:1:-1])).to(places)  # below 1 if a side was odd
            drawn = drawn + weight * _at(pictures, (places + 1) * ratio.view(2, 1, 1) - 1, beside=beside)
        pictures, size = halve(pictures), 2 * size
    return drawn
