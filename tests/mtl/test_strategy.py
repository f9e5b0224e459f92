import math

import pytest
import torch
from torch import nn

from mtl.strategy import EqualWeights, NotFinite, Parameters, StaticWeights, make_strategy

TASKS = ("near", "far")


class Net(nn.Module):
    """A shared layer and one head for each task."""

    def __init__(self, tasks=TASKS):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(5, 4)
        self.heads = nn.ModuleDict({task: nn.Linear(4, 1) for task in tasks})
        self.inputs = torch.randn(8, 5)

    def losses(self, tasks):
        features = torch.tanh(self.trunk(self.inputs))
        return {task: (self.heads[task](features) - len(task)).square().mean() for task in tasks}

    def split(self):
        own = {task: list(head.parameters()) for task, head in self.heads.items()}
        return Parameters(list(self.trunk.parameters()), own)

    def copy(self):
        return [parameter.detach().clone() for parameter in self.parameters()]


def adam(net):
    return torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.1)


def step(strategy, net, optimizer=None, closure=None, clip=None):
    return strategy.step(closure or net.losses, net.split(), optimizer or adam(net), torch.Tensor.backward, clip)


def train_plainly(net, weights, steps, clip=None):
    optimizer = adam(net)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(weights[task] * loss for task, loss in net.losses(TASKS).items()).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("strategy", "weights"),
    [
        (EqualWeights(TASKS), {"near": 1, "far": 1}),
        (StaticWeights(TASKS, {"far": 0.25, "near": 3}), {"near": 3, "far": 0.25}),
    ],
)
def test_a_weighted_sum_trains_as_written_by_hand_bit_for_bit(strategy, weights):
    net, plain = Net(), Net()
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

    decision = EqualWeights(TASKS).step(net.losses, net.split(), adam(net), backward, None)
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

    with pytest.raises(NotFinite, match=f"'far' is {value}") as caught:
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

    with pytest.raises(NotFinite, match="not finite") as caught:
        step(EqualWeights(TASKS), net, closure=closure, clip=clip)
    assert caught.value.task == task
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net, losses: {**losses, "far": losses["far"].detach()}, "'far' has no gradient"),
        (lambda net, losses: {**losses, "far": net.trunk.bias.sum()}, "'far' reaches none of the task's own"),
        (lambda net, losses: {**losses, "far": losses["far"].expand(3)}, r"'far': shape \(3,\)"),
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
    parameters, strategy = Parameters(list(net.parameters()), {"near": []}), EqualWeights(["near"])
    with pytest.raises(ValueError, match="reach no parameter"):
        strategy.step(lambda tasks: {"near": other * 2}, parameters, adam(net), torch.Tensor.backward, None)


def test_tasks_may_have_no_parameters_of_their_own_and_parts_may_be_frozen():
    net = Net()
    net.trunk.requires_grad_(False)
    frozen = net.trunk.weight.clone()
    parameters = Parameters(list(net.parameters()), {task: [] for task in TASKS})
    optimizer = torch.optim.SGD(net.heads.parameters(), lr=0.1)
    decision = EqualWeights(TASKS).step(net.losses, parameters, optimizer, torch.Tensor.backward, 1.0)
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


def test_strategies_are_made_by_name():
    assert make_strategy("equal", TASKS).weights == {"near": 1, "far": 1}
    strategy = make_strategy("static", TASKS, weights={"far": 0, "near": 2})
    assert strategy.tasks == TASKS
    assert strategy.weights == {"near": 2, "far": 0}


@pytest.mark.parametrize(
    ("name", "tasks", "options", "words"),
    [
        ("equl", TASKS, {}, "strategy 'equl': expected one of 'equal', 'static'"),
        ("equal", [], {}, "expected one or more"),
        ("equal", ["near", "near"], {}, "each named once"),
        ("equal", TASKS, {"weights": {"near": 1, "far": 1}}, "strategy 'equal': .* unexpected .* 'weights'"),
        ("static", TASKS, {}, "strategy 'static': missing .* 'weights'"),
        ("static", TASKS, {"weights": {"near": 1}}, "no weights for 'far'"),
        ("static", TASKS, {"weights": {"near": 1, "far": 1, "sky": 1}}, "weights for unknown 'sky'"),
        ("static", TASKS, {"weights": {"near": 1, "far": -1}}, "weight -1 of task 'far'"),
        ("static", TASKS, {"weights": {"near": 1, "far": math.nan}}, "weight nan of task 'far'"),
        ("static", TASKS, {"weights": {"near": 0, "far": 0}}, "none is above 0"),
    ],
)
def test_what_makes_no_strategy_is_refused(name, tasks, options, words):
    with pytest.raises(ValueError, match=words):
        make_strategy(name, tasks, **options)


def test_the_state_fits_a_strategy_of_the_same_tasks_and_weights_only():
    weights = {"near": 2.0, "far": 0.5}
    state = StaticWeights(TASKS, weights).state_dict()
    again = StaticWeights(TASKS, weights)
    again.load_state_dict(state)
    assert again.state_dict() == state
    for other in (EqualWeights(TASKS), EqualWeights(["near"]), StaticWeights(TASKS, {"near": 2, "far": 0.6})):
        with pytest.raises(ValueError, match="resume with the tasks and weights of the saved run"):
            other.load_state_dict(state)
