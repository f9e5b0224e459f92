import numpy as np
import pytest
import torch
from torch import nn

from mtl.affinity import Affinity
from mtl.optimization import Parameters, ParameterUpdater
from mtl.strategies.task_groups import TaskGroups

TASKS = ("a", "b", "c")  # a and b pull the shared parameters one way, c the other


class Opposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Parameter(torch.tensor([0.3, -0.2]))
        self.own = nn.ParameterDict({task: torch.zeros(2) for task in TASKS})
        self.goal = {"a": torch.tensor([3.0, 1.0]), "b": torch.tensor([2.5, 1.5]), "c": torch.tensor([-3.0, -1.0])}

    def losses(self, tasks):
        return {task: (self.shared + 0.1 * self.own[task] - self.goal[task]).square().sum() for task in tasks}

    def updates(self, rate=2e-3):
        own = {task: [self.own[task]] for task in TASKS}
        return ParameterUpdater(Parameters([self.shared], own), torch.optim.SGD(self.parameters(), lr=rate))


def trained(steps=120, **options):
    net = Opposed()
    strategy = TaskGroups(TASKS, beta=0.05, **{"warm_up": 50, "preference": 0.0, **options})
    updates = net.updates()
    for _ in range(steps):
        strategy.step(net.losses, updates)
    return strategy


def test_affinity_has_the_signs_of_a_problem_whose_conflicts_are_known():
    table = trained(warm_up=1000).affinity.table
    together = np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
    assert (np.sign(table) == together).all()


def test_tasks_that_help_each_other_are_grouped():
    assert trained().groups == (("a", "b"), ("c",))


def test_an_observation_by_hand():
    affinity = Affinity(TASKS, decay=0.1)
    affinity.observe(["a"], {"a": 2.0, "b": 4.0, "c": 1.0}, {"a": 1.0, "b": 3.0, "c": 1.5})
    assert affinity.table == pytest.approx(np.array([[0.05, 0.025, -0.05], [0, 0, 0], [0, 0, 0]]))
    # In a group of two everything counts half; b and c both gain, a is outside.
    affinity.observe(["b", "c"], {"a": 2.0, "b": 4.0, "c": 1.0}, {"a": 3.0, "b": 3.0, "c": 0.5})
    assert affinity.table[1:] == pytest.approx(np.array([[-0.025, 0.0125, 0.025], [-0.025, 0.0125, 0.025]]))


def test_members_at_odds_and_losses_of_oneself_by_hand():
    affinity = Affinity(TASKS, decay=1.0)
    affinity.observe(["a", "b"], dict.fromkeys(TASKS, 1.0), {"a": 0.6, "b": 1.2, "c": 1.0})
    # a gains .2, b loses .1 (halved): at odds, so -max(.2, -.1) both ways; b's own loss is ignored.
    assert affinity.table == pytest.approx(np.array([[0.2, -0.2, 0], [-0.2, 0, 0], [0, 0, 0]]))
    affinity.observe(["a", "b"], dict.fromkeys(TASKS, 1.0), {"a": 1.2, "b": 1.4, "c": 1.0})
    assert affinity.table[:2, :2] == pytest.approx(np.array([[0.2, -0.2], [-0.1, 0]]))  # both lost


def test_a_loss_of_zero_says_nothing():
    affinity = Affinity(TASKS, decay=1.0)
    affinity.observe(["a"], {"a": 1.0, "b": 0.0, "c": -1.0}, dict.fromkeys(TASKS, 0.5))
    assert affinity.table == pytest.approx(np.array([[0.5, 0, 0], [0, 0, 0], [0, 0, 0]]))


def test_relative_affinities_by_hand():
    affinity = Affinity(TASKS, decay=1.0)
    affinity.table = np.array([[2.0, 4.0, 1.0], [1.0, 8.0, -2.0], [4.0, 2.0, 1.0]])
    assert affinity.relative() == pytest.approx(np.array([[1, 0.5, 1], [0.5, 1, -2], [2, 0.25, 1]]))


def test_the_groups_do_not_depend_on_the_order_of_the_tasks():
    table = np.array([[1.0, 0.6, -0.5, 0.1], [0.7, 1.0, -0.4, 0.0], [-0.3, -0.6, 1.0, 0.5], [0.2, 0.1, 0.4, 1.0]])
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        affinity = Affinity(["abcd"[k] for k in order], decay=1.0)
        affinity.table = table[np.ix_(order, order)]
        assert {frozenset(group) for group in affinity.groups()} == {frozenset("ab"), frozenset("cd")}


def test_two_tasks_are_together_where_they_help_each_other():
    for mutual, groups in ((0.2, (("a", "b"),)), (-0.2, (("a",), ("b",)))):
        affinity = Affinity("ab", decay=1.0)
        affinity.table = np.array([[1.0, mutual], [mutual, 1.0]])
        assert affinity.groups(preference=0.0) == groups


def test_without_an_affinity_to_itself_no_task_is_grouped():
    affinity = Affinity(TASKS, decay=1.0)
    assert affinity.groups() is None
    affinity.observe(["a"], dict.fromkeys(TASKS, 1.0), dict.fromkeys(TASKS, 0.5))
    assert affinity.groups() is None


def test_one_forward_pass_more_than_there_are_groups():
    net, forwards = Opposed(), []

    def closure(tasks):
        forwards.append(torch.is_grad_enabled())
        return net.losses(tasks)

    strategy = TaskGroups(TASKS)
    decision = strategy.step(closure, net.updates())
    assert forwards == [True, True, True, False]
    assert sorted(decision.groups) == [("a",), ("b",), ("c",)]


def test_between_measurements_only_the_tasks_of_the_group_are_computed():
    net, asked = Opposed(), []

    def closure(tasks):
        asked.append(tuple(tasks))
        return net.losses(tasks)

    strategy, updates = TaskGroups(TASKS, measure_every=3), net.updates()
    results = [strategy.step(closure, updates) for _ in range(4)]
    once = [(*group, *(task for task in TASKS if task not in group)) for group in results[0].groups] + [TASKS]
    again = [(*group, *(task for task in TASKS if task not in group)) for group in results[3].groups] + [TASKS]
    assert asked == [*once, *results[1].groups, *results[2].groups, *again]
    assert all(set(result.losses) == set(TASKS) for result in results)


def test_rare_measurements_give_the_same_affinities_and_groups():
    often, rarely = trained(steps=400), trained(steps=400, measure_every=5)
    assert rarely.groups == often.groups == (("a", "b"), ("c",))
    assert rarely.affinity.relative() == pytest.approx(often.affinity.relative(), rel=0.1)


def test_the_order_of_the_groups_changes_but_not_from_run_to_run():
    runs = []
    for _ in range(2):
        net, strategy = Opposed(), TaskGroups(TASKS, seed=4)
        runs.append([strategy.step(net.losses, net.updates()).groups for _ in range(12)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 2


def test_a_single_group_is_measured_too():
    net, strategy = Opposed(), TaskGroups(TASKS, warm_up=0)
    strategy.groups = (TASKS,)
    assert strategy.step(net.losses, net.updates()).groups == (TASKS,)
    assert strategy.affinity.table.any()


def test_the_report_names_affinities_and_groups():
    report = trained().report()
    assert report["affinity/a on b"] > 0 > report["affinity/a on c"]
    assert report["group/a"] == report["group/b"] != report["group/c"]
    assert report["groups"] == 2


def test_what_cannot_be_is_refused():
    for options, words in (
        ({"beta": 0.0}, "beta 0.0: expected a finite number, above 0, up to 1"),
        ({"beta": 1.5, "measure_every": 2}, "beta 1.5"),
        ({"measure_every": 0}, "measure_every 0"),
        ({"warm_up": -1}, "warm_up -1"),
    ):
        with pytest.raises(ValueError, match=words):
            TaskGroups(TASKS, **options)
    with pytest.raises(ValueError, match="the saved state is of"):
        TaskGroups(TASKS, beta=0.1).load_state_dict(TaskGroups(TASKS).state_dict())
