import math

import pytest
from task_toys import TASKS, Net, adam, step

from mtl.strategies.equal_weights import EqualWeights
from mtl.weightings.uncertainty_weights import UncertaintyWeights


def make(rate=0.025):
    return UncertaintyWeights(EqualWeights(TASKS), rate)


def test_a_loss_that_stays_gets_the_weight_one_over_it():
    strategy, losses = make(), {"near": 4.0, "far": 0.05}
    assert strategy.weights == {"near": 1, "far": 1}
    for _ in range(3000):
        strategy.learn(losses)
    assert strategy.weights == pytest.approx({"near": 1 / 4, "far": 1 / 0.05}, rel=1e-3)
    sigmas = {"sigma/near": 2.0, "sigma/far": math.sqrt(0.05)}
    assert strategy.report() == pytest.approx(sigmas, rel=1e-3)


def test_a_loss_of_1_leaves_the_weight_alone_and_the_first_step_of_others_is_the_rate():
    strategy = make(rate=0.5)
    strategy.learn({"near": 1.0, "far": 3.0})
    assert strategy.weights == pytest.approx({"near": 1, "far": math.exp(-0.5)})
    strategy = make(rate=0.5)
    strategy.learn({"near": 0.5, "far": 1.0})
    assert strategy.weights == pytest.approx({"near": math.exp(0.5), "far": 1})


def test_the_weights_are_learned_from_the_losses_of_the_step_unweighted():
    net, strategy, told = Net(), make(0.3), make(0.3)
    optimizer = adam(net)
    for _ in range(4):
        before = dict(strategy.weights)
        decision = step(strategy, net, optimizer)
        assert decision.weights == before
        told.learn(decision.losses)
    assert strategy.weights == told.weights
    assert decision.weights != {"near": 1, "far": 1}


def test_weights_stay_finite_while_a_loss_stays_0_or_the_rate_is_too_large():
    strategy = make(1e6)
    for _ in range(3):
        strategy.learn({"near": 0.0, "far": 1e30})
    assert strategy.weights == pytest.approx({"near": math.exp(50), "far": math.exp(-50)})
    assert all(math.isfinite(value) for value in strategy.report().values())


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match=f"rate {rate}: expected"):
        make(rate)


def test_a_state_learned_at_another_rate_is_refused():
    with pytest.raises(ValueError, match="resume with what was saved"):
        make(0.1).load_state_dict(make(0.2).state_dict())
