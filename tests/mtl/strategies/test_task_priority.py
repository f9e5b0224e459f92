import copy

import pytest
import torch
from torch import nn

from mtl.connection_strength import find_layers, top_tasks
from mtl.optimization import Parameters, ParameterUpdater
from mtl.strategies.task_priority import TaskPriority, project_on_priority
from mtl.task_norm import convert_to_task_norms, use_task

TASKS = ("near", "far")


class Net(nn.Module):
    """A shared convolution with norms for each task, and heads."""

    def __init__(self, tasks=TASKS):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = convert_to_task_norms(
            nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 3, 1)), tasks
        )
        self.heads = nn.ModuleDict({task: nn.Conv2d(3, 1, 1) for task in tasks})
        self.inputs, self.wanted = torch.randn(4, 2, 8, 8), {task: torch.randn(4, 1, 6, 6) for task in tasks}
        for place, task in enumerate(tasks):
            self.trunk[1].norms[task].weight.data = torch.rand(6, generator=torch.Generator().manual_seed(place)) + 0.5

    def losses(self, tasks):
        found = {}
        for task in tasks:
            with use_task(self.trunk, task):
                found[task] = (self.heads[task](self.trunk(self.inputs)) - self.wanted[task]).square().mean()
        return found

    def updates(self, **more):
        shared = list(self.trunk.parameters())
        own = {task: list(head.parameters()) for task, head in self.heads.items()}
        return ParameterUpdater(Parameters(shared, own), torch.optim.SGD(self.parameters(), lr=0.1), **more)

    def layers(self):
        def run():
            with use_task(self.trunk, next(iter(self.heads))):
                self.trunk(self.inputs)

        return find_layers(self.trunk, run)


def make(net, **options):
    return TaskPriority(tuple(net.heads), net.layers(), **{"total_steps": 10, **options})


def at_the_end(strategy):
    """All epochs are done, so the next step is of phase 2; the first step of a training is of phase 1."""
    strategy.load_learned_state({"step": 10})
    return strategy


def same(first, second):
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_phase_one_updates_the_tasks_one_after_another():
    net = Net()
    by_hand, strategy = copy.deepcopy(net), make(net)
    decision = strategy.step(net.losses, net.updates())
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    for task in TASKS:
        optimizer.zero_grad()
        by_hand.losses([task])[task].backward()
        optimizer.step()
    assert decision.groups == (("near",), ("far",))
    assert same(net, by_hand)


def test_phase_two_projects_the_shared_layer_and_adds_the_rest():
    net = Net()
    by_hand, strategy = copy.deepcopy(net), at_the_end(make(net))
    layer = by_hand.layers()[0]
    parameters = list(by_hand.parameters())
    gradients = []
    for task in TASKS:
        loss = by_hand.losses([task])[task]
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        gradients.append({p: g for p, g in zip(parameters, found, strict=True) if g is not None})
    owners = top_tasks(layer, TASKS)
    assert set(owners.tolist()) == {0, 1}
    kernels = project_on_priority([gradient[layer.weight] for gradient in gradients], owners)
    with torch.no_grad():
        for parameter in parameters:
            summed = sum(gradient.get(parameter, torch.zeros(())) for gradient in gradients)
            parameter -= 0.1 * (sum(kernels) if parameter is layer.weight else summed)
    decision = strategy.step(net.losses, net.updates())
    assert decision.groups == (TASKS,)
    assert same(net, by_hand)


def test_the_first_phase_becomes_rare_in_proportion_to_the_epochs_done():
    net, steps, epoch = Net(), 4000, 40
    strategy = make(net, total_steps=steps, steps_per_epoch=epoch)
    strategy._keep_priority, strategy._learn_priority = lambda *_: 2, lambda *_: 1
    assert strategy.phase() == "phase 1"
    phases = torch.tensor([strategy.step(net.losses, net.updates()) for _ in range(steps)])
    assert strategy.phase() == "phase 2 in 100%"
    assert phases[:epoch].eq(1).all()  # no epoch is done
    for part in range(4):
        second = phases[part * 1000 : part * 1000 + 1000].eq(2).float().mean()
        assert second == pytest.approx((part * 1000 + 480) / steps, abs=0.06)


@pytest.mark.parametrize("phase", [make, lambda net: at_the_end(make(net))], ids=["phase 1", "phase 2"])
def test_one_task_is_plain_training(phase):
    net = Net(["near"])
    plain, strategy = copy.deepcopy(net), phase(net)
    strategy.step(net.losses, net.updates())
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    plain.losses(["near"])["near"].backward()
    optimizer.step()
    assert same(net, plain)


def test_tasks_that_share_their_norms_are_trained_as_one():
    net = Net()
    layers = net.layers()
    for layer in layers:
        layer.norms["far"] = layer.norms["near"]
    strategy = TaskPriority(TASKS, layers, total_steps=10)
    assert strategy.step(net.losses, net.updates()).groups == (TASKS,)


def test_the_report_says_which_task_owns_which_share_of_each_layer():
    net = Net()
    report = make(net).report()
    owners = top_tasks(net.layers()[0], TASKS)
    assert report["channels/near/0"] == pytest.approx((owners == 0).sum() / 6)
    assert report["channels/far/0"] == pytest.approx((owners == 1).sum() / 6)


def test_what_cannot_be_is_refused():
    net = Net()
    for options, words in (
        ({"total_steps": 0}, "total_steps 0: expected a whole number, 1 or above"),
        ({"seed": 1.5}, "seed 1.5: expected a whole number"),
        ({"steps_per_epoch": 0}, "steps_per_epoch 0"),
    ):
        with pytest.raises(ValueError, match=words):
            make(net, **options)
    with pytest.raises(ValueError, match="no shared layers"):
        TaskPriority(TASKS, [], total_steps=10)
    with pytest.raises(ValueError, match="no norms in layer '0' for 'sky'"):
        TaskPriority([*TASKS, "sky"], net.layers(), total_steps=10)
    with pytest.raises(ValueError, match="the saved state is of"):
        make(net, total_steps=20).load_state_dict(make(net).state_dict())
