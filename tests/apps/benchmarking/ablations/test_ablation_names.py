"""Names of variants stand where those of mtl.registry stand."""

import pytest
import torch
from task_toys import TASKS, Each, adam, step, updating

from apps.benchmarking.ablations.group_variants import GroupVariant
from apps.benchmarking.ablations.priority_variants import PriorityVariant
from apps.benchmarking.ablations.registry import VARIANTS, needs_task_norms
from mtl.registry import check_names, make_strategy
from mtl.strategies.equal_weights import EqualWeights


def make(spec):
    return make_strategy(spec, TASKS, Each().facts(), VARIANTS)


def test_each_name_gives_its_strategy():
    assert isinstance(make("equal"), EqualWeights)
    assert isinstance(make("priority:phases=first"), PriorityVariant)
    assert isinstance(make("groups:by=random"), GroupVariant)


def test_variants_know_seed_and_settings():
    settings = make("priority:phases=first").settings()
    assert (settings["phases"], settings["seed"], settings["total_steps"]) == ("first", 3, 20)
    settings = make("groups:by=random,seed=5,beta=0.5").settings()
    assert (settings["by"], settings["seed"], settings["beta"]) == ("random", 5, 0.5)


@pytest.mark.parametrize("spec", [
    "uncertainty+priority:owners=random", "instances+groups:by=fixed,warm_up=0", "uncertainty+instances",
])  # fmt: skip
def test_losses_can_be_weighed_before_them(spec):
    check_names(spec, VARIANTS)
    net = Each()
    strategy, optimizer = make_strategy(spec, TASKS, net.facts(), VARIANTS), adam(net)
    before = net.copy()
    for _ in range(3):
        result = strategy.step(net.losses, updating(net, optimizer), torch.arange(8))
    assert set(result.losses) == set(TASKS)
    assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_only_priority_needs_norms():
    assert needs_task_norms("priority:phases=first")
    assert needs_task_norms("uncertainty+priority")
    assert needs_task_norms("task-priority")
    assert not needs_task_norms("groups:by=random")


@pytest.mark.parametrize("spec", ["nope", "priority+groups", "priority+equal", "nope+groups", "equal+priority"])
def test_names_that_do_not_fit_are_refused(spec):
    with pytest.raises(ValueError, match="expected"):
        check_names(spec, VARIANTS)
    with pytest.raises(ValueError, match="expected"):
        make(spec)


@pytest.mark.parametrize(("spec", "words"), [
    ("priority:phases=third", "phases=third: expected one of 'mixed', 'first'"),
    ("priority:owners=nobody", "owners=nobody: expected"),
    ("priority:project=all,owners=random", "without project=all"),
    ("priority:phases=first,schedule=square", "schedule=square, phases=first"),
    ("priority:speed=1", "speed"),
    ("groups:by=colour", "by=colour: expected one of 'affinity'"),
    ("groups:count=2", "count=2, by=affinity: expected"),
    ("groups:by=random,count=0", "count=0"),
    ("groups:by=random,count=3", "count=3: expected up to the number of tasks, 2"),
    ("groups:by=fixed,count=two", "count=two"),
    ("groups:attribution=wrong", "attribution=wrong"),
    ("groups:normalise=half", "normalise=half"),
    ("groups:speed=1", "speed"),
    ("groups:warm_up=-1", "warm_up -1"),
])  # fmt: skip
def test_switches_that_there_are_not_are_refused(spec, words):
    with pytest.raises(ValueError, match=words):
        make(spec)


def test_a_variant_resumes():
    net = Each()
    strategy, optimizer = make_strategy("priority:order=random", TASKS, net.facts(), VARIANTS), adam(net)
    step(strategy, net, optimizer)
    again = make_strategy("priority:order=random", TASKS, net.facts(), VARIANTS)
    again.load_state_dict(strategy.state_dict())
    assert again.learned_state() == {"step": 1}
    with pytest.raises(ValueError, match="the saved state is of"):
        make("priority").load_state_dict(strategy.state_dict())
