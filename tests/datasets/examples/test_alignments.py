"""Coarse alignments drawn from the truth: right on a plane, plausible everywhere, drawn at random but repeated."""

from dataclasses import replace

import pytest
import torch
from training_pairs import plane_pairs

from datasets.examples.alignments import draw_alignments, true_matches
from datasets.examples.window_transforms import is_sane, move
from datasets.sample import Visibility

COUNT, SIZE = 64, (112, 80)


@pytest.fixture(scope="module")
def pairs():
    return plane_pairs(COUNT, SIZE)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def errors(pairs, alignments):
    """(b,) px, the median over the visible pixels."""
    points, matches, visible = true_matches(pairs)
    off = (move(points, alignments)[0] - matches).norm(dim=2)
    return torch.where(visible > 0, off, torch.nan).nanmedian(dim=1).values


def test_on_a_plane_all_but_shifts_are_right(pairs):
    off = errors(pairs, draw_alignments(pairs, seeded()))
    assert float((off < 0.05).double().mean()) > 0.85
    assert float(off.max()) < 6  # a shift, where the target is enlarged by up to a tenth


def test_on_relief_each_draw_fits_other_pixels_and_all_are_plausible(pairs):
    relief = 4 * torch.randn(pairs.warp.shape, generator=seeded())
    rough = replace(pairs, warp=pairs.warp + relief)
    first, same, other = (draw_alignments(rough, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert (first - other).flatten(1).abs().amax(1).min() > 0
    assert is_sane(first, SIZE).all()
    assert 0.5 < float(errors(pairs, first).median()) < 20


def test_without_visible_pixels_the_pictures_lie_on_each_other(pairs):
    nothing = replace(pairs, mask=torch.full_like(pairs.mask, int(Visibility.OUTSIDE)))
    found = draw_alignments(nothing, seeded())
    assert torch.equal(found, torch.eye(3, dtype=torch.float64).expand(COUNT, 3, 3))
