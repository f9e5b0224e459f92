"""What is common to all strategies, made by name."""

import math
import sys
from copy import deepcopy

import pytest
import torch
from task_toys import SPECS, TASKS, Each, Net, adam, equal, step, updating

from mtl.optimization import NonFiniteError, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy, needs_instances, needs_task_norms


def steps(strategy, net, optimizer, count):
    updates = ParameterUpdater(net.split(), optimizer)
    return [strategy.step(net.losses, updates, torch.arange(len(net.inputs))) for _ in range(count)]


@pytest.mark.filterwarnings("ignore::UserWarning:cvxpy")
@pytest.mark.parametrize("spec", SPECS)
def test_every_strategy_learns_all_tasks_and_resumes_exactly(spec, tmp_path):
    net = Each()
    strategy, optimizer = net.make(spec), adam(net)
    results = steps(strategy, net, optimizer, 12)
    assert all(results[-1].losses[task] < 0.8 * results[0].losses[task] for task in TASKS)
    assert {task for group in results[-1].groups for task in group} == set(TASKS)
    assert all(math.isfinite(value) for value in strategy.report().values())

    state = strategy.state_dict()
    torch.save(state, tmp_path / "state.pt")
    weights, moments = deepcopy(net.state_dict()), deepcopy(optimizer.state_dict())
    expected = steps(strategy, net, optimizer, 5)
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    for saved in (loaded, state):  # what was saved does not change with the training that goes on
        other = Each()
        again, twin = other.make(spec), adam(other)
        other.load_state_dict(weights)
        again.load_state_dict(saved)
        twin.load_state_dict(deepcopy(moments))
        torch.manual_seed(99)  # torch's own random numbers do not matter
        assert steps(again, other, twin, 5) == expected
        assert again.report() == strategy.report()
        assert equal(net, other)


@pytest.mark.parametrize("spec", [spec.replace(",far=1", "") for spec in SPECS if "+" not in spec])
def test_one_task_is_plain_training(spec):
    """At first: before `instances` and `uncertainty` learn something about it."""
    net, plain = Each(["near"]), Each(["near"])
    steps(net.make(spec), net, adam(net), 1)
    optimizer = adam(plain)
    plain.losses(["near"])["near"].mean().backward()
    optimizer.step()
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_a_state_of_other_tasks_or_another_strategy_is_refused(spec):
    net = Each()
    state = net.make(spec).state_dict()
    others = Each(["near", "sky"])
    with pytest.raises(ValueError, match="state is of"):
        others.make(spec.replace("far=1", "sky=1")).load_state_dict(state)
    with pytest.raises(ValueError, match="state is of"):
        net.make("equal:updates=7" if spec != "equal:updates=7" else "equal").load_state_dict(state)


@pytest.mark.parametrize("spec", SPECS)
def test_a_loss_that_is_not_a_number_moves_nothing(spec):
    net = Each()
    before, strategy, updates = net.copy(), net.make(spec), ParameterUpdater(net.split(), adam(net))

    def closure(tasks):
        return {task: loss * (math.nan if task == "near" else 1) for task, loss in net.losses(tasks).items()}

    with pytest.raises(NonFiniteError, match="'near'"):
        strategy.step(closure, updates, torch.arange(len(net.inputs)))
    if "task-" in spec:  # another task's turn may have come first
        assert all(parameter.isfinite().all() for parameter in net.parameters())
    else:
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize("spec", ["famo", "task-groups", "equal:updates=2"])
def test_a_loss_that_breaks_after_an_update_is_not_said_to_have_moved_nothing(spec):
    net = Each()
    before, factors = net.copy(), iter([1.0, math.nan])

    def closure(tasks):
        factor = next(factors)
        return {task: loss * factor for task, loss in net.losses(tasks).items()}

    with pytest.raises(NonFiniteError, match="is nan; no update was made with it"):
        net.make(spec).step(closure, ParameterUpdater(net.split(), adam(net)))
    assert not all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize("spec", SPECS)
def test_a_task_without_gradient_is_refused(spec):
    net = Each()

    def closure(tasks):
        return {task: loss.detach() if task == "far" else loss for task, loss in net.losses(tasks).items()}

    with pytest.raises(ValueError, match="'far' has no gradient"):
        net.make(spec).step(closure, ParameterUpdater(net.split(), adam(net)), torch.arange(len(net.inputs)))


def test_weights_are_named_in_the_text():
    net = Net()
    decision = step(make_strategy("static:near=2,far=0.5", TASKS, TrainingContext()), net)
    assert decision.weights == {"near": 2, "far": 0.5}
    plain = Net()
    optimizer = adam(plain)
    losses = plain.losses(TASKS)
    (2 * losses["near"] + 0.5 * losses["far"]).backward()
    optimizer.step()
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_as_many_updates_as_there_are_tasks():
    assert len(step(make_strategy("same-steps", TASKS, TrainingContext()), Net()).groups) == 2


def test_what_a_strategy_needs_can_be_asked_by_its_text():
    assert needs_task_norms("uncertainty+task-priority:seed=3")
    assert not needs_task_norms("task-groups")
    assert needs_instances("instances:rate=0.2+equal")
    assert not needs_instances("uncertainty")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("equl", "strategy 'equl': expected one of 'static', 'uncertainty', 'dynamic', 'instances', 'equal'"),
        ("", "strategy ''"),
        ("equal:updates", "expected NAME:OPTION=VALUE"),
        ("equal:updates=0", "updates 0: expected a whole number, 1 or above"),
        ("equal:updates=1.5", "updates 1.5: expected a whole number"),
        ("equal:updates=2,updates=3", "updates is given twice"),
        ("equal:speed=3", "strategy 'equal': .* unexpected .* 'speed'"),
        ("equal+task-groups", "'equal' cannot come before"),
        ("static:near=1", "no weights for 'far'"),
        ("static:near=1,far=1,sky=1", "weights for unknown 'sky'"),
        ("static:near=0,far=1", "weight of task .near. 0: expected"),
        ("static:near=nan,far=1", "weight of task .near. nan: expected"),
        ("static:near=big,far=1", "weight of task .near. .big.: expected a finite number, above 0"),
        ("uncertainty:rate=fast", "rate 'fast': expected a finite number, above 0"),
        ("task-groups:beta=much", "beta 'much': expected a finite number, above 0, up to 1"),
        ("task-groups:seed=-1", "seed -1: expected a whole number, 0 or above"),
        ("task-groups:warm_up=nan", "warm_up nan: expected a whole number"),
        ("task-groups:preference=nan", "preference nan: expected a finite number, or None"),
        ("task-priority", "no shared layers"),
        ("instances", "training set of known size"),
        ("pcgrad:c=1", "pcgrad: unknown option 'c'"),
    ],
)
def test_what_makes_no_strategy_is_refused(spec, words):
    with pytest.raises(ValueError, match=words):
        make_strategy(spec, TASKS, TrainingContext())


def test_what_is_not_installed_is_named_before_the_training(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        ValueError, match=r"task-groups needs 'sklearn', not installed: pip install 'parastitch\[mtl\]'"
    ):
        make_strategy("task-groups", TASKS)


@pytest.mark.parametrize("tasks", [[], ["near", "near"]])
def test_tasks_are_one_or_more_each_named_once(tasks):
    with pytest.raises(ValueError, match="expected one or more, each named once"):
        make_strategy("equal", tasks, TrainingContext())


def test_an_update_needs_a_training_of_the_same_parameters():
    net = Net()
    with pytest.raises(ValueError, match="no parameters for 'sky'"):
        make_strategy("task-groups", [*TASKS, "sky"], TrainingContext()).step(net.losses, updating(net))
