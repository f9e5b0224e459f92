import math

import pytest
import torch
from task_toys import TASKS, Net, adam, equal, step, train_plainly, updating
from torch import nn

from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.strategies.equal_weights import EqualWeights


def test_the_plain_sum_trains_as_written_by_hand_bit_for_bit():
    net, plain, strategy, weights = Net(), Net(), EqualWeights(TASKS), {"near": 1, "far": 1}
    train_plainly(plain, weights, steps=5)
    optimizer = adam(net)
    before = {task: loss.item() for task, loss in net.losses(TASKS).items()}
    decisions = [step(strategy, net, optimizer) for _ in range(5)]
    assert equal(net, plain)
    assert decisions[0].losses == before
    assert decisions[0].weights == weights
    assert decisions[4].losses["far"] < decisions[0].losses["far"]


def test_one_task_is_plain_training():
    net, plain = Net(["near"]), Net(["near"])
    step(EqualWeights(["near"]), net)
    optimizer = adam(plain)
    plain.losses(["near"])["near"].backward()
    optimizer.step()
    assert equal(net, plain)


def test_clipping_is_that_of_torch_and_norms_are_those_before_it():
    net, plain = Net(), Net()
    train_plainly(plain, dict.fromkeys(TASKS, 1), steps=1, clip=0.5)
    norms = step(EqualWeights(TASKS), net, clip=0.5).norms
    gradient = torch.cat([parameter.grad.flatten() for parameter in net.parameters()])
    assert gradient.norm() == pytest.approx(0.5, rel=1e-5)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)

    unclipped = Net()
    assert step(EqualWeights(TASKS), unclipped).norms == norms
    parts = {"shared": unclipped.trunk, **unclipped.heads}
    lengths = {
        name: math.hypot(*(parameter.grad.norm() for parameter in part.parameters())) for name, part in parts.items()
    }
    assert norms.shared == pytest.approx(lengths.pop("shared"))
    assert norms.tasks == pytest.approx(lengths)
    assert norms.total == pytest.approx(math.hypot(norms.shared, *lengths.values()))


def test_a_short_gradient_is_not_clipped():
    net, free = Net(), Net()
    assert step(EqualWeights(TASKS), net, clip=1e6) == step(EqualWeights(TASKS), free)
    assert equal(net, free)


def test_gradients_are_none_before_the_closure_runs():
    net = Net()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)

    def closure(tasks):
        assert all(parameter.grad is None for parameter in net.parameters())
        return net.losses(tasks)

    step(EqualWeights(TASKS), net, closure=closure)
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_backward_handed_in_is_used_once_for_all_tasks():
    net, seen = Net(), []

    def backward(loss):
        seen.append(loss.item())
        loss.backward()

    decision = step(EqualWeights(TASKS), net, backward=backward)
    assert seen == pytest.approx([sum(decision.losses.values())])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_changes_nothing(value):
    net = Net()
    optimizer = adam(net)
    step(EqualWeights(TASKS), net, optimizer)
    before, moments = net.copy(), [{**state} for state in optimizer.state_dict()["state"].values()]

    def closure(tasks):
        losses = net.losses(tasks)
        return {**losses, "far": losses["far"] * value}

    with pytest.raises(NonFiniteError, match=f"'far' is {value}") as caught:
        step(EqualWeights(TASKS), net, optimizer, closure)
    assert caught.value.task == "far"
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    assert [state["step"] for state in optimizer.state_dict()["state"].values()] == [s["step"] for s in moments]


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize(("broken", "task"), [("trunk", None), ("heads.far", "far")])
def test_a_gradient_that_is_not_finite_changes_nothing(broken, task, clip):
    net = Net()
    before = net.copy()

    def closure(tasks):
        # The root of 0 is 0, its slope infinite.
        part = net.get_submodule(broken).bias.sum()
        losses = net.losses(tasks)
        return {**losses, "far": losses["far"] + (part - part.detach()).sqrt()}

    with pytest.raises(NonFiniteError, match="not finite") as caught:
        step(EqualWeights(TASKS), net, closure=closure, clip=clip)
    assert caught.value.task == task
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net, losses: {**losses, "far": losses["far"].detach()}, "'far' has no gradient"),
        (lambda net, losses: {**losses, "far": net.trunk.bias.sum()}, "'far' reaches none of the task's own"),
        (lambda net, losses: {**losses, "far": losses["far"].expand(3, 2)}, r"'far': shape \(3, 2\)"),
        (lambda net, losses: {"near": losses["near"]}, "no losses for 'far'"),
        (lambda net, losses: {**losses, "sky": losses["far"]}, "losses for unknown 'sky'"),
    ],
)
def test_losses_that_cannot_train_every_task_are_refused(change, words):
    net = Net()
    before = net.copy()
    with pytest.raises(ValueError, match=words):
        step(EqualWeights(TASKS), net, closure=lambda tasks: change(net, net.losses(tasks)))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


def test_losses_that_reach_nothing_trained_are_refused():
    net, other = Net(), torch.ones((), requires_grad=True)
    updates = ParameterUpdater(Parameters(list(net.parameters()), {"near": []}), adam(net))
    with pytest.raises(ValueError, match="reach no parameter"):
        EqualWeights(["near"]).step(lambda tasks: {"near": other * 2}, updates)


def test_tasks_may_have_no_parameters_of_their_own_and_parts_may_be_frozen():
    net = Net()
    net.trunk.requires_grad_(False)
    frozen = net.trunk.weight.clone()
    parameters = Parameters(list(net.parameters()), {task: [] for task in TASKS})
    optimizer = torch.optim.SGD(net.heads.parameters(), lr=0.1)
    decision = EqualWeights(TASKS).step(net.losses, ParameterUpdater(parameters, optimizer, clip=1.0))
    assert decision.norms.tasks == {"near": 0, "far": 0}
    assert decision.norms.total == pytest.approx(decision.norms.shared)
    assert torch.equal(net.trunk.weight, frozen)


def test_losses_of_several_precisions_add_up():
    net = Net()

    def closure(tasks):
        losses = net.losses(tasks)
        return {**losses, "far": losses["far"].bfloat16()}

    assert set(step(EqualWeights(TASKS), net, closure=closure).losses) == set(TASKS)


def test_parameters_and_optimizer_must_hold_the_same():
    net = Net()
    with pytest.raises(ValueError, match="of 'far' is listed under 'shared' too"):
        Parameters(list(net.parameters()), {"near": [], "far": list(net.heads["far"].parameters())})
    with pytest.raises(ValueError, match="no parameters for 'sky'; the tasks are 'near', 'far', 'sky'"):
        step(EqualWeights([*TASKS, "sky"]), net)
    with pytest.raises(ValueError, match="parameters for unknown 'far'"):
        step(EqualWeights(["near"]), net)
    with pytest.raises(ValueError, match="lacks 4 of the 6 parameters and has 0 others"):
        step(EqualWeights(TASKS), net, torch.optim.SGD(net.trunk.parameters()))
    with pytest.raises(ValueError, match="clip 0"):
        step(EqualWeights(TASKS), net, clip=0)


def test_losses_of_each_instance_are_averaged():
    net, plain = Net(), Net()
    each = {task: lambda task=task: net.losses([task])[task] * torch.tensor([0.5, 1.5]) for task in TASKS}
    first = step(EqualWeights(TASKS), net, closure=lambda tasks: {task: each[task]() for task in tasks})
    assert first.losses == pytest.approx(step(EqualWeights(TASKS), plain).losses)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("always", [True, False])
def test_gradients_of_parts_are_those_of_their_losses_alone(always, separate):
    net, forwards = Net(["near", "far", "sky"]), []

    def closure(tasks):
        forwards.append(tuple(tasks))
        return net.losses(tasks)

    parts = [["far"], ["near", "sky"]]
    found, values = updating(net, separate_forwards=always).compute_gradients(closure, parts, separate)
    assert forwards == ([("far",), ("near", "sky")] if always or separate else [("far", "near", "sky")])
    assert values == pytest.approx({task: loss.item() for task, loss in net.losses(net.heads).items()})
    parameters = [*net.trunk.parameters(), *net.heads.parameters()]
    for part, gradient in zip(parts, found, strict=True):
        wanted = torch.autograd.grad(sum(net.losses(part).values()), parameters, allow_unused=True)
        for one, other in zip(gradient, wanted, strict=True):
            assert (one is None) == (other is None)
            assert one is None or torch.allclose(one, other, atol=1e-6)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_processes_average_is_what_they_see():
    net = Net()
    decision = step(EqualWeights(TASKS), net, average=lambda values: values * 0 + 7)
    assert decision.losses == {"near": 7, "far": 7}


def test_more_updates_on_a_batch_are_more_steps_of_the_optimizer():
    net, plain = Net(), Net()
    train_plainly(plain, dict.fromkeys(TASKS, 1), steps=3)
    decision = step(EqualWeights(TASKS, updates=3), net)
    assert decision.groups == (TASKS,) * 3
    assert equal(net, plain)
    with pytest.raises(ValueError, match="updates 0"):
        EqualWeights(TASKS, updates=0)


def test_an_update_moves_what_its_losses_reach_and_nothing_else():
    net, plain = Net(), Net()
    optimizer, plain_optimizer = adam(net), adam(plain)
    for task in ("far", "near"):  # the second update meets momentum of the first one
        losses, _ = updating(net, optimizer).update(net.losses, [task], watched=TASKS)
        plain_losses = plain.losses(TASKS)
        assert losses == pytest.approx({name: loss.item() for name, loss in plain_losses.items()})
        plain_optimizer.zero_grad()
        plain_losses[task].backward()
        plain_optimizer.step()
    assert equal(net, plain)


def test_gradients_that_were_computed_move_the_weights_that_they_are_of_whatever_the_layout_in_memory():
    moved = []
    for fused in (True, False):
        torch.manual_seed(0)
        net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1, fused=fused)
        updater = ParameterUpdater(Parameters(list(net.parameters()), {"near": []}), optimizer)
        updater.set_gradients([torch.randn(parameter.shape) for parameter in net.parameters()])
        updater.apply_gradients(["near"])
        moved.append(net.weight.detach())
    assert torch.allclose(*moved, atol=1e-5)
