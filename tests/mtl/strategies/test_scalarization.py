"""Strategies that weigh the losses by a formula, against the formula written out, and against torchjd."""

import math

import numpy as np
import pytest
import torch
from task_toys import TASKS, Net, check_reported_weights, step
from torch import nn

from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy

NAMES = "random", "geometric-mean", "stch", "famo", "famo:after=next"
LOGARITHMS = "geometric-mean", "stch", "famo"
every = pytest.mark.parametrize("name", NAMES)


def make(name, tasks=TASKS, **context):
    return make_strategy(name, tasks, TrainingContext(**context))


class Levels:
    """Tasks that share x, by plain gradient descent: the loss of task k is level_k + slope_k . x, from x = 0."""

    def __init__(self, strategy, slopes, rate):
        self.strategy, self.rate = strategy, rate
        self.slopes = dict(zip(strategy.tasks, torch.tensor(slopes), strict=True))
        self.x = nn.Parameter(torch.zeros(len(slopes[0])))
        self.updates = ParameterUpdater(
            Parameters([self.x], {task: [] for task in strategy.tasks}), torch.optim.SGD([self.x], rate)
        )

    def step(self, levels):
        """Losses of these values before the update; what was reported, and by what x moved."""
        before = self.x.detach().clone()
        start = {task: level - self.slopes[task] @ before for task, level in zip(self.slopes, levels, strict=True)}

        def closure(tasks):
            return {task: start[task] + self.slopes[task] @ self.x for task in tasks}

        result = self.strategy.step(closure, self.updates)
        return result, (before - self.x.detach()) / self.rate


def weights_of(strategy, levels, steps=1):
    """The weights in the last of some steps with these losses, from slopes that move nothing."""
    toy = Levels(strategy, [[0.0]] * len(levels), 0.1)
    for _ in range(steps):
        result, _ = toy.step(levels)
    return list(result.weights.values())


@every
@pytest.mark.parametrize("level", [1e-3, 1.0, 1e4])
def test_equal_losses_move_the_network_as_their_sum(name, level):
    toy = Levels(make(name, "abc", steps_per_epoch=1), [[3.0, -4.0]] * 3, 1e-7 * level)
    for _ in range(3):
        result, moved = toy.step([level] * 3)
        if name != "random":
            assert list(result.weights.values()) == pytest.approx([1, 1, 1], rel=1e-4)
        torch.testing.assert_close(moved, 3 * torch.tensor([3.0, -4.0]), rtol=2e-2, atol=0)


@every
def test_the_network_follows_the_weights_that_are_reported(name):
    check_reported_weights(make(name))


def test_random_weights_are_a_softmax_of_normal_numbers():
    strategy = make("random", "abcd", seed=1)
    toy = Levels(strategy, [[0.0]] * 4, 0.1)
    weights = np.array([list(toy.step([1.0, 2.0, 3.0, 4.0])[0].weights.values()) for _ in range(600)])
    np.testing.assert_allclose(weights.sum(1), 4)
    assert weights.min() > 0
    # log w_i - log w_j is the difference of two standard normal numbers: mean 0, variance 2.
    differences = np.diff(np.log(weights), axis=1)
    np.testing.assert_allclose(differences.mean(0), 0, atol=0.2)
    np.testing.assert_allclose(differences.var(0), 2, rtol=0.2)
    assert np.corrcoef(weights[:-1, 0], weights[1:, 0])[0, 1] == pytest.approx(0, abs=0.15)  # new in each step


def test_random_weights_depend_on_seed_and_step_alone():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, again, other = (make("random", "abc", seed=seed) for seed in (3, 3, 4))
    torch.manual_seed(8)
    assert weights_of(first, [1.0, 2.0, 3.0], 2) == weights_of(again, [9.0, 5.0, 1.0], 2)
    assert weights_of(other, [1.0, 2.0, 3.0], 2) != weights_of(make("random", "abc", seed=3), [1.0, 2.0, 3.0], 2)
    torch.manual_seed(7)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_geometric_mean_falls_as_steeply_as_its_derivative_says():
    """K (L_1 L_2 L_3)^(1 / K), by differences."""
    levels = np.array([0.5, 2.0, 8.0])  # of geometric mean 2
    assert weights_of(make("geometric-mean", "abc"), levels.tolist()) == pytest.approx([4, 1, 0.25], rel=1e-6)
    slopes = np.array([0.3, -0.2, 0.7])
    little = 1e-5
    change = 3 * (np.prod(levels + little * slopes) ** (1 / 3) - np.prod(levels) ** (1 / 3)) / little
    _, moved = Levels(make("geometric-mean", "abc"), [[slope] for slope in slopes.tolist()], 1.0).step(levels.tolist())
    assert moved.item() == pytest.approx(change, rel=1e-4)


@pytest.mark.parametrize("mu", [0.2, 1.0, 3.0])
def test_stch_is_the_smooth_maximum_of_losses_relative_to_the_end_of_the_warm_up(mu):
    """Two epochs of two steps to warm up; the second one makes the references."""
    strategy = make(f"stch:mu={mu},warm_up=2", "abc", steps_per_epoch=2)
    toy = Levels(strategy, [[0.3], [-0.2], [0.7]], 1e-9)
    for levels in ([9.0, 9.0, 9.0], [5.0, 7.0, 1.0], [3.0, 1.0, 0.5], [1.0, 1.0, 0.1]):
        assert strategy.phase() == "warm-up"
        result, moved = toy.step(levels)
        mean = sum(levels) / 3
        assert list(result.weights.values()) == pytest.approx([mean / level for level in levels], rel=1e-6)
    assert strategy.phase() == ""
    references = np.array([2.0, 1.0, 0.3])
    assert list(strategy.report().values()) == pytest.approx(references.tolist())

    levels = np.array([1.0, 0.25, 0.24])

    def smooth_maximum(losses):
        return mu * math.log(np.sum(np.exp(np.log(losses / references) / mu)))

    little = 1e-6
    change = (smooth_maximum(levels + little * np.array([0.3, -0.2, 0.7])) - smooth_maximum(levels)) / little
    _, moved = toy.step(levels.tolist())
    assert moved.item() == pytest.approx(3 * levels.mean() * change, rel=1e-3)


def test_stch_with_mu_1_has_fixed_weights_up_to_a_common_factor():
    strategy = make("stch", "ab", steps_per_epoch=1)
    weights_of(strategy, [2.0, 0.5])
    for levels in ([1.0, 1.0], [0.1, 7.0]):
        first, second = weights_of(strategy, levels)
        assert second / first == pytest.approx(4, rel=1e-6)


def test_a_small_mu_lets_the_worst_task_count_alone():
    strategy = make("stch:mu=0.01", "ab", steps_per_epoch=1)
    weights_of(strategy, [2.0, 2.0])
    worst, other = weights_of(strategy, [1.0, 1.9])[::-1]
    assert other < 1e-6 < worst


def adam_of_famo(logits, moments, gains, t, rate=0.025, decay=0.001):
    """One step by the book: Kingma & Ba's algorithm 1 with L2 decay, on the gradient of FAMO's equation 9."""
    z = np.exp(logits) / np.exp(logits).sum()
    gradient = z * (gains - (z * gains).sum()) + decay * logits
    mean, square = moments
    mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
    step_size = (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    return logits - rate * step_size, (mean, square)


def famo_weights(logits, levels):
    z = np.exp(logits) / np.exp(logits).sum()
    return 3 * (z / levels) / (z / levels).sum()


@pytest.mark.parametrize("options", [{}, {"rate": 0.1, "decay": 0.01}])
def test_famo_learns_from_the_same_batch_as_the_paper_says(options):
    text = ",".join(f"{name}={value}" for name, value in options.items())
    slopes, rate = np.array([[0.3, 1.0], [-0.2, 0.4], [0.7, -0.5]]), 0.1
    toy = Levels(make(f"famo:{text}", "abc"), slopes.tolist(), rate)
    logits, moments = np.zeros(3), (np.zeros(3), np.zeros(3))
    for t, levels in enumerate(np.array([[1.0, 2.0, 4.0], [3.0, 1.5, 2.0], [1.0, 2.0, 4.0]]), 1):
        weights = famo_weights(logits, levels)
        result, moved = toy.step(levels.tolist())
        assert list(result.weights.values()) == pytest.approx(weights.tolist(), rel=1e-6)
        np.testing.assert_allclose(moved.numpy(), weights @ slopes, rtol=1e-4)
        after = levels - rate * slopes @ (weights @ slopes)
        logits, moments = adam_of_famo(logits, moments, np.log(levels) - np.log(after), t, **options)
    assert np.ptp(logits) > 0.01


def test_famo_can_learn_from_the_next_batch_instead():
    toy = Levels(make("famo:after=next", "abc"), [[0.3], [-0.2], [0.7]], 0.1)
    logits, moments = np.zeros(3), (np.zeros(3), np.zeros(3))
    batches = np.array([[1.0, 2.0, 4.0], [3.0, 1.5, 2.0], [1.0, 2.0, 4.0]])
    for t, levels in enumerate(batches):
        if t:
            logits, moments = adam_of_famo(logits, moments, np.log(batches[t - 1]) - np.log(levels), t)
        result, _ = toy.step(levels.tolist())
        assert list(result.weights.values()) == pytest.approx(famo_weights(logits, levels).tolist(), rel=1e-5)


def test_famo_runs_the_network_twice_and_with_the_next_batch_once():
    for name, expected in (("famo", 2), ("famo:after=next", 1), ("stch", 1), ("random", 1), ("geometric-mean", 1)):
        net, calls = Net(), []

        def closure(tasks, net=net, calls=calls):
            calls.append(tasks)
            return net.losses(tasks)

        step(make(name), net, closure=closure)
        assert len(calls) == expected, name


@pytest.mark.parametrize("name", ["geometric-mean", "stch:mu=0.5", "famo:after=next"])
def test_torchjd_has_the_same_direction(name):
    """A second opinion: the derivative of its scalar is the weights, up to the scale, which is ours."""
    scalarization = pytest.importorskip("torchjd.scalarization")
    earlier, losses = torch.tensor([2.0, 1.0, 4.0]), torch.tensor([0.5, 2.0, 8.0], requires_grad=True)
    if name == "geometric-mean":
        value = scalarization.GeometricMean()(losses)
    elif name == "stch:mu=0.5":
        value = scalarization.STCH(0.5, torch.ones(3))((losses / earlier).log())
    else:
        famo = scalarization.FAMO(3)
        famo(earlier)
        famo.update(losses)
        value = famo(losses)
    value.backward()
    strategy = make(name, "abc", steps_per_epoch=1)
    weights_of(strategy, earlier.tolist())
    ours = torch.tensor(weights_of(strategy, losses.tolist()))
    torch.testing.assert_close(ours / ours.sum(), losses.grad / losses.grad.sum(), rtol=1e-4, atol=0)


@every
def test_a_gradient_that_is_not_finite_changes_nothing(name):
    net, strategy = Net(), make(name)
    before, state = net.copy(), strategy.state_dict()
    with pytest.raises(NonFiniteError, match="shared parameters is not finite"):
        step(strategy, net, closure=net.steep_losses)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    assert str(strategy.state_dict()) == str(state)


@pytest.mark.parametrize("name", LOGARITHMS)
def test_a_loss_of_0_is_possible_and_one_below_is_refused(name):
    assert all(math.isfinite(weight) for weight in weights_of(make(name, "ab"), [0.0, 1.0], 3))
    with pytest.raises(ValueError, match=rf"loss of task 'b' is -1\.0; {name} takes logarithms"):
        weights_of(make(name, "ab"), [1.0, -1.0])


def test_random_weights_take_losses_of_any_sign():
    assert sum(weights_of(make("random", "ab"), [1.0, -1.0])) == pytest.approx(2)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("random:seed=-1", "seed -1: expected a whole number, 0 or above"),
        ("random:seed=x", "seed 'x': expected"),
        ("geometric-mean:mu=1", "strategy 'geometric-mean': .* unexpected .* 'mu'"),
        ("stch:mu=0", "mu 0: expected a finite number, above 0"),
        ("stch:mu=inf", "mu inf: expected"),
        ("stch:mu=nan", "mu nan: expected"),
        ("stch:mu=small", "mu 'small': expected"),
        ("stch:warm_up=0", "warm_up 0: expected a whole number, 1 or above"),
        ("stch:warm_up=0.5", "warm_up 0.5: expected a whole number"),
        ("famo:rate=0", "rate 0: expected a finite number, above 0"),
        ("famo:rate=fast", "rate 'fast': expected"),
        ("famo:decay=-1", "decay -1: expected a finite number, 0 or above"),
        ("famo:decay=nan", "decay nan: expected"),
        ("famo:after=last", "after 'last': expected 'same' or 'next'"),
    ],
)
def test_impossible_options_are_refused(spec, words):
    with pytest.raises(ValueError, match=words):
        make(spec)


def test_tasks_must_be_those_of_the_parameters():
    with pytest.raises(ValueError, match="parameters for unknown 'far'"):
        step(make("famo", ["near"]), Net())
