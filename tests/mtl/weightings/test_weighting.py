import pytest
import torch
from task_toys import TASKS, Net, adam, equal, step, train_plainly

from mtl.strategies.equal_weights import EqualWeights
from mtl.strategies.gradient_norms import EqualGradientNorms
from mtl.weightings.static_weights import StaticWeights

WEIGHTS = {"far": 0.25, "near": 3.0}


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


def test_a_state_of_another_inner_strategy_is_refused():
    strategy = StaticWeights(EqualWeights(TASKS), WEIGHTS)
    with pytest.raises(ValueError, match="resume with what was saved"):
        strategy.load_state_dict(StaticWeights(EqualGradientNorms(TASKS), WEIGHTS).state_dict())


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"near": 1}, "no weights for 'far'"),
        ({"near": 1, "far": 1, "sky": 1}, "weights for unknown 'sky'"),
        ({"near": 1, "far": -1}, "weight of task 'far' -1: expected"),
        ({"near": 0, "far": 1}, "weight of task 'near' 0: expected"),
        ({"near": 1, "far": float("nan")}, "weight of task 'far' nan: expected"),
    ],
)
def test_weights_that_fit_no_task_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        StaticWeights(EqualWeights(TASKS), weights)


def test_weights_of_a_state_must_be_those_of_the_run():
    state = StaticWeights(EqualWeights(TASKS), WEIGHTS).state_dict()
    with pytest.raises(ValueError, match="resume with what was saved"):
        StaticWeights(EqualWeights(TASKS), {**WEIGHTS, "far": 0.5}).load_state_dict(state)
