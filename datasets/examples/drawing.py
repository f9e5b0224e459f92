"""Draws pairs with their truth on windows, in batches on the pairs' device: exact wherever the homographies lead.

Points are px; (0, 0) is the centre of the first pixel.
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
from stitching.network.tensor_maps import pixel_xy

_SMOOTH = 0.5  # px: where nearest and interpolated warp differ by more, the warp jumps and is not interpolated
_STEP = 8  # px between the pixels that an affine map is fitted to
_MAX_BLUR = 2.5  # px, sigma against aliasing: enough for a fifth of the size


def draw_examples(pairs: PairBatch, transforms: WindowTransforms, size: Size, with_stitch: Tensor) -> ExampleBatch:
    """Examples of pairs on windows of `size` (width, height) px; `start` is 0 and trusted nowhere.

    A target pixel whose place is outside the window counts as outside the reference's view, whatever the picture
    showed. Pixels with an unknown residual have none of the masks of the truth.

    Args:
        pairs: b pairs.
        transforms: of b pairs to their windows.
        size: of the windows.
        with_stitch: (b,) bool, which examples get a true stitch; of the others nothing of it is known.
    """
    device = pairs.fundamental.device
    to_reference, to_target = (matrices.to(device) for matrices in (transforms.reference, transforms.target))
    reference, reference_valid = draw_pictures(pairs.reference.picture, to_reference, size)
    target, target_valid = draw_pictures(pairs.target.picture, to_target, size)
    none = torch.zeros_like(target_valid)
    stitched, stitched_known = torch.zeros_like(reference), none.clone()
    rows = with_stitch.to(device).nonzero()[:, 0]
    if len(rows):
        canvas = to_reference[rows] @ translation(pairs.origins[rows].to(to_reference))
        stitched[rows], _ = draw_pictures(pairs.stitched[rows], canvas, size)
        stitched_known[rows] = (_sample((pairs.stitched_mask[rows, None] > 0).float(), canvas, size) > 0.99).float()
        stitched = stitched * stitched_known
    residual, code = _true_residual(pairs, to_reference, to_target, target_valid)
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
    ids = torch.tensor(pairs.indices, dtype=torch.int64, device=device)
    start = torch.zeros_like(residual)
    return ExampleBatch(reference, target, reference_valid, target_valid, start, none, truth, ids)


def draw_pictures(pictures: Tensor, to_window: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Pictures (b, c, h, w) on windows (b, c, height, width), black beside them, and where they are (b, 1, ...).

    Interpolated linearly; blurred before by a Gaussian for the scale in their centres, so that they do not alias.
    """
    points, depth = _source_points(to_window, size)
    h, w = pictures.shape[2:]
    inside = (depth > 0) & (points > -0.5).all(-1) & (points < points.new_tensor([w, h]) - 0.5).all(-1)
    valid = inside[:, None].to(pictures)
    return _at(_blurred(pictures, to_window), points, "bilinear") * valid, valid


def _true_residual(
    pairs: PairBatch, to_reference: Tensor, to_target: Tensor, target_valid: Tensor
) -> tuple[Tensor, Tensor]:
    """(b, 2, height, width) px and (b, 1, height, width) Visibility; 0 and BEHIND where unknown.

    The warp is interpolated between pixels where it is smooth; across jumps it is that of the nearest pixel. Both act
    on what remains after an affine map, which they would blur where pictures are turned or enlarged.
    """
    b, _, rows, columns = target_valid.shape
    points, _ = _source_points(to_target, (columns, rows))  # (b, rows, columns, 2) target px
    mask = pairs.target.mask[:, None]
    warp = pairs.target.warp
    pixels = pixel_xy(warp).expand_as(warp)
    some_pixels, places, known = (field[:, :, ::_STEP, ::_STEP].flatten(2).mT for field in (pixels, warp, mask))
    affine = fit_affine(some_pixels, places, known[..., 0] != Visibility.BEHIND).to(warp)[:, :2]
    rest = warp - _moved(pixels, affine)
    nearest = _at(torch.cat([rest, mask.to(rest)], 1), points, "nearest")
    smooth = _at(rest, points, "bilinear")
    jumps = ((smooth - nearest[:, :2]).abs() > _SMOOTH).any(1, keepdim=True)
    rest = torch.where(jumps, nearest[:, :2], smooth)
    warp = rest + _moved(points.permute(0, 3, 1, 2).to(rest), affine)  # (b, 2, rows, columns) reference px
    place, depth = move(warp.flatten(2).mT, to_reference.float())  # (b, rows columns, 2)
    place, depth = place.mT.view(b, 2, rows, columns), depth.view(b, 1, rows, columns)
    residual = (place - pixel_xy(place)).to(rest)
    code = nearest[:, 2:].round().to(torch.uint8)
    known = (target_valid > 0) & (code != Visibility.BEHIND) & (depth > 0)
    known &= (residual.abs() < MAX_RESIDUAL * columns).all(1, keepdim=True)
    limits = place.new_tensor([columns, rows])[:, None, None] - 0.5
    beside = ((place < -0.5) | (place >= limits)).any(1, keepdim=True)
    code = torch.where(beside, Visibility.OUTSIDE, code)
    return residual * known, torch.where(known, code, Visibility.BEHIND)


def _moved(xy: Tensor, affine: Tensor) -> Tensor:
    """Points (b, 2, h, w) under affine maps (b, 2, 3)."""
    moved: Tensor = torch.baddbmm(affine[:, :, 2:], affine[:, :, :2], xy.flatten(2))  # (b, 2, h w)
    return moved.view_as(xy)


def _move_segments(pairs: PairBatch, to_target: Tensor) -> tuple[Tensor, Tensor]:
    """(k, 2, 2) the target's ends of segments on the windows, and their owners (k,)."""
    ends, depth = move(pairs.segments[:, 0], to_target[pairs.owner])
    kept = (depth > 0).all(1)
    return ends[kept].to(pairs.segments), pairs.owner[kept]


def _move_fundamental(fundamental: Tensor, to_reference: Tensor, to_target: Tensor) -> Tensor:
    """(b, 3, 3) in px of the windows, of unit norm; unknown ones stay 0."""
    moved: Tensor = torch.linalg.inv(to_reference).mT @ fundamental.to(to_target) @ torch.linalg.inv(to_target)
    return (moved / torch.linalg.matrix_norm(moved, keepdim=True).clamp_min(1e-30)).to(fundamental)


def _source_points(to_window: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """The picture's points (b, height, width, 2) at the windows' pixels, and (b, height, width) > 0 if it has one."""
    w, h = size
    xy = pixel_xy(torch.empty(h, w, device=to_window.device)).flatten(2).mT  # (1, h w, 2)
    points, depth = move(xy.expand(len(to_window), -1, 2), torch.linalg.inv(to_window).float())
    return points.view(-1, h, w, 2), depth.view(-1, h, w)


def _sample(values: Tensor, to_window: Tensor, size: Size) -> Tensor:
    """Values (b, c, h, w) on windows, 0 beside them."""
    points, depth = _source_points(to_window, size)
    return _at(values, points, "bilinear", "zeros") * (depth > 0)[:, None]


def _at(values: Tensor, points: Tensor, mode: str, beside: str = "border") -> Tensor:
    """Values (b, c, h, w) at points (b, height, width, 2) px."""
    size = points.new_tensor([values.shape[3], values.shape[2]])
    grid = ((2 * points + 1) / size - 1).clamp(-4, 4).to(values)
    return functional.grid_sample(values, grid, mode, beside, align_corners=False)


def _blurred(pictures: Tensor, to_window: Tensor) -> Tensor:
    """Pictures (b, c, h, w) with the detail removed that windows would alias: each by a Gaussian of its own."""
    b, c, h, w = pictures.shape
    middle = to_window.new_tensor([(w - 1) / 2, (h - 1) / 2]).expand(b, 1, 2)
    depth = move(middle, to_window)[1][:, 0]
    area = torch.linalg.det(to_window).abs() / depth.abs().clamp_min(1e-9) ** 3  # of a pixel's image there
    sigma = (0.15 * (1 / area - 1)).clamp_min(0).sqrt().clamp_max(_MAX_BLUR).to(pictures)
    radius = int(torch.ceil(2.5 * sigma.max()))
    if radius == 0:
        return pictures
    steps = torch.arange(-radius, radius + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma[:, None].clamp_min(1e-3) ** 2))  # (b, 2 radius + 1)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]  # (b c, 1, 2 radius + 1)
    padded = functional.pad(pictures, (radius,) * 4, mode="replicate").flatten(0, 1)[None]  # (1, b c, h, w)
    rows = functional.conv2d(padded, kernel[:, :, None], groups=b * c)
    return functional.conv2d(rows, kernel[..., None], groups=b * c).view(b, c, h, w)
