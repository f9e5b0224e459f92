import math
from copy import deepcopy
from itertools import combinations

import numpy as np
import pytest
import torch
from task_toys import TASKS, Net, equal, step
from torch import nn

from mtl import installed
from mtl.optimization import NonFiniteError, Parameters, ParameterUpdater
from mtl.strategies import aggregation
from mtl.strategies.aggregation import aggregator_names, make_aggregation, project_onto_dual_cone
from mtl.strategies.equal_weights import EqualWeights

OPTIONS = {
    "aligned-mtl": {"scale_mode": "rmse"},
    "cagrad": {"c": 0.7},
    "fairgrad": {"alpha": 1.0},
    "gradvac": {"beta": 0.1},
}
RANDOM = "graddrop", "gradvac", "pcgrad"
pytestmark = pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")  # cvxpy's, with nash-mtl
every = pytest.mark.parametrize("name", aggregator_names())


def make(name, tasks=TASKS, **more):
    for module in aggregation._METHODS[name].needs:
        pytest.importorskip(module)
    return make_aggregation(name, tasks, **more)


def combined(strategy, rows):
    """What a step of length 1 moves a shared x by, downhill, where the task's losses are 1 + row . x + own."""
    x, own = nn.Parameter(torch.zeros(len(rows[0]))), {task: nn.Parameter(torch.zeros(())) for task in strategy.tasks}
    updates = ParameterUpdater(
        Parameters([x], {task: [y] for task, y in own.items()}), torch.optim.SGD([x, *own.values()], 1.0)
    )

    def closure(tasks):
        slopes = dict(zip(strategy.tasks, rows, strict=True))
        return {task: 1 + torch.tensor(slopes[task]) @ x + own[task] for task in tasks}

    decision = strategy.step(closure, updates)
    assert decision.losses == dict.fromkeys(strategy.tasks, 1)
    assert all(y.item() == -1 for y in own.values())  # each by its own loss alone
    return -x.detach()


@every
@pytest.mark.parametrize("options", [False, True])
@pytest.mark.parametrize("length", [1e-5, 1.0, 1e4])
def test_equal_gradients_give_their_sum(name, options, length):
    strategy = make(name, "abc", **OPTIONS.get(name, {}) if options else {})
    row = torch.tensor([3.0, -4.0, 1.0]) * length
    for _ in range(2):
        torch.testing.assert_close(combined(strategy, [row.tolist()] * 3), 3 * row, rtol=2e-3, atol=0)


@every
def test_lengths_do_not_turn_the_answer(name):
    rows = np.array([[1.0, 0.5, 0.0], [-0.5, 2.0, 0.25], [0.0, -1.0, 1.0]])
    short, long = (combined(make(name, "abc"), (rows * length).tolist()) for length in (1e-5, 1e3))
    torch.testing.assert_close(short * 1e8, long, rtol=1e-3, atol=1e-3 * float(long.norm()))


@every
def test_own_parameters_get_their_tasks_gradient_unchanged(name):
    net, plain = Net(), Net()
    step(make(name), net, torch.optim.SGD(net.parameters(), 0.1))
    step(EqualWeights(TASKS), plain, torch.optim.SGD(plain.parameters(), 0.1))
    for ours, theirs in zip(net.heads.parameters(), plain.heads.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


@every
def test_parameters_that_no_loss_reaches_are_left_alone(name):
    net = Net()
    unused = nn.Parameter(torch.ones(3))
    shared = [net.trunk.weight, unused, net.trunk.bias]
    parameters = Parameters(shared, net.split().tasks)
    optimizer = torch.optim.AdamW([*net.parameters(), unused], 0.05, weight_decay=0.1)
    before = net.trunk.weight.clone()
    make(name).step(net.losses, ParameterUpdater(parameters, optimizer))
    assert unused.grad is None
    assert torch.equal(unused, torch.ones(3))
    assert not torch.equal(net.trunk.weight, before)


@every
def test_tasks_that_share_nothing_or_gradients_of_0_train_alone(name):
    net, plain = Net(), Net()
    net.trunk.requires_grad_(False)
    plain.trunk.requires_grad_(False)
    step(make(name), net)
    step(EqualWeights(TASKS), plain)
    assert equal(net, plain)
    assert not combined(make(name, "ab"), [[0.0, 0.0]] * 2).any()


def test_what_gradvac_has_learned_makes_a_difference_and_is_saved():
    rows = [[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [-0.6, 0.8]]
    fresh, taught = make("gradvac", "ab"), make("gradvac", "ab")
    combined(taught, rows[0])
    saved = taught.learned_state()
    before = deepcopy(saved["aggregator"])
    wanted = combined(taught, rows[1])
    assert not torch.allclose(combined(fresh, rows[1]), wanted)
    assert all(torch.equal(saved["aggregator"][name], before[name]) for name in before)
    resumed = make("gradvac", "ab")
    resumed.load_learned_state(saved)
    assert torch.equal(combined(resumed, rows[1]), wanted)


@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_depend_on_seed_and_step_alone(name):
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(1)).tolist()
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first = make(name, "abcd", seed=3)
    steps = [combined(first, rows) for _ in range(4)]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(8)
    again, other = make(name, "abcd", seed=3), make(name, "abcd", seed=2**40 + 3)
    assert all(torch.equal(combined(again, rows), found) for found in steps)
    assert not all(torch.equal(combined(other, rows), found) for found in steps)
    assert not all(torch.equal(found, steps[0]) for found in steps)


def test_pcgrad_of_two_tasks_is_the_projection_written_by_hand():
    first, second = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, -1.0, 3.0])
    dot = first @ second  # -1
    wanted = first - dot / (second @ second) * second + second - dot / (first @ first) * first
    torch.testing.assert_close(combined(make("pcgrad"), [first.tolist(), second.tolist()]), wanted)
    agreeing = combined(make("pcgrad"), [[1.0, 2.0, 0.0], [1.0, 1.0, 3.0]])
    torch.testing.assert_close(agreeing, torch.tensor([2.0, 3.0, 3.0]))


def test_methods_give_what_is_solved_by_hand():
    """Of (1, 0) and (0, 2): the shortest mean, equal projections, each sign, no conflict."""
    rows = [[1.0, 0.0], [0.0, 2.0]]
    # The point of the segment nearest to 0 is (0.8, 0.4); twice that.
    torch.testing.assert_close(combined(make("mgda"), rows), torch.tensor([1.6, 0.8]), rtol=1e-2, atol=0)
    # Weights (2, 1) / 3 give equal projections on both unit gradients.
    torch.testing.assert_close(combined(make("imtl-g"), rows), torch.tensor([4 / 3, 4 / 3]))
    for name in ("upgrad", "dualproj", "graddrop", "pcgrad"):
        torch.testing.assert_close(combined(make(name), rows), torch.tensor([1.0, 2.0]))
    # Singular values 2 and 1 become 1 and 1.
    torch.testing.assert_close(combined(make("aligned-mtl"), rows), torch.tensor([1.0, 1.0]))
    # Length 1 + 2 of the sum's projections on the diagonal.
    torch.testing.assert_close(combined(make("config"), rows), torch.tensor([1.5, 1.5]))


@pytest.mark.parametrize("c", [0.0, 0.4, 2.0])
def test_cagrad_finds_the_best_worst_gain_in_the_ball_around_the_mean(c):
    rows = np.array([[1.0, 0.0], [-0.5, 1.5]])
    mean = rows.mean(0)
    angles = np.linspace(0, 2 * math.pi, 20001)
    ball = mean + c * np.linalg.norm(mean) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    best = ball[(ball @ rows.T).min(axis=1).argmax()]
    found = combined(make("cagrad", c=c), rows.tolist()).numpy()
    np.testing.assert_allclose(found, 2 * best / (1 + c), atol=2e-3)


@pytest.mark.parametrize("name", ["upgrad", "dualproj"])
def test_no_task_is_opposed(name):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        rows = torch.randn(4, 5, generator=generator)
        assert float((rows @ combined(make(name, "abcd"), rows.tolist())).min()) > -1e-5


def best_of_all_active_sets(vector, gramian):
    """min v^T G v over v >= u by trying which of the bounds hold with equality."""
    candidates = [vector]
    for size in range(1, len(vector) + 1):
        for free in map(list, combinations(range(len(vector)), size)):
            bound = [k for k in range(len(vector)) if k not in free]
            found = vector.copy()
            found[free] = -np.linalg.solve(gramian[np.ix_(free, free)], gramian[np.ix_(free, bound)] @ vector[bound])
            if (found >= vector - 1e-12).all():
                candidates.append(found)
    return min(candidates, key=lambda v: v @ gramian @ v)


def test_the_projection_is_the_best_of_all_active_sets():
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows = rng.normal(size=(4, 6)) * rng.uniform(0.1, 10, (4, 1))
        gramian, vectors = rows @ rows.T, np.eye(4) / 4
        wanted = [best_of_all_active_sets(vector, gramian) for vector in vectors]
        found = project_onto_dual_cone(torch.from_numpy(vectors), torch.from_numpy(gramian))
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-8)
        assert np.array_equal(project_onto_dual_cone(torch.from_numpy(vectors[0]), torch.from_numpy(gramian)), found[0])


def test_opposite_gradients_are_projected_to_nothing():
    gramian = torch.tensor([[1.0, -2.0], [-2.0, 4.0]])  # of (1, 0) and (-2, 0)
    found = project_onto_dual_cone(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), gramian)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.5], [2.0, 1.0]]))


@every
def test_a_gradient_that_is_not_finite_changes_nothing(name):
    net, strategy = Net(), make(name)
    before = net.copy()
    with pytest.raises(NonFiniteError, match="shared parameters by 'far' is not finite"):
        step(strategy, net, closure=net.steep_losses)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    assert strategy.learned_state()["steps"] == 0


def test_half_precision_parameters_train():
    net = Net().bfloat16()
    net.inputs = net.inputs.bfloat16()
    decision = step(make("pcgrad"), net, torch.optim.SGD(net.parameters(), 0.1))
    assert decision.norms.shared > 0
    assert net.trunk.weight.grad.dtype == torch.bfloat16


@every
def test_what_a_method_needs_and_is_not_installed_is_named(name, monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda module: None if module != "ecos" else object())
    with pytest.raises(ValueError, match=rf"{name} needs 'torchjd'.*pip install 'parastitch\[mtl\]'"):
        make_aggregation(name, TASKS)


def test_nash_mtl_without_ecos_says_what_that_is(monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda module: None if module == "ecos" else object())
    with pytest.raises(ValueError, match="nash-mtl needs ECOS, which is under the GPL"):
        make_aggregation("nash-mtl", TASKS)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pcgradd", {}, "aggregator 'pcgradd': expected one of 'aligned-mtl', 'cagrad'"),
        ("pcgrad", {"c": 1}, "pcgrad: unknown option 'c'; it has none"),
        ("mgda", {"tasks": 1}, "mgda: unknown option 'tasks'"),
        ("cagrad", {"alpha": 1}, "cagrad: unknown option 'alpha'; it has 'c'"),
        ("cagrad", {"c": -1}, "cagrad: c -1 is impossible; the default is 0.4"),
        ("cagrad", {"c": "much"}, "cagrad: c 'much' is impossible"),
        ("fairgrad", {"alpha": 0}, "fairgrad: alpha 0 is impossible"),
        ("fairgrad", {"alpha": math.nan}, "fairgrad: alpha nan is impossible"),
        ("gradvac", {"beta": 2}, "gradvac: beta 2 is impossible"),
        ("aligned-mtl", {"scale_mode": "max"}, "aligned-mtl: scale_mode 'max' is impossible; the default is 'min'"),
        ("nash-mtl", {"update_weights_every": 1.5}, "nash-mtl: update_weights_every 1.5 is impossible"),
        ("pcgrad", {"seed": -1}, "seed -1: expected"),
        ("pcgrad", {"seed": "x"}, "seed 'x': expected"),
    ],
)
def test_unknown_names_and_impossible_options_are_refused(name, options, words):
    with pytest.raises(ValueError, match=words):
        make_aggregation(name, TASKS, **options)


def test_tasks_must_be_those_of_the_parameters():
    with pytest.raises(ValueError, match="each named once"):
        make_aggregation("pcgrad", ["near", "near"])
    with pytest.raises(ValueError, match="parameters for unknown 'far'"):
        step(make_aggregation("pcgrad", ["near"]), Net())


def test_a_state_of_another_method_option_or_task_is_refused():
    state = make("mgda").state_dict()
    gradvac = make("gradvac")
    for other in (make("pcgrad"), make("mgda", ["near"]), make("mgda", seed=1), gradvac):
        with pytest.raises(ValueError, match="resume with what was saved"):
            other.load_state_dict(state)
    with pytest.raises(ValueError, match="resume with what was saved"):
        make("gradvac", beta=0.25).load_state_dict(gradvac.state_dict())
