import pytest
import torch
from torch import nn

from apps.training.ema import MovingAverage
from stitching.errors import InputError


def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def drift(net, step):
    """What training does, for the test: parameters and running statistics change."""
    torch.manual_seed(step)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.randn_like(parameter)
    net(torch.randn(2, 3, 5, 5))


def test_it_is_the_series_computed_by_hand_with_a_start_that_follows_quickly():
    net = make_net()
    average = MovingAverage(net, decay=0.25)
    expected = net[0].weight.detach().clone()
    for step, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 0.25, 0.25]):
        drift(net, step)
        average.update(net)
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
        assert torch.allclose(average.weights()["0.weight"], expected, atol=1e-6)


def test_buffers_are_copied():
    net = make_net()
    average = MovingAverage(net, decay=0.9)
    for step in range(3):
        drift(net, step)
        average.update(net)
    weights = average.weights()
    assert weights.keys() == net.state_dict().keys()
    for name, buffer in net.named_buffers():
        assert torch.equal(weights[name], buffer)
    assert weights["1.num_batches_tracked"] == 3


def test_it_starts_from_the_weights_and_keeps_what_does_not_move():
    net = make_net()
    net[0].requires_grad_(False)
    average = MovingAverage(net, decay=0.999)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for _ in range(20):
        average.update(net)
    assert all(torch.equal(tensor, before[name]) for name, tensor in average.weights().items())


def test_weights_are_a_copy_that_a_network_can_load():
    net, shown = make_net(), make_net()
    average = MovingAverage(net, decay=0.9)
    weights = average.weights()
    weights["0.weight"].zero_()
    drift(net, 0)
    average.update(net)
    shown.load_state_dict(average.weights())
    assert shown[0].weight.abs().sum() > 1


def test_weights_of_16_bits_are_averaged_in_32():
    net = nn.Linear(1, 1, bias=False).bfloat16()
    nn.init.constant_(net.weight, 1.0)
    average = MovingAverage(net, decay=0.999)
    average.load_state_dict({"updates": 100_000, "weights": {"weight": torch.ones(1, 1)}})
    nn.init.constant_(net.weight, 2.0)
    for _ in range(1000):
        average.update(net)  # each moves it by less than 16 bits resolve
    assert average.weights()["weight"].dtype == torch.bfloat16
    assert average.weights()["weight"].item() == pytest.approx(2 - 0.999**1000, abs=0.01)


def test_a_resumed_average_goes_on_with_the_same_numbers():
    net = make_net()
    average = MovingAverage(net, decay=0.9)
    for step in range(4):
        drift(net, step)
        average.update(net)
    resumed = MovingAverage(make_net(), decay=0.9)
    resumed.load_state_dict(average.state_dict())
    drift(net, 4)
    for one in (average, resumed):
        one.update(net)
    first, second = average.weights(), resumed.weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_does_not_fit_is_refused():
    average = MovingAverage(make_net(), decay=0.9)
    with pytest.raises(InputError, match="another network"):
        average.load_state_dict(MovingAverage(nn.Linear(2, 2), decay=0.9).state_dict())
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(InputError, match="decay"):
            MovingAverage(make_net(), decay)
