import math

import pytest
from task_toys import TASKS

from mtl.strategies.equal_weights import EqualWeights
from mtl.weightings.dynamic_weights import DynamicWeights


def make(steps_per_epoch=2, temperature=2.0):
    return DynamicWeights(EqualWeights(TASKS), steps_per_epoch, temperature)


def learned(strategy, near, far):
    """The weights in each step, then those after the last one."""
    found = []
    for losses in zip(near, far, strict=True):
        found.append(dict(strategy.weights))
        strategy.learn(dict(zip(TASKS, losses, strict=True)))
    return [*found, dict(strategy.weights)]


def shares(near, far, temperature):
    """2 softmax([near, far] / temperature)."""
    share = 2 / (1 + math.exp((far - near) / temperature))
    return pytest.approx({"near": share, "far": 2 - share})


@pytest.mark.parametrize("temperature", [2.0, 0.5])
def test_weights_follow_the_means_of_the_last_two_epochs(temperature):
    equal = {"near": 1, "far": 1}
    # Means of the epochs: near 4, 2, 2, 1; far 10, 10, 5, 10.
    found = learned(make(2, temperature), [5, 3, 3, 1, 2, 2, 1, 1], [8, 12, 10, 10, 4, 6, 20, 0])
    assert found[:4] == [equal] * 4
    assert found[4] == found[5] == shares(2 / 4, 10 / 10, temperature)
    assert found[6] == found[7] == shares(2 / 2, 5 / 10, temperature)
    assert found[8] == shares(1 / 2, 10 / 5, temperature)


def test_the_task_that_falls_slowly_gets_more_and_high_temperatures_even_out():
    found = [learned(make(1, temperature), [2, 1], [2, 2])[2] for temperature in (0.1, 2, 1e6)]
    assert all(weights["far"] > 1 > weights["near"] for weights in found)
    assert found[0]["far"] > found[1]["far"] > found[2]["far"]
    assert found[2] == pytest.approx({"near": 1, "far": 1}, abs=1e-5)


def test_a_loss_that_was_nothing_counts_as_unchanged():
    assert learned(make(1), [0, 3], [4, 4])[2] == {"near": 1, "far": 1}


def test_at_a_tiny_temperature_the_slowest_task_gets_all():
    assert learned(make(1, 1e-320), [4, 2], [4, 3])[-1] == {"near": 0, "far": 2}


@pytest.mark.parametrize("stop", range(1, 6))
def test_a_run_may_be_resumed_anywhere_in_an_epoch(stop):
    near, far = [5, 3, 3, 1, 2, 2], [8, 12, 10, 10, 4, 6]
    whole = learned(make(), near, far)
    first, second = make(), make()
    learned(first, near[:stop], far[:stop])
    second.load_state_dict(first.state_dict())
    assert learned(second, near[stop:], far[stop:]) == whole[stop:]


@pytest.mark.parametrize(
    ("steps_per_epoch", "temperature", "words"),
    [
        (0, 2.0, "steps_per_epoch 0"),
        (1, 0.0, "temperature 0"),
        (1, math.nan, "temperature nan"),
        (1, math.inf, "temperature inf"),
    ],
)
def test_impossible_numbers_are_refused(steps_per_epoch, temperature, words):
    with pytest.raises(ValueError, match=words):
        make(steps_per_epoch, temperature)


def test_a_state_of_epochs_of_another_length_is_refused():
    with pytest.raises(ValueError, match="resume with what was saved"):
        make(3).load_state_dict(make(2).state_dict())
