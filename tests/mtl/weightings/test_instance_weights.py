import math
import threading

import pytest
import torch
from task_toys import TASKS, Net, adam, equal, updating
from torch import nn

from mtl.noisy_labels import detection
from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.strategies.equal_weights import EqualWeights
from mtl.strategies.task_groups import TaskGroups
from mtl.weightings.instance_weights import InstanceWeights


class Frozen:
    """A network that never learns: the losses stay as given, by task."""

    def __init__(self, losses, average=lambda values: values):
        self.table = torch.stack([torch.as_tensor(values) for values in losses.values()], 1).float()
        self.tasks = tuple(losses)
        self.ones = {task: nn.Parameter(torch.ones(1)) for task in losses}
        own = {task: [one] for task, one in self.ones.items()}
        self.updates = ParameterUpdater(
            Parameters([], own), torch.optim.SGD(self.ones.values(), lr=0.0), average=average
        )

    def strategy(self, form="l1", inner=EqualWeights, **options):
        return InstanceWeights(inner(self.tasks), len(self.table), dict.fromkeys(self.tasks, form), **options)

    def step(self, strategy, places=None, closure=None):
        places = torch.arange(len(self.table)) if places is None else torch.tensor(places)

        def losses(tasks):
            return {task: self.table[places, self.tasks.index(task)] * self.ones[task] for task in tasks}

        return strategy.step(closure or losses, self.updates, places)

    def rest(self, strategy, steps=400):
        for _ in range(steps):
            self.step(strategy)
        return strategy.parameters


def instance_losses(net, tasks, places):
    features = torch.tanh(net.trunk(net.inputs[places]))
    return {task: (net.heads[task](features) - len(task)).square()[:, 0] for task in tasks}


@pytest.mark.parametrize(("form", "power"), [("l1", 1), ("l2", 2), ("cross_entropy", 2)])
def test_where_losses_stay_sigma_or_its_square_becomes_the_loss_over_its_mean(form, power):
    frozen = Frozen({"near": [1.0, 2.0, 3.0, 6.0], "far": [40.0, 10.0, 20.0, 10.0]})
    found = frozen.rest(frozen.strategy(form)).exp() ** power
    expected = torch.tensor([[1 / 3, 2.0], [2 / 3, 0.5], [1.0, 1.0], [2.0, 0.5]])
    assert torch.allclose(found, expected, rtol=1e-4)


def test_two_steps_are_those_by_hand():
    frozen = Frozen({"near": [1.0, 3.0]})
    strategy = frozen.strategy(rate=0.5, momentum=0.8)
    frozen.step(strategy)
    first = -0.5 * 0.5  # gradient 1 - 1 / 2
    assert strategy.parameters[0, 0] == first
    frozen.step(strategy)
    velocity = 0.8 * 0.5 + 1 - math.exp(-first) / 2
    assert strategy.parameters[0, 0].item() == pytest.approx(first - 0.5 * velocity)


def test_what_is_learned_does_not_depend_on_the_unit_of_the_losses():
    metres, millimetres = Frozen({"near": [1.0, 2.0, 6.0]}), Frozen({"near": [1e3, 2e3, 6e3]})
    found = [frozen.rest(frozen.strategy(), 20) for frozen in (metres, millimetres)]
    assert torch.allclose(*found, atol=1e-5)


def test_instances_that_are_not_in_the_batch_keep_value_and_momentum_exactly():
    frozen = Frozen({"near": [1.0, 2.0, 3.0, 6.0, 4.0], "far": [4.0, 1.0, 2.0, 2.0, 9.0]})
    strategy = frozen.strategy()
    frozen.step(strategy, [0, 3, 4])
    before = strategy.learned_state()
    frozen.step(strategy, [1, 3])
    after = strategy.learned_state()
    for name in ("s", "velocity"):
        changed = (before[name] != after[name]).any(1)
        assert changed.tolist() == [False, True, False, True, False]
    assert not after["s"][2].any()


def test_an_instance_that_is_twice_in_a_batch_moves_once_by_the_mean_of_its_gradients():
    frozen = Frozen({"near": [0.0, 0.0]})
    strategy = frozen.strategy(rate=0.1)
    losses = torch.tensor([1.0, 2.0, 3.0])  # of mean 2
    frozen.step(strategy, [0, 0, 1], lambda tasks: {"near": losses * frozen.ones["near"]})
    assert strategy.parameters[:, 0].tolist() == pytest.approx([-0.1 * 0.25, 0.1 * 0.5])


def test_sigma_stays_within_its_limit():
    frozen = Frozen({"near": [0.0, 1e-9, *[1.0] * 98, 1e5]})
    sigmas = frozen.rest(frozen.strategy(limit=5.0), 60).exp()[:, 0]
    assert sigmas[[0, 1, 100]].tolist() == pytest.approx([1 / 5, 1 / 5, 5])
    assert sigmas.min() >= 1 / 5 - 1e-6
    assert sigmas.max() <= 5 + 1e-5


@pytest.mark.parametrize("form", ["l1", "l2"])
def test_the_weights_of_the_training_set_have_mean_1_and_follow_sigma_up_to_the_upper_quartile(form):
    frozen = Frozen({"near": torch.linspace(0.5, 8.0, 12)})
    strategy = frozen.strategy(form)
    s = frozen.rest(strategy, 50)[:, 0]
    seen = {}

    def closure(tasks):
        seen["loss"] = (frozen.table[:, 0] * frozen.ones["near"]).requires_grad_()
        seen["loss"].retain_grad()
        return {"near": seen["loss"]}

    decision = frozen.step(strategy, closure=closure)
    weights = 12 * seen["loss"].grad  # of a mean over 12
    raw = torch.exp(-(1 if form == "l1" else 2) * s)
    expected = raw.minimum(raw.sort().values[9])
    assert torch.allclose(weights, expected / expected.mean(), rtol=1e-4)
    assert decision.weights["near"] == pytest.approx(1)
    assert weights.max() <= 4


def test_the_report_has_the_quantiles_of_the_weights():
    frozen = Frozen({"near": [0.1] * 5 + [1.0] * 5 + [100.0] * 5})
    strategy = frozen.strategy()
    assert set(strategy.report().values()) == {1.0}
    frozen.rest(strategy, 30)
    low, middle, high = (strategy.report()[f"instance weight/near/{name}"] for name in ("10 %", "median", "90 %"))
    assert low < 0.1 < middle <= high <= 4


def test_at_rate_0_training_is_plain_training_bit_for_bit():
    net, plain = Net(["near"]), Net(["near"])
    strategy = InstanceWeights(EqualWeights(["near"]), 8, {"near": "l2"}, rate=0.0)
    changed, kept = adam(net), adam(plain)
    for numbers in torch.randperm(8).split(4) * 3:
        decision = strategy.step(lambda t, p=numbers: instance_losses(net, t, p), updating(net, changed), numbers)
        kept.zero_grad()
        loss = instance_losses(plain, ["near"], numbers)["near"].mean()
        loss.backward()
        kept.step()
        assert decision.losses == {"near": loss.item()}
        assert decision.weights == {"near": 1}
    assert equal(net, plain)


@pytest.mark.parametrize("inner", [lambda tasks: EqualWeights(tasks, updates=2), TaskGroups])
def test_s_moves_once_by_the_first_losses_however_often_the_inner_strategy_updates(inner):
    frozen = Frozen({"near": [1.0, 3.0], "far": [2.0, 4.0]})
    once, often = frozen.strategy(), frozen.strategy(inner=inner)
    frozen.step(once)
    calls = dict.fromkeys(frozen.tasks, 0)

    def growing(tasks):
        for task in tasks:
            calls[task] += 1
        return {
            task: frozen.table[:, frozen.tasks.index(task)] ** calls[task] * frozen.ones[task] for task in tasks
        }  # fmt: skip

    decision = frozen.step(often, closure=growing)
    assert min(calls.values()) > 1
    assert torch.equal(often.parameters, once.parameters)
    assert decision.losses == {"near": 2, "far": 3}


def test_several_processes_learn_as_one_with_their_batches_together():
    losses = {"near": [1.0, 2.0, 3.0, 6.0, 5.0, 0.1], "far": [4.0, 1.0, 2.0, 2.0, 1.0, 3.0]}
    batches = [([0, 1], [2, 1]), ([3, 2], [5, 0]), ([4, 0], [1, 3])]  # one instance is in both batches of the first
    alone = Frozen(losses)
    together = alone.strategy()
    for first, second in batches:
        alone.step(together, first + second)

    barrier, given, found = threading.Barrier(2, timeout=20), {}, {}

    def run(rank):
        def average(values):
            given[rank] = values.clone()
            barrier.wait()
            mean = (given[0] + given[1]) / 2
            barrier.wait()
            return mean

        process = Frozen(losses, average)
        found[rank] = process.strategy()
        for batch in batches:
            process.step(found[rank], batch[rank])

    threads = [threading.Thread(target=run, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(found[0].parameters, found[1].parameters)
    assert torch.allclose(found[0].parameters, together.parameters, atol=1e-6)


def fit(inputs, targets, rate, epochs=60):
    """A linear model, and the strategy it was trained with."""
    torch.manual_seed(0)
    model = nn.Linear(inputs.shape[1], 1)
    strategy = InstanceWeights(EqualWeights(["height"]), len(inputs), {"height": "l2"}, rate=rate)
    updates = ParameterUpdater(
        Parameters([], {"height": list(model.parameters())}), torch.optim.SGD(model.parameters(), 0.02)
    )
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(20):
            strategy.step(
                lambda tasks, i=batch: {"height": (model(inputs[i])[:, 0] - targets[i]).square()}, updates, batch
            )
    return model, strategy


def test_permuted_targets_fade_out_and_are_found():
    generator = torch.Generator().manual_seed(1)
    inputs, slope = torch.randn(200, 10, generator=generator), torch.randn(10, generator=generator)
    truth = inputs @ slope
    targets = truth + 0.1 * torch.randn(200, generator=generator)
    targets[:80] = targets[:80].roll(1)
    corrupted = (torch.arange(200) < 80).numpy()
    errors, rankings = {}, {}
    for rate in (0.0, 0.1):
        model, strategy = fit(inputs, targets, rate)
        with torch.no_grad():
            answers = model(inputs)[:, 0]
        errors[rate] = (answers - truth).square().mean().sqrt().item()
        scores = strategy.parameters[:, 0] if rate else (answers - targets).square()
        rankings[rate] = detection(scores.numpy(), corrupted)
    assert errors[0.1] < 0.3 * errors[0.0]
    assert rankings[0.1].roc_auc > max(0.95, rankings[0.0].roc_auc)
    assert min(rankings[0.1].precision, rankings[0.1].recall) > 0.75


def test_a_loss_that_is_not_finite_teaches_nothing():
    frozen = Frozen({"near": [1.0, 2.0]})
    strategy = frozen.strategy()
    frozen.step(strategy)
    before = strategy.learned_state()
    with pytest.raises(NonFiniteError):
        frozen.step(strategy, closure=lambda tasks: {"near": torch.tensor([1.0, math.nan]) * frozen.ones["near"]})
    assert torch.equal(strategy.learned_state()["s"], before["s"])
    assert strategy.learned_state()["loss_sums"] == before["loss_sums"]


@pytest.mark.parametrize(
    "other",
    [
        InstanceWeights(EqualWeights(TASKS), 4, dict.fromkeys(TASKS, "l1")),
        InstanceWeights(EqualWeights(TASKS), 3, dict.fromkeys(TASKS, "l2")),
        InstanceWeights(EqualWeights(TASKS, 2), 3, dict.fromkeys(TASKS, "l1")),
        InstanceWeights(EqualWeights(TASKS[:1]), 3, {TASKS[0]: "l1"}),
        EqualWeights(TASKS),
    ],
)
def test_a_state_of_another_strategy_is_refused(other):
    strategy = InstanceWeights(EqualWeights(TASKS), 3, dict.fromkeys(TASKS, "l1"))
    with pytest.raises(ValueError, match="resume with what was saved"):
        strategy.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("sample_ids", "message"),
    [
        (None, "need the sample ids of the batch, .* got None"),
        (torch.tensor([0.0, 1.0]), r"torch.float32 \(2,\): expected int64"),
        (torch.tensor([[0], [1]]), r"\(2, 1\): expected int64 \(b,\)"),
        (torch.tensor([], dtype=torch.int64), "b above 0"),
        (torch.tensor([0, 2]), "sample id 2: expected 0 to 1"),
        (torch.tensor([-1, 0]), "sample id -1: expected 0 to 1"),
        (torch.tensor([0]), r"shape \(2,\); instance weights need one loss for each of the batch's 1 instances"),
    ],
)
def test_impossible_sample_ids_are_refused(sample_ids, message):
    frozen = Frozen({"near": [1.0, 2.0]})
    with pytest.raises(ValueError, match=message):
        frozen.strategy().step(lambda tasks: {"near": torch.ones(2) * frozen.ones["near"]}, frozen.updates, sample_ids)


@pytest.mark.parametrize(
    ("form", "losses", "message"),
    [
        ("l1", lambda one: {"near": one.sum()}, r"'near': shape \(\); instance weights need one loss for each"),
        ("l1", lambda one: {"far": one}, "no losses for 'near', losses for unknown 'far'"),
        ("l2", lambda one: {"near": -one.expand(2)}, "is -1.0; form 'l2' needs losses from 0 up"),
    ],
)
def test_impossible_losses_are_refused(form, losses, message):
    frozen = Frozen({"near": [1.0, 2.0]})
    with pytest.raises(ValueError, match=message):
        frozen.step(frozen.strategy(form), closure=lambda tasks: losses(frozen.ones["near"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset_size": 0}, "dataset_size 0: expected a whole number, 1 or above"),
        ({"loss_forms": {"near": "cubic"}}, "loss forms 'cubic': expected 'l1', 'l2', 'cross_entropy'"),
        ({"loss_forms": {"far": "l1"}}, "no loss forms for 'near'"),
        ({"rate": -0.1}, "rate -0.1"),
        ({"rate": math.nan}, "rate nan"),
        ({"momentum": 1.0}, "momentum 1.0: expected a finite number, 0 or above, below 1"),
        ({"limit": 1.0}, "limit 1.0: expected a finite number, above 1"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        InstanceWeights(EqualWeights(["near"]), **{"dataset_size": 2, "loss_forms": {"near": "l1"}, **options})
