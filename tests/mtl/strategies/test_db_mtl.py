"""Dual balancing, against its formula written out."""

import math

import numpy as np
import pytest
import torch
from task_toys import TASKS, Net, adam, equal, step
from torch import nn

from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.strategies.db_mtl import DualBalancing


class Toy:
    """Tasks that share x: the loss of task k is level_k + slope_k . x + its own y_k; learning rate 1."""

    def __init__(self, strategy):
        self.strategy, self.x = strategy, nn.Parameter(torch.zeros(2))
        self.own = {task: nn.Parameter(torch.zeros(())) for task in strategy.tasks}
        parameters = Parameters([self.x], {task: [y] for task, y in self.own.items()})
        self.updates = ParameterUpdater(parameters, torch.optim.SGD([self.x, *self.own.values()], 1.0))

    def step(self, levels, slopes):
        """What moved x, and each y, downhill."""
        before = [parameter.detach().clone() for parameter in (self.x, *self.own.values())]
        tasks = self.strategy.tasks
        values, lines = dict(zip(tasks, levels, strict=True)), dict(zip(tasks, slopes, strict=True))

        def closure(asked):
            x, own = self.x - before[0], {t: y - b for (t, y), b in zip(self.own.items(), before[1:], strict=True)}
            return {task: values[task] + torch.tensor(lines[task]).float() @ x + own[task] for task in asked}

        self.strategy.step(closure, self.updates)
        moved = [b - p.detach() for b, p in zip(before, (self.x, *self.own.values()), strict=True)]
        return moved[0].numpy(), [float(y) for y in moved[1:]]


@pytest.mark.parametrize(("beta", "sigma"), [(0.9, 0.0), (0.9, 0.5), (0.3, 2.0), (0.0, 0.0)])
def test_direction_is_that_of_averaged_gradients_of_logarithms_made_equally_long(beta, sigma):
    rng = np.random.default_rng(0)
    toy, means = Toy(DualBalancing("abc", beta, sigma)), None
    for t in range(1, 5):
        levels, slopes = rng.uniform(0.1, 5, 3), rng.normal(size=(3, 2))
        gradients = slopes / levels[:, None]
        share = beta / t**sigma
        means = gradients if means is None else share * means + (1 - share) * gradients
        lengths = np.linalg.norm(means, axis=1)
        wanted = levels.mean() * ((lengths.max() / lengths)[:, None] * means).sum(0)
        shared, own = toy.step(levels.tolist(), slopes.tolist())
        np.testing.assert_allclose(shared, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(own, levels.mean() / levels, rtol=1e-5)


@pytest.mark.parametrize("level", [1e-3, 1.0, 1e4])
def test_equal_losses_move_the_network_as_their_sum(level):
    toy = Toy(DualBalancing("abc"))
    for _ in range(3):
        shared, own = toy.step([level] * 3, [[3.0, -4.0]] * 3)
        np.testing.assert_allclose(shared, [9.0, -12.0], rtol=1e-4)
        assert own == pytest.approx([1, 1, 1], rel=1e-4)


def test_neither_the_unit_of_a_loss_nor_the_length_of_its_gradient_turns_the_direction():
    first, _ = Toy(DualBalancing("ab")).step([1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    second, _ = Toy(DualBalancing("ab")).step([1.0, 1000.0], [[1.0, 0.0], [0.0, 5.0]])
    np.testing.assert_allclose(first / np.linalg.norm(first), second / np.linalg.norm(second), rtol=1e-5)


def test_a_task_without_slope_leaves_the_others_theirs():
    shared, _ = Toy(DualBalancing("ab")).step([1.0, 1.0], [[0.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(shared, [0.0, 2.0], rtol=1e-5)


def test_parameters_that_no_loss_reaches_are_left_alone_and_resuming_keeps_that():
    net = Net()
    unused = nn.Parameter(torch.ones(3))
    parameters = Parameters([net.trunk.weight, unused, net.trunk.bias], net.split().tasks)
    updates = ParameterUpdater(parameters, torch.optim.AdamW([*net.parameters(), unused], 0.05, weight_decay=0.1))
    strategy = DualBalancing(TASKS)
    for _ in range(2):
        strategy.step(net.losses, updates)
        again = DualBalancing(TASKS)
        again.load_state_dict(strategy.state_dict())
        strategy = again
    assert unused.grad is None
    assert torch.equal(unused, torch.ones(3))


def test_what_a_task_does_not_reach_now_counts_as_0_and_fades():
    net, strategy = Net(), DualBalancing(TASKS, beta=0.5)
    updates = ParameterUpdater(net.split(), torch.optim.SGD(net.parameters(), 0.0))
    strategy.step(net.losses, updates)
    first = strategy.learned_state()["means"]

    def without_trunk(tasks):
        return {task: net.heads[task](torch.ones(8, 4)).square().mean() + 1 for task in tasks}

    strategy.step(without_trunk, updates)
    for before, after in zip(first[0], strategy.learned_state()["means"][0], strict=True):
        torch.testing.assert_close(after, before / 2)


def test_a_gradient_that_is_not_finite_changes_nothing():
    net, strategy = Net(), DualBalancing(TASKS)
    before = net.copy()
    with pytest.raises(NonFiniteError, match="shared parameters is not finite"):
        step(strategy, net, closure=net.steep_losses)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    assert strategy.learned_state() == {"steps": 0, "means": []}


def test_an_average_that_shrinks_at_once_is_none():
    fading, none = Net(), Net()
    for net, strategy in ((fading, DualBalancing(TASKS, sigma=1e300)), (none, DualBalancing(TASKS, beta=0))):
        optimizer = adam(net)
        for _ in range(3):
            step(strategy, net, optimizer)
    assert equal(fading, none)


def test_a_loss_below_0_is_refused():
    with pytest.raises(ValueError, match=r"loss of task 'b' is -1\.0; db-mtl takes logarithms"):
        Toy(DualBalancing("ab")).step([1.0, -1.0], [[1.0, 0.0]] * 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": 1}, "beta 1: expected a finite number, 0 or above, below 1"),
        ({"beta": -0.1}, "beta -0.1: expected"),
        ({"beta": "much"}, "beta 'much': expected"),
        ({"beta": math.nan}, "beta nan: expected"),
        ({"sigma": -1}, "sigma -1: expected a finite number, 0 or above"),
        ({"sigma": math.inf}, "sigma inf: expected"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        DualBalancing(TASKS, **options)
