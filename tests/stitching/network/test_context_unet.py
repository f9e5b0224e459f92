"""The U-Net that extrapolates warps."""

import pytest
import torch

from stitching.network.context_unet import ContextUNet


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (5, 11), (32, 40)])
def test_it_keeps_the_size_and_looks_everywhere(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = ContextUNet(6, 16, 32)
    x = torch.rand(2, 6, *size).requires_grad_()
    features = network(x)
    assert features.shape == (2, 16, *size)
    (gradient,) = torch.autograd.grad(features[..., 0, 0].square().sum(), x)
    assert (gradient.abs().sum(1) > 0).all(), "the far corner does not reach the first cell"


def test_a_result_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    network, x = ContextUNet(6, 16, 32), torch.rand(2, 6, 8, 8)
    assert torch.allclose(network(x)[1:], network(x[1:]), atol=1e-4)
