import math

import pytest
import torch
from task_toys import TASKS, Net, adam, check_reported_weights, equal, step, updating
from torch import nn

from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.strategies.equal_weights import EqualWeights
from mtl.strategies.gradient_norms import EqualGradientNorms


def toy(**slopes):
    """Losses 1 + slope . x + y of a shared x and an own y for each task, all 0; SGD with rate 1."""
    x, own = nn.Parameter(torch.zeros(2)), {task: nn.Parameter(torch.zeros(())) for task in slopes}
    updates = ParameterUpdater(
        Parameters([x], {task: [y] for task, y in own.items()}), torch.optim.SGD([x, *own.values()], 1.0)
    )

    def closure(tasks):
        return {task: 1 + torch.tensor(slopes[task]) @ x + own[task] for task in tasks}

    return x, own, closure, updates


def test_gradients_of_lengths_1_and_3_get_the_weights_three_halves_and_one_half():
    x, own, closure, updates = toy(a=[1.0, 0.0], b=[0.0, 3.0])
    decision = EqualGradientNorms(["a", "b"]).step(closure, updates)
    assert decision.weights == pytest.approx({"a": 1.5, "b": 0.5})
    assert decision.losses == {"a": 1, "b": 1}
    torch.testing.assert_close(x.detach(), torch.tensor([-1.5, -1.5]))
    assert {task: y.item() for task, y in own.items()} == pytest.approx({"a": -1.5, "b": -0.5})


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_weighted_lengths_are_in_proportion_to_the_training_rates(alpha):
    net, strategy, optimizer = Net(), EqualGradientNorms(TASKS, alpha), None
    optimizer = adam(net)
    first = step(strategy, net, optimizer).losses
    step(strategy, net, optimizer)
    found, losses = updating(net, optimizer).compute_gradients(net.losses, [[task] for task in TASKS])
    lengths = [math.hypot(*(gradient.norm() for gradient in gradients[:2])) for gradients in found]
    weights = step(strategy, net, optimizer).weights
    near, far = (weights[task] * length for task, length in zip(TASKS, lengths, strict=True))
    rate = (losses["near"] / first["near"]) / (losses["far"] / first["far"])
    assert rate != pytest.approx(1, abs=0.01)
    assert near / far == pytest.approx(rate**alpha, rel=1e-4)
    assert sum(weights.values()) == pytest.approx(2)


def test_the_update_is_that_of_the_weighted_sum():
    check_reported_weights(EqualGradientNorms(TASKS))


def test_a_task_without_slope_gets_weight_1_and_the_others_share_theirs():
    _, own, closure, updates = toy(a=[0.0, 0.0], b=[1.0, 0.0], c=[0.0, 4.0])
    decision = EqualGradientNorms(["a", "b", "c"]).step(closure, updates)
    assert decision.weights == pytest.approx({"a": 1, "b": 1.6, "c": 0.4})
    assert own["a"].item() == -1


def test_a_loss_below_0_is_done():
    x, _, closure, updates = toy(a=[1.0, 0.0], b=[0.0, 3.0])
    strategy = EqualGradientNorms(["a", "b"], 0.5)
    strategy.step(closure, updates)
    with torch.no_grad():
        x.copy_(torch.tensor([-9.0, 9.0]))
    assert strategy.step(closure, updates).weights == {"a": 0, "b": 2}


def test_tasks_that_share_nothing_train_alone():
    net, plain = Net(), Net()
    net.trunk.requires_grad_(False)
    plain.trunk.requires_grad_(False)
    assert step(EqualGradientNorms(TASKS), net).weights == {"near": 1, "far": 1}
    step(EqualWeights(TASKS), plain)
    assert equal(net, plain)


def test_a_gradient_that_is_not_finite_changes_nothing():
    x, own, closure, updates = toy(a=[1.0, 0.0], b=[0.0, 1.0])
    strategy = EqualGradientNorms(["a", "b"], 1.0)

    def broken(tasks):
        losses = closure(tasks)
        return {**losses, "b": losses["b"] + x.sum().sqrt()}  # the root of 0 is 0, its slope infinite

    with pytest.raises(NonFiniteError):
        strategy.step(broken, updates)
    assert not any(parameter.any() for parameter in (x, *own.values()))
    assert strategy.learned_state() == {"first_losses": {}}


def test_impossible_wishes_and_states_of_others_are_refused():
    for alpha in (-0.5, 101, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"alpha {alpha}: expected"):
            EqualGradientNorms(TASKS, alpha)
    with pytest.raises(ValueError, match="each named once"):
        EqualGradientNorms(["a", "a"])
    state = EqualGradientNorms(TASKS, 1.0).state_dict()
    for other in (EqualGradientNorms(TASKS), EqualGradientNorms(TASKS[:1], 1.0)):
        with pytest.raises(ValueError, match="resume with what was saved"):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="no parameters for 'sky'"):
        step(EqualGradientNorms([*TASKS, "sky"]), Net())
