"""Learned upsampling: convex combinations of the cells around."""

import torch
from torch import Tensor

from stitching.network.refinement import Upsampling


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


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
