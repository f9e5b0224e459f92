"""Losses on pictures: a stitched picture and its truth, the pictures along a seam, a pair under a warp.

Every loss is a mean over the whole batch under its weights, computed in float32, and 0 with gradient 0 where
nothing has a weight. Pictures are (b, 3, h, w) BGR 0..1, h and w multiples of 8; masks (b, 1, h, w).
"""

import torch
from torch import Tensor
from torch.nn import functional

from apps.training.losses.reduction import charbonnier, precise, weighted_mean
from apps.training.losses.sampling import sample
from stitching.network.tensor_maps import pixel_xy

_CHARBONNIER_WIDTH = 1e-3  # of the pictures' range 0..1: a quarter of a grey level
_SSIM_WINDOW, _SSIM_STEP = 8, 2  # px
_LOCAL_WINDOW, _LOCAL_STEP = 16, 4  # px
_MIN_CONTRAST = 0.1  # of a picture's deviation: windows with less are not amplified further


def stitch_loss(stitched: Tensor, truth: Tensor, where: Tensor) -> dict[str, Tensor]:
    """How a stitched picture differs from its truth: three terms, unweighted, 0 where equal.

    photometric: mean |stitched - truth|, Charbonnier.
    structural: 1 - SSIM (Wang et al. 2004) of the grey pictures, in windows of 8 x 8 px at every second px, of
        which only the pixels of `where` count.
    gradient: mean difference of the forward differences along x and y, Charbonnier, both pixels in `where`.
    The choice of terms is ours.

    Args:
        stitched, truth: (b, 3, h, w); finite outside `where` too.
        where: (b, 1, h, w) 0 or 1.
    """
    stitched, truth, where = precise(stitched), precise(truth), precise(where)
    difference = stitched - truth
    return {
        "photometric": weighted_mean(charbonnier(difference, _CHARBONNIER_WIDTH), where),
        "structural": _dissimilarity(stitched, truth, where),
        "gradient": _slope(difference, where, -1) + _slope(difference, where, -2),
    }


def seam_loss(weight: Tensor, reference: Tensor, target: Tensor, overlap: Tensor) -> Tensor:
    """Seams belong where the pictures agree: mean of |change of weight| * sum of the differences at both pixels.

    Over neighbours along x and y that both lie in the overlap, added; difference = mean over BGR of |reference -
    target|, Charbonnier. The idea of the smoothness term of UDIS++ (Nie et al. 2023); this form is our choice.
    Constant weights cost nothing, so another loss must ask for a seam. The gradient also reaches the pictures:
    detach them if only the weight shall learn.

    Args:
        weight: (b, 1, h, w) 0..1, share of the reference.
        reference, target: (b, 3, h, w), on one canvas, with one exposure.
        overlap: (b, 1, h, w) 0 or 1, both pictures are valid.
    """
    weight, overlap = precise(weight), precise(overlap)
    difference = charbonnier(precise(reference) - precise(target), _CHARBONNIER_WIDTH).mean(1, keepdim=True)

    def along(axis: int) -> Tensor:
        size = weight.shape[axis] - 1
        first, second = difference.narrow(axis, 0, size), difference.narrow(axis, 1, size)
        both = overlap.narrow(axis, 0, size) * overlap.narrow(axis, 1, size)
        return weighted_mean(weight.diff(dim=axis).abs() * (first + second), both)

    return along(-1) + along(-2)


def warp_photometric_loss(
    reference: Tensor, reference_valid: Tensor, target: Tensor, target_valid: Tensor, residual: Tensor, where: Tensor
) -> Tensor:
    """Difference of a pair under a warp, without truth: mean |target(q) - reference(q + residual(q))|, Charbonnier.

    Both pictures grey and normalised by the mean and deviation around each pixel (about 16 x 16 px): a gain and an
    offset of a whole picture change nothing, slow changes of light little. Local normalisation is a
    common remedy; this form is our choice. Pixels that land where the reference is not valid do not count, so a
    warp could move everything there: use it together with smoothness.

    Args:
        reference, target: (b, 3, h, w), the target coarsely aligned.
        reference_valid, target_valid: (b, 1, h, w) 0 or 1.
        residual: (b, 2, h, w) px, target pixel q belongs at q + residual(q).
        where: (b, 1, h, w) >= 0, weights of the target's pixels, 0 for example where hidden from the reference.
    """
    residual, where = precise(residual), precise(where)
    reference_valid, target_valid = precise(reference_valid), precise(target_valid)
    maps = torch.cat([_normalised(precise(reference), reference_valid), reference_valid], dim=1)
    landed, within = sample(maps, pixel_xy(residual) + residual)
    landed_valid = landed[:, 1:].detach() > 0.999  # all four pixels of the interpolation are valid
    errors = charbonnier(_normalised(precise(target), target_valid) - landed[:, :1], 0.01)
    return weighted_mean(errors, where * target_valid * within * landed_valid)


def _slope(difference: Tensor, where: Tensor, axis: int) -> Tensor:
    size = where.shape[axis] - 1
    both = where.narrow(axis, 0, size) * where.narrow(axis, 1, size)
    return weighted_mean(charbonnier(difference.diff(dim=axis), _CHARBONNIER_WIDTH), both)


def _dissimilarity(first: Tensor, second: Tensor, where: Tensor) -> Tensor:
    """Mean 1 - SSIM () of the grey pictures over `where`; kornia's SSIM has no mask."""
    a, b = first.mean(1, keepdim=True), second.mean(1, keepdim=True)
    maps = torch.cat([a, b, a * a + b * b, a * b], dim=1)
    mean_a, mean_b, squares, product = _window_means(maps, where, _SSIM_WINDOW, _SSIM_STEP).chunk(4, dim=1)
    mean_product, mean_squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_product + c1) / (mean_squares + c1)
    structure = (2 * (product - mean_product) + c2) / (squares - mean_squares + c2)
    return weighted_mean(1 - luminance * structure, functional.avg_pool2d(where, _SSIM_STEP))


def _normalised(picture: Tensor, valid: Tensor) -> Tensor:
    """(b, 1, h, w) grey, minus its local mean, divided by its local deviation; 0 where not valid."""
    grey = picture.mean(1, keepdim=True)
    count = valid.sum((1, 2, 3), keepdim=True).clamp_min(1)
    centred = (grey - (grey * valid).sum((1, 2, 3), keepdim=True) / count) * valid
    variance = centred.square().sum((1, 2, 3), keepdim=True) / count
    means = _window_means(torch.cat([centred, centred.square()], dim=1), valid, _LOCAL_WINDOW, _LOCAL_STEP)
    mean, square = means.chunk(2, dim=1)
    deviation = ((square - mean * mean).clamp_min(0) + _MIN_CONTRAST**2 * variance + 1e-8).sqrt()
    smooth = functional.interpolate(
        torch.cat([mean, deviation], dim=1), scale_factor=_LOCAL_STEP, mode="bilinear", align_corners=False
    )
    return (centred - smooth[:, :1]) / smooth[:, 1:] * valid


def _window_means(maps: Tensor, valid: Tensor, window: int, step: int) -> Tensor:
    """Means (b, c, h / step, w / step) of maps over the valid pixels of windows centred on blocks of step x step px."""
    margin = (window - step) // 2

    def pooled(values: Tensor) -> Tensor:
        wide = functional.avg_pool2d(values, (1, window), (1, step), (0, margin))
        return functional.avg_pool2d(wide, (window, 1), (step, 1), (margin, 0))

    return pooled(maps * valid) / pooled(valid).clamp_min(1e-6)
