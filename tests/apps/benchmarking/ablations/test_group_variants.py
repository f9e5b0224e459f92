"""Each switch of `groups` does what its name says, and without one it is task groups."""

import numpy as np
import pytest
import torch
from torch import nn

from apps.benchmarking.ablations.group_variants import HalfNormalisedAffinity
from apps.benchmarking.ablations.registry import VARIANTS
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy

GOALS = {"a": 3.0, "b": 2.5, "c": 3.5, "d": -3.0}  # a, b and c pull one way, d the other
OPTIONS = "beta=0.05,warm_up=20,preference=0"


class Pulled(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Parameter(torch.tensor(0.3))
        self.own = nn.ParameterDict({task: torch.tensor(0.0) for task in GOALS})

    def losses(self, tasks):
        return {task: (self.shared + 0.1 * self.own[task] - GOALS[task]).square() for task in tasks}

    def updates(self):
        own = {task: [self.own[task]] for task in GOALS}
        return ParameterUpdater(Parameters([self.shared], own), torch.optim.SGD(self.parameters(), lr=2e-3))


def make(spec, seed=0):
    return make_strategy(spec, tuple(GOALS), TrainingContext(seed=seed), VARIANTS)


def trained(spec, steps=60, seed=0):
    """The network, the strategy, and its groups after each step."""
    net, strategy = Pulled(), make(spec, seed)
    updates, groups = net.updates(), []
    for _ in range(steps):
        strategy.step(net.losses, updates)
        groups.append(strategy.groups)
    return net, strategy, groups


def sizes(groups):
    return sorted(len(group) for group in groups)


def test_without_a_switch_it_is_task_groups():
    library, variant = trained(f"task-groups:{OPTIONS}"), trained(f"groups:{OPTIONS}")
    assert library[2] == variant[2]
    assert library[2][-1] == (("a", "b", "c"), ("d",))
    for first, second in zip(library[0].parameters(), variant[0].parameters(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize(("by", "different"), [("random", 3), ("fixed", 1)])
def test_drawn_groups_have_the_sizes_of_those_of_affinity(by, different):
    spec, seen = f"groups:by={by},{OPTIONS}", set()
    for seed in range(3):
        _, strategy, groups = trained(spec, seed=seed)
        assert {len(group) for group in groups[:20]} == {4}  # the warm-up
        assert sizes(groups[-1]) == sizes(strategy.affinity.groups(0.0))
        settled = {frozenset(map(frozenset, now)) for now in groups[-20:] if sizes(now) == [1, 3]}
        assert len(settled) >= different if by == "random" else len(settled) == different
        seen |= settled
    assert len(seen) > 1  # other seeds, other members


@pytest.mark.parametrize(("count", "expected"), [(1, [4]), (2, [2, 2]), (3, [1, 1, 2]), (4, [1, 1, 1, 1])])
def test_the_number_of_groups(count, expected):
    for by in ("random", "fixed"):
        _, _, groups = trained(f"groups:by={by},count={count},{OPTIONS}", steps=30)
        assert all(sizes(now) == expected for now in groups[20:])
        assert all(sorted(task for group in now for task in group) == list(GOALS) for now in groups)


def test_released_attribution_credits_the_next_group():
    before, after_a = {"a": 2.0, "b": 4.0, "c": 1.0, "d": 1.0}, {"a": 1.0, "b": 3.0, "c": 1.5, "d": 1.0}
    losses = [before, after_a, dict.fromkeys(GOALS, 1.0), dict.fromkeys(GOALS, 0.1), dict.fromkeys(GOALS, 0.1)]
    groups = tuple((task,) for task in GOALS)
    correct, released = make("groups:beta=1"), make("groups:attribution=released,beta=1")
    for strategy in (correct, released):
        strategy._observe(groups, losses)
    by_a = [0.5, 0.25, -0.5, 0.0]
    assert correct.affinity.table[0] == pytest.approx(by_a)
    assert released.affinity.table[0] == pytest.approx([0, 0, 0, 0])  # the last change is never seen
    assert released.affinity.table[1] == pytest.approx(by_a)
    assert released.affinity.table[3] == pytest.approx([0.9, 0.9, 0.9, 0.9])


def test_released_attribution_of_one_group_is_right():
    tables = []
    for attribution in ("correct", "released"):
        spec = f"groups:by=fixed,count=1,attribution={attribution},beta=0.1,warm_up=0"
        tables.append(trained(spec, steps=3)[1].affinity.table)
    assert np.array_equal(*tables)
    assert tables[0].any()


def test_released_normalisation_by_hand():
    affinity = HalfNormalisedAffinity("abc", decay=1.0)
    affinity.table = np.array([[2.0, 4.0, 1.0], [1.0, 8.0, -2.0], [4.0, 2.0, 1.0]])
    assert affinity.relative() == pytest.approx(np.array([[1, 0.5, 1], [1, 1, -2], [4, 2, 1]]))


def test_released_normalisation_is_what_the_strategy_uses():
    strategy = trained(f"groups:normalise=released,{OPTIONS}")[1]
    report, table = strategy.report(), strategy.affinity.table
    assert report["affinity/a on d"] == pytest.approx(table[0, 3] / table[3, 3])
    assert report["affinity/d on a"] == pytest.approx(table[3, 0])
