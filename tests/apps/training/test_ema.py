import torch
from torch import nn

from apps.training.ema import averaged_model


def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def drift(net, seed):
    """Parameters and running statistics change, as in a training step."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.randn_like(parameter)
    net(torch.randn(2, 3, 5, 5))


def test_the_decay_rises_to_its_final_value():
    net = make_net()
    average = averaged_model(net, decay=0.25)
    expected = net[0].weight.detach().clone()
    for step, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 0.25, 0.25]):
        drift(net, step)
        average.update_parameters(net)
        expected = decay * expected + (1 - decay) * net[0].weight.detach()
        assert torch.allclose(average.module[0].weight, expected, atol=1e-6)


def test_buffers_are_copied_and_parameters_that_stay_are_kept_exactly():
    net = make_net()
    net[0].requires_grad_(False)
    average = averaged_model(net, decay=0.999)
    for step in range(3):
        torch.manual_seed(step)
        net(torch.randn(2, 3, 5, 5))
        average.update_parameters(net)
    assert all(map(torch.equal, average.module.state_dict().values(), net.state_dict().values()))


def test_a_resumed_average_continues_with_the_same_numbers():
    net = make_net()
    average, resumed = averaged_model(net, decay=0.9), averaged_model(make_net(), decay=0.9)
    for step in range(4):
        drift(net, step)
        average.update_parameters(net)
    resumed.load_state_dict(average.state_dict())
    drift(net, 4)
    for model in (average, resumed):
        model.update_parameters(net)
    assert all(map(torch.equal, average.state_dict().values(), resumed.state_dict().values()))
