from copy import deepcopy

import pytest
import torch
from task_toys import TASKS, Net, adam, equal, step, train_plainly

from mtl.strategies.aggregation import make_aggregation
from mtl.strategies.equal_weights import EqualWeights
from mtl.strategies.gradient_norms import EqualGradientNorms
from mtl.weightings.dynamic_weights import DynamicWeights
from mtl.weightings.static_weights import StaticWeights
from mtl.weightings.uncertainty_weights import UncertaintyWeights

WEIGHTS = {"far": 0.25, "near": 3.0}
INNER = {
    "equal": EqualWeights,
    "gradient-norms": lambda tasks: EqualGradientNorms(tasks, 1.5),
    "graddrop": lambda tasks: make_aggregation("graddrop", tasks),
}
OUTER = {
    "static": lambda inner: StaticWeights(inner, {task: WEIGHTS[task] for task in inner.tasks}),
    "uncertainty": lambda inner: UncertaintyWeights(inner, 0.1),
    "dynamic": lambda inner: DynamicWeights(inner, steps_per_epoch=2, temperature=0.5),
}
every = pytest.mark.parametrize(
    "make", [lambda tasks, o=o, i=i: OUTER[o](INNER[i](tasks)) for o in OUTER for i in INNER],
    ids=[f"{o}+{i}" for o in OUTER for i in INNER],
)  # fmt: skip


def test_a_weighted_sum_trains_as_written_by_hand_bit_for_bit():
    net, plain = Net(), Net()
    train_plainly(plain, WEIGHTS, steps=5)
    optimizer, strategy = adam(net), StaticWeights(EqualWeights(TASKS), WEIGHTS)
    before = {task: loss.item() for task, loss in net.losses(TASKS).items()}
    decisions = [step(strategy, net, optimizer) for _ in range(5)]
    assert equal(net, plain)
    assert decisions[0].losses == pytest.approx(before)
    assert decisions[0].weights == WEIGHTS


def test_weights_over_weights_multiply():
    net, once = Net(), Net()
    inner = StaticWeights(EqualWeights(TASKS), {"near": 6.0, "far": 0.25})
    decision = step(StaticWeights(inner, {"near": 0.5, "far": 1.0}), net)
    single = step(StaticWeights(EqualWeights(TASKS), WEIGHTS), once)
    assert equal(net, once)
    assert decision.weights == WEIGHTS
    assert decision.losses == pytest.approx(single.losses)


def test_a_weight_applies_to_a_loss_for_each_instance():
    net, plain = Net(), Net()
    train_plainly(plain, WEIGHTS, steps=1)

    def closure(tasks):
        outputs = torch.tanh(net.trunk(net.inputs))
        return {task: (net.heads[task](outputs) - len(task)).square()[:, 0] for task in tasks}

    decision = step(StaticWeights(EqualWeights(TASKS), WEIGHTS), net, closure=closure)
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert decision.losses == pytest.approx({task: loss.item() for task, loss in Net().losses(TASKS).items()})


@every
def test_one_task_starts_as_plain_training(make):
    net, plain = Net(["near"]), Net(["near"])
    decision = step(make(["near"]), net)
    optimizer = adam(plain)
    (decision.weights["near"] * plain.losses(["near"])["near"]).backward()
    optimizer.step()
    assert equal(net, plain)


@every
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(make):
    net, strategy = Net(), make(TASKS)
    optimizer = adam(net)
    for _ in range(5):
        step(strategy, net, optimizer)
    saved, parameters, moments = strategy.state_dict(), net.state_dict(), deepcopy(optimizer.state_dict())
    other, again = Net(), make(TASKS)
    other.load_state_dict(parameters)
    resumed = adam(other)
    resumed.load_state_dict(moments)
    again.load_state_dict(saved)
    for _ in range(3):
        assert step(again, other, resumed) == step(strategy, net, optimizer)
        assert again.report() == strategy.report()
    assert equal(net, other)


@every
def test_a_saved_state_does_not_change_afterwards_and_needs_no_pickle(make, tmp_path):
    net, strategy = Net(), make(TASKS)
    optimizer = adam(net)
    for _ in range(3):
        step(strategy, net, optimizer)
    saved = strategy.state_dict()
    torch.save(saved, tmp_path / "state.pt")
    for _ in range(3):
        step(strategy, net, optimizer)
    found = []
    for state in (
        torch.load(tmp_path / "state.pt", weights_only=True),
        saved,
        saved,
    ):  # twice: who took it has moved on
        again = make(TASKS)
        again.load_state_dict(state)
        other = Net()
        found.append([step(again, other) for _ in range(3)])
    assert found[0] == found[1] == found[2]


@every
def test_a_state_of_another_strategy_or_of_other_tasks_is_refused(make):
    state = make(TASKS).state_dict()
    with pytest.raises(ValueError, match="resume with what was saved"):
        make(TASKS[:1]).load_state_dict(state)
    with pytest.raises(ValueError, match="resume with what was saved"):
        make(TASKS).load_state_dict(EqualWeights(TASKS).state_dict())
    with pytest.raises(ValueError, match="resume with what was saved"):
        make(TASKS).load_state_dict({**state, "inner": {**state["inner"], "kind": "other"}})


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"near": 1}, "no weights for 'far'"),
        ({"near": 1, "far": 1, "sky": 1}, "weights for unknown 'sky'"),
        ({"near": 1, "far": -1}, "weight -1 of task 'far'"),
        ({"near": 0, "far": 1}, "weight 0 of task 'near'"),
        ({"near": 1, "far": float("nan")}, "weight nan of task 'far'"),
    ],
)
def test_weights_that_fit_no_task_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        StaticWeights(EqualWeights(TASKS), weights)


def test_weights_of_a_state_must_be_those_of_the_run():
    state = StaticWeights(EqualWeights(TASKS), WEIGHTS).state_dict()
    with pytest.raises(ValueError, match="resume with what was saved"):
        StaticWeights(EqualWeights(TASKS), {**WEIGHTS, "far": 0.5}).load_state_dict(state)
