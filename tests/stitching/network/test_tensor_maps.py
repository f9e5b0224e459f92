"""Push-pull interpolation on tensors, and its likeness to the one on arrays."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stitching.geometry import pixel_maps
from stitching.network.tensor_maps import pixel_xy, push_pull


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(8, 8), (7, 13), (1, 5), (32, 40)])
def test_the_known_stays_as_it_is_to_the_bit(size: tuple[int, int]) -> None:
    field, known = noise(2, 3, *size), (noise(2, 1, *size, seed=1) > 0.7).float()
    known[..., 0, 0] = 1
    filled = push_pull(field, known)
    assert torch.equal(filled[(known > 0).expand_as(filled)], field[(known > 0).expand_as(field)])


@pytest.mark.parametrize("size", [(8, 8), (7, 13), (32, 40)])
@pytest.mark.parametrize("share", [0.9, 0.1, 0.0])
def test_a_constant_is_filled_in_exactly(size: tuple[int, int], share: float) -> None:
    """From any known pixel, whatever lies where nothing is known."""
    known = (noise(1, 1, *size) < share).float()
    known[..., 3, 5] = 1
    field = torch.where(known > 0, torch.tensor([-12.5, 3.25]).view(1, 2, 1, 1), 1e4)
    expected = torch.tensor([-12.5, 3.25]).view(1, 2, 1, 1).expand_as(field)
    assert torch.allclose(push_pull(field, known), expected, rtol=1e-5)


def test_what_is_known_in_part_counts_in_part() -> None:
    """A pixel half known lies half way between its value and what its neighbours say."""
    field = torch.zeros(1, 1, 8, 8)
    known = torch.ones(1, 1, 8, 8)
    field[..., 4, 4], known[..., 4, 4] = 8.0, 0.5
    filled = push_pull(field, known)
    assert 4 < filled[0, 0, 4, 4] < 6
    assert torch.equal(filled[known == 1], field[known == 1])


def test_gaps_are_filled_within_the_range_of_what_is_known_around() -> None:
    field, known = noise(1, 1, 24, 32), (noise(1, 1, 24, 32, seed=1) > 0.5).float()
    known[..., 8:20, 8:24] = 0
    filled = push_pull(field, known)
    low, high = field[known > 0].min(), field[known > 0].max()
    assert (filled >= low - 1e-6).all()
    assert (filled <= high + 1e-6).all()
    steps = filled[..., 9:19, 9:23].diff(dim=3).abs()
    assert steps.max() < 0.2  # smooth, not noise


def test_nothing_known_is_zero_and_has_a_finite_gradient() -> None:
    field = noise(1, 2, 8, 8).requires_grad_()
    known = torch.zeros(1, 1, 8, 8, requires_grad=True)
    filled = push_pull(field, known)
    assert not filled.any()
    for gradient in torch.autograd.grad(filled.sum(), (field, known)):
        assert gradient.isfinite().all()


def test_pixel_positions_are_those_of_the_grid_of_arrays() -> None:
    assert np.array_equal(pixel_xy(torch.zeros(5, 7))[0].permute(1, 2, 0).numpy(), pixel_maps.pixel_grid(5, 7))


def test_arrays_are_filled_alike() -> None:
    """With a wider filter: the same where values are known, and about the same elsewhere."""
    h, w = 40, 56
    x, y = torch.meshgrid(torch.linspace(0, 3, w), torch.linspace(0, 2, h), indexing="xy")
    field = torch.stack([10 * torch.sin(x), 5 * x * y])[None]
    known = (noise(1, 1, h, w) > 0.8).float()
    known[..., 10:30, 20:40] = 0
    filled = push_pull(field, known)[0].permute(1, 2, 0).numpy()
    reference = pixel_maps.push_pull(field[0].permute(1, 2, 0).contiguous().numpy(), known[0, 0].numpy())
    assert np.allclose(filled[known[0, 0] > 0], reference[known[0, 0] > 0], atol=1e-5)
    assert np.abs(filled - reference).mean() < 0.03 * np.ptp(reference)
    assert np.abs(filled - reference).max() < 0.3 * np.ptp(reference)
