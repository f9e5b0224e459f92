import pytest
import torch
from torch import Tensor

from stitching.network.context_unet import Extension, push_pull
from stitching.network.refinement import Upsampling


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


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (5, 11), (32, 40)])
def test_extension_keeps_the_size_and_looks_everywhere(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = Extension(6, 16, 32)
    x = noise(2, 6, *size).requires_grad_()
    features = network(x)
    assert features.shape == (2, 16, *size)
    (gradient,) = torch.autograd.grad(features[..., 0, 0].square().sum(), x)
    assert (gradient.abs().sum(1) > 0).all(), "the far corner does not reach the first cell"


def test_a_result_of_the_extension_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    network, x = Extension(6, 16, 32), noise(2, 6, 8, 8)
    assert torch.allclose(network(x)[1:], network(x[1:]), atol=1e-4)


def test_upsampling_of_a_constant_is_that_constant() -> None:
    torch.manual_seed(0)
    upsampling = Upsampling(12, 10)
    field = torch.tensor([-40.0, 0.5, 7.0]).view(1, 3, 1, 1).expand(2, -1, 4, 5)
    large = upsampling(field, noise(2, 12, 4, 5), noise(2, 10, 8, 10))
    assert large.shape == (2, 3, 32, 40)
    assert torch.allclose(large, field[:, :, :1, :1].expand_as(large), rtol=1e-5)


def test_upsampling_stays_within_the_cells_around() -> None:
    """A pixel is a convex combination of 3 x 3 cells: far cells do not reach it, and nothing overshoots."""
    torch.manual_seed(0)
    upsampling = Upsampling(12, 10)
    features, quarter = 5 * noise(1, 12, 4, 6), noise(1, 10, 8, 12)
    field = torch.zeros(1, 1, 4, 6)
    field[..., 1, 2] = 1
    large = upsampling(field, features, quarter)
    assert (large >= 0).all()
    assert (large <= 1).all()
    reached = (large[0, 0] > 0).nonzero()
    assert reached.amin(0).tolist() == [0, 8]
    assert reached.amax(0).tolist() == [23, 31]


def test_upsampling_puts_each_cell_at_its_own_place() -> None:
    """Where the network says "the cell itself", a cell becomes its 8 x 8 pixels."""
    upsampling = Upsampling(12, 10)
    head = upsampling.weights[-1]
    assert isinstance(head, torch.nn.Conv2d)
    with torch.no_grad():
        head.weight.zero_()
        assert head.bias is not None
        head.bias.copy_(100.0 * (torch.arange(9) == 4).float().repeat_interleave(64))
    field = noise(1, 2, 3, 4)
    large = upsampling(field, noise(1, 12, 3, 4), noise(1, 10, 6, 8))
    assert torch.allclose(large, field.repeat_interleave(8, 2).repeat_interleave(8, 3), atol=1e-6)
