"""Coarse alignments drawn from the truth, as wrong as those that features find: no features in the training loop.

Points are px; (0, 0) is the centre of the first pixel.
"""

import torch
from torch import Tensor

from datasets.examples.window_transforms import fit_affine, is_sane, translation
from datasets.pair_batch import PairBatch
from datasets.rendering.parallax import fit_homographies
from datasets.sample import Visibility
from stitching.network.tensor_maps import pixel_xy

_KINDS = (0.82, 0.15, 0.03)  # shares of homographies, affine maps, shifts: what `align` finds on generated pairs
# How many pixels a map is fitted to: chosen so that errors are as large as those of SIFT and MAGSAC++, measured by
# benchmarks/alignment_errors.py.
_FEWEST, _MOST = 5, 24
_STEP = 8  # px between the pixels to choose from


def draw_alignments(pairs: PairBatch, generator: torch.Generator) -> Tensor:
    """(b, 3, 3) float64 target px -> reference px on the pairs' device, drawn at random around what the truth is.

    Each is fitted to the true matches of a few visible pixels: as the features of a scene with relief do, they agree
    on no plane, and the error grows with the distance from the overlap. Where a homography is not plausible, an
    affine map takes its place, then a shift.

    generator: on the CPU, so that the same alignments are drawn for every device.
    """
    points, matches, visible = true_matches(pairs)
    b, size = len(points), (pairs.target.shape[3], pairs.target.shape[2])
    kind = torch.multinomial(torch.tensor(_KINDS), b, replacement=True, generator=generator).to(points.device)
    weight = _few(visible, generator)
    candidates = torch.stack(
        [
            fit_homographies(points, matches, weight, size[0]),
            fit_affine(points, matches, weight),
            _fit_shift(points, matches, weight),
        ]
    )
    number = torch.arange(len(_KINDS), device=kind.device)[:, None]
    usable = torch.stack([is_sane(some, size) for some in candidates]) | (number == len(_KINDS) - 1)
    first = (usable & (number >= kind)).to(torch.uint8).argmax(0)  # the drawn kind, or one after it
    return candidates[first, torch.arange(b, device=first.device)]


def true_matches(pairs: PairBatch) -> tuple[Tensor, Tensor, Tensor]:
    """(b, n, 2) target px, (b, n, 2) reference px, (b, n) 1 where the reference sees the pixel, else 0; float64."""
    warp = pairs.warp
    points = pixel_xy(warp).expand_as(warp)[:, :, ::_STEP, ::_STEP].flatten(2).mT.double()
    matches = warp[:, :, ::_STEP, ::_STEP].flatten(2).mT.double()
    visible = pairs.mask[:, ::_STEP, ::_STEP].flatten(1) == Visibility.VISIBLE
    return points, matches, visible.double()


def _few(visible: Tensor, generator: torch.Generator) -> Tensor:
    """(b, n) 1 at so many random ones of the visible points (b, n), else 0; their number is drawn, too."""
    b, n = visible.shape
    count = _FEWEST * (_MOST / _FEWEST) ** torch.rand(b, 1, generator=generator)
    scores = torch.rand(b, n, generator=generator).to(visible) * visible
    best, places = scores.topk(min(_MOST, n), 1)
    chosen = (torch.arange(best.shape[1]) < count).to(best) * (best > 0)
    return torch.zeros_like(visible).scatter(1, places, chosen)


def _fit_shift(points: Tensor, matches: Tensor, weight: Tensor) -> Tensor:
    """(b, 3, 3) that move points by the mean motion."""
    moves = ((matches - points) * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1)
    return translation(moves)
