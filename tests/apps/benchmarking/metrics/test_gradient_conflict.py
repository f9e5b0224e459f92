"""Angles between the gradients of tasks."""

from math import isnan

import pytest
import torch
from torch import nn

from apps.benchmarking.metrics.gradient_conflict import group_by_layer, measure_conflict, undisturbed


def test_a_layer_is_a_weight_with_what_follows_it():
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1))
    layers = group_by_layer(trunk.named_parameters(), trunk.parameters())
    assert {name: len(group) for name, group in layers.items()} == {"0": 3, "3": 2}
    own = set(trunk[1].parameters())
    shared = [parameter for parameter in trunk.parameters() if parameter not in own]
    assert {name: len(group) for name, group in group_by_layer(trunk.named_parameters(), shared).items()} == {
        "0": 1, "3": 2,
    }  # fmt: skip


def test_cosines_and_lengths_are_those_of_the_gradients():
    first, second = (nn.Parameter(torch.zeros(1, 2)) for _ in range(2))
    first.grad = torch.ones(1, 2)
    losses = {
        "a": 3 * first[0, 0] + second[0, 0],
        "b": -3 * first[0, 0] + second[0, 1],
        "c": 4 * first[0, 1],
    }
    found = measure_conflict(0.5, {"first": [first], "second": [second]}, losses)
    assert found.cosines["a / b"] == pytest.approx([-9 / 10, -1, 0])
    assert found.cosines["a / c"][:2] == [0, 0]
    assert isnan(found.cosines["a / c"][2])  # c does not depend on the second layer
    assert found.lengths == {"a": pytest.approx([10**0.5, 3, 1], rel=1e-3),
                             "b": pytest.approx([10**0.5, 3, 1], rel=1e-3), "c": [4, 4, 0]}  # fmt: skip
    assert first.grad.tolist() == [[1, 1]]
    assert second.grad is None


def test_what_runs_undisturbed_leaves_no_trace():
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    with undisturbed(network):
        network(torch.rand(8, 2))
    assert torch.rand(1) == expected
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
