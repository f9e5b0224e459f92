"""Each switch of `priority` does what its name says, and without one it is task priority."""

import pytest
import torch
from task_toys import TASKS, Each, adam, equal, step

from apps.benchmarking.ablations.priority_variants import project_all_pairs
from apps.benchmarking.ablations.registry import VARIANTS
from mtl.connection_strength import top_tasks
from mtl.registry import make_strategy
from mtl.strategies.task_priority import project_on_priority

ONE_BY_ONE, AT_ONCE = (("near",), ("far",)), (TASKS,)


def make(spec, net=None):
    net = net or Each()
    return make_strategy(spec, tuple(net.heads), net.facts(), VARIANTS)


def groups_of(spec, steps=20, net=None):
    """The updates of each step of a training."""
    net = net or Each()
    strategy, optimizer = make(spec, net), adam(net)
    return [step(strategy, net, optimizer).groups for _ in range(steps)]


def strengths(net):
    """Channels 0, 1 and 2 belong to the first task, 3 to the second."""
    (layer,) = net.facts().layers
    near, far = net.heads
    layer.norms[near].weight.data = torch.tensor([2.0, 2.0, 2.0, 1.0])
    layer.norms[far].weight.data = torch.tensor([1.0, 1.0, 1.0, 2.0])
    assert top_tasks(layer, (near, far)).tolist() == [0, 0, 0, 1]
    return layer


def test_without_a_switch_it_is_task_priority():
    nets = {spec: Each() for spec in ("task-priority", "priority", "priority:phases=mixed,owners=strength")}
    phases = [groups_of(spec, net=net) for spec, net in nets.items()]
    assert phases[0] == phases[1] == phases[2]
    assert set(phases[0]) == {ONE_BY_ONE, AT_ONCE}
    first, second, third = nets.values()
    assert equal(first, second)
    assert equal(first, third)


def test_phases():
    assert groups_of("priority:phases=first") == [ONE_BY_ONE] * 20
    assert groups_of("priority:phases=second") == [AT_ONCE] * 20
    assert groups_of("priority:phases=sequential") == [ONE_BY_ONE] * 10 + [AT_ONCE] * 10


@pytest.mark.parametrize(("schedule", "start", "half"), [("linear", 0, 50), ("constant", 50, 50), ("square", 0, 25)])
def test_the_schedule_of_the_second_phase(schedule, start, half):
    strategy = make(f"priority:schedule={schedule}")
    assert strategy.phase() == (f"phase 2 in {start}%" if start else "phase 1")
    strategy.load_learned_state({"step": 10})  # of 20
    assert strategy.phase() == f"phase 2 in {half}%"


def test_the_order_of_the_first_phase():
    orders = groups_of("priority:phases=first,order=random")
    assert set(orders) == {ONE_BY_ONE, ONE_BY_ONE[::-1]}
    assert orders == groups_of("priority:phases=first,order=random")


def test_random_owners_have_as_many_channels_but_others():
    net = Each()
    layer = strengths(net)
    strategy = make("priority:owners=random", net)
    (own_layer,) = strategy._layers
    assert own_layer.weight is layer.weight
    dealt = [strategy._find_owners(own_layer, ()).tolist() for _ in range(2)]
    assert dealt[0] == dealt[1] != [0, 0, 0, 1]
    assert sorted(dealt[0]) == [0, 0, 0, 1]


def test_one_owner_of_a_layer_is_the_one_with_most_channels():
    net = Each()
    layer = strengths(net)
    assert make("priority:owners=layer", net)._find_owners(layer, ()).tolist() == [0, 0, 0, 0]


def test_the_longest_gradient_owns_a_channel():
    near = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.1, 0.1], [-5.0, 0.0]])
    far = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, -0.1], [3.0, 3.0]])
    net = Each()
    layer = strengths(net)
    strategy = make("priority:owners=gradient", net)
    assert strategy._find_owners(layer, [near, far]).tolist() == [0, 1, 0, 0]
    expected = project_on_priority([near, far], torch.tensor([0, 1, 0, 0]))
    for found, wanted in zip(strategy._resolve(layer, [near, far]), expected, strict=True):
        assert torch.equal(found, wanted)


def test_all_pairs_are_projected_by_hand():
    first, second = torch.tensor([[1.0], [0.0]]), torch.tensor([[-1.0], [1.0]])
    found = project_all_pairs([first, second], torch.Generator())
    assert found[0].flatten().tolist() == [0.5, 0.5]  # (1, 0) + 1 / 2 (-1, 1)
    assert found[1].flatten().tolist() == [0, 1]  # (-1, 1) + (1, 0)
    assert first.flatten().tolist() == [1, 0]
    agreeing = [torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [1.0]])]
    assert torch.equal(torch.stack(project_all_pairs(agreeing, torch.Generator())), torch.stack(agreeing))


def test_all_pairs_ask_no_owner():
    net = Each()
    layer = strengths(net)
    opposed = [torch.ones(4, 5), -torch.ones(4, 5)]
    assert all(not g.any() for g in make("priority:project=all", net)._resolve(layer, opposed))
    kept = make("priority", net)._resolve(layer, opposed)
    assert kept[0].sum(1).tolist() == [5, 5, 5, 0]
    assert kept[1].sum(1).tolist() == [0, 0, 0, -5]
