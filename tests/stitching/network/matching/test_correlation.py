"""Best matches and lookup in a volume of logits."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stitching.network.matching.correlation import LEVELS, NO_MATCH, RADIUS, Lookup, best_match
from stitching.network.tensor_maps import pixel_xy

ROWS, COLUMNS, CHANNELS = 9, 12, 96
VALID = torch.ones(1, 1, ROWS, COLUMNS)
SIDE = 2 * RADIUS + 1


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_features(b: int, seed: int = 0) -> Tensor:
    """Of the same length in every cell, about 1 in every channel."""
    return CHANNELS**0.5 * functional.normalize(noise(b, CHANNELS, ROWS, COLUMNS, seed=seed))


def shift(x: float, y: float) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(-1, -1, ROWS, COLUMNS)


def bump(x: float, y: float) -> Tensor:
    """Logits (1, n, n + 1) of cells whose match lies x, y cells off and falls off like a Gaussian around it."""
    grid = pixel_xy(VALID.new_empty(ROWS, COLUMNS)).flatten(2)[0].T
    away = grid[:, None] + torch.tensor([x, y]) - grid
    return torch.cat([10 - away.square().sum(2), torch.zeros(len(grid), 1)], dim=1)[None]


@pytest.mark.parametrize("half", [False, True])
def test_a_match_is_found_to_a_fraction_of_a_cell(half: bool) -> None:
    """A hundredth, mixed precision or not; less near the border, where half of the bump is missing."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        displacement, _ = best_match(bump(1.3, -0.4), ROWS, COLUMNS)
    inside = (..., slice(3, -3), slice(3, -4))
    assert displacement.dtype == torch.float32
    assert (displacement - shift(1.3, -0.4))[inside].abs().max() < 0.01


def test_only_the_best_match_counts_not_the_mean_of_two() -> None:
    """Repeated texture: two matches, five cells apart, the second a little less likely."""
    logits = torch.logaddexp(bump(0, 0), bump(5, 0) - 0.1)
    displacement, confidence = best_match(logits, ROWS, COLUMNS)
    assert displacement[..., 2:-2, 3:-6].abs().max() < 0.55  # halved, as its confidence is a half
    assert confidence[..., 2:-2, 3:-6].max() < 0.55


def test_looks_up_the_logits_at_whole_displacements() -> None:
    """Against plain indexing; 0 outside of the grid."""
    n = ROWS * COLUMNS
    logits = noise(2, n, n + 1)
    displacement = torch.randint(-3, 4, (2, 2, ROWS, COLUMNS), generator=torch.Generator().manual_seed(0)).float()
    found = Lookup(logits, ROWS, COLUMNS)(displacement)
    assert found.shape == (2, LEVELS * SIDE**2, ROWS, COLUMNS)
    fine = found[:, : SIDE**2].view(2, SIDE, SIDE, ROWS, COLUMNS)  # (b, dy, dx, rows, columns)
    volume = logits[..., :-1].view(2, ROWS, COLUMNS, ROWS, COLUMNS)
    for b, row, column in ((0, 0, 0), (0, 4, 5), (1, 8, 11), (1, 3, 9)):
        at_x, at_y = (int(displacement[b, k, row, column]) + (column, row)[k] for k in (0, 1))
        for dy in range(-RADIUS, RADIUS + 1):
            for dx in range(-RADIUS, RADIUS + 1):
                x, y = at_x + dx, at_y + dy
                inside = 0 <= x < COLUMNS and 0 <= y < ROWS
                expected = volume[b, row, column, y, x].item() if inside else 0.0
                assert fine[b, dy + RADIUS, dx + RADIUS, row, column].item() == pytest.approx(expected, abs=1e-4)


def test_the_coarse_level_shows_the_mean_of_four_cells() -> None:
    """Of the cells around a corner between four of them, where both levels have their centre."""
    logits = noise(1, ROWS * COLUMNS, ROWS * COLUMNS + 1)
    own = pixel_xy(logits.new_empty(ROWS, COLUMNS))
    corner = torch.tensor([4.5, 2.5]).view(1, 2, 1, 1)  # of the reference's cells 4, 5 and 2, 3
    found = Lookup(logits, ROWS, COLUMNS)(corner - own)
    middle = found.view(1, LEVELS, SIDE, SIDE, ROWS, COLUMNS)[0, 1, RADIUS, RADIUS]
    mean = logits[0, :, :-1].view(ROWS, COLUMNS, ROWS, COLUMNS)[:, :, 2:4, 4:6].mean((2, 3))
    assert torch.allclose(middle, mean, atol=1e-4)


def test_cells_that_cannot_match_are_looked_up_as_a_small_number() -> None:
    logits = torch.full((1, ROWS * COLUMNS, ROWS * COLUMNS + 1), NO_MATCH)
    assert Lookup(logits, ROWS, COLUMNS)(shift(0, 0)).min() == pytest.approx(-20, abs=1e-4)
