"""The two objectives by hand values, their Pareto front against a grid, and what is said of paths."""

import math

import numpy as np
import pytest
import torch
from mtl_toy import FLOOR, STARTS, draw, find_front, judge, losses_at, main, objectives, walk, walk_from_all_starts

UP, DOWN = math.tanh(1), math.tanh(4)  # of the valleys at y = 2, of the bowls at y = -8


def at(x, y, scale=1.0):
    return objectives(torch.tensor([x, y], dtype=torch.float64), scale).tolist()


def test_the_objectives_by_hand():
    assert at(0, 0) == [0, 0]
    assert at(7, -8) == pytest.approx([-20 * DOWN, (19.6 - 20) * DOWN])
    assert at(-7, -8) == pytest.approx([(19.6 - 20) * DOWN, -20 * DOWN])
    assert at(0, -8) == pytest.approx([(4.9 - 20) * DOWN] * 2)
    assert at(7, -18) == pytest.approx([(1 - 20) * math.tanh(9), (19.6 + 1 - 20) * math.tanh(9)])
    valley = 2 * math.tanh(2) - 7  # where the first logarithm has its floor
    second = abs(-(valley - 3) / 2 - math.tanh(2) + 2)
    assert at(valley, 2) == pytest.approx([UP * (math.log(FLOOR) + 6), UP * (math.log(second) + 6)])
    assert at(7 - 2 * math.tanh(2), 2)[1] == pytest.approx(UP * (math.log(FLOOR) + 6))


def test_the_scale_multiplies_the_first_objective():
    first, second = at(3, 2)
    assert at(3, 2, scale=0.1) == pytest.approx([0.1 * first, second])


def test_all_starts_have_a_slope():
    for start in STARTS:
        point = torch.tensor(start, requires_grad=True)
        for loss in objectives(point):
            assert torch.autograd.grad(loss, point, retain_graph=True)[0].norm() > 0


def test_the_front_is_what_no_other_point_beats_and_all_of_it():
    front = losses_at(find_front(), 1.0)
    assert (np.diff(front[:, 0]) < 0).all()
    assert (np.diff(front[:, 1]) > 0).all()
    side = np.linspace(-12, 12, 481)
    grid = losses_at(np.stack(np.meshgrid(side, side), -1).reshape(-1, 2), 1.0)  # (n, n, 2) -> (n * n, 2)
    # For each front point no grid point is better in both; for each grid point some front point is as good.
    for point in front[::20]:
        assert not (grid < point - 1e-4).all(-1).any()
    nearest = np.searchsorted(-front[:, 0], -grid[:, 0] - 0.03)  # the first one whose first loss is as low
    inside = nearest < len(front)
    assert (front[nearest[inside], 1] <= grid[inside, 1] + 0.03).all()


def test_a_plain_sum_ends_where_its_optimum_is_known():
    scale = 0.5
    path = walk("equal", (9.0, -1.0), steps=300, rate=0.05, scale=scale)
    assert path[0].tolist() == [9, -1]
    assert path.shape == (301, 2)
    assert path[-1, 0] == pytest.approx(7 * (scale - 1) / (scale + 1), abs=0.1)  # of weights 1 + t, 1 - t: x = 7 t
    outcome = judge([path], find_front(), scale)
    assert outcome.reached == 1
    assert 0 < outcome.steps[0] < 300


def test_paths_are_judged_by_where_they_end():
    front = find_front()
    stays = np.tile([[9.0, 9.0]], (4, 1))
    arrives = np.array([[9.0, 9.0], [0.0, -5.0], [0.0, -8.36], [0.0, -8.36]])
    leaves = np.array([[9.0, 9.0], [7.0, -8.4], [9.0, 9.0], [9.0, 9.0]])
    outcome = judge([stays, arrives, leaves], front, 1.0)
    assert outcome.reached == 1
    assert outcome.places == (0.0,)
    assert outcome.steps == (2, 1)
    ends = [np.mean(at(9, 9)), np.mean(at(0, -8.36)), np.mean(at(9, 9))]
    assert outcome.mean_loss == pytest.approx(np.mean(ends))


def test_task_priority_walks_without_a_layer_of_its_own():
    path = walk("priority:phases=first", (0.0, 0.0), steps=3, rate=0.01, scale=0.1)
    assert len(np.unique(path, axis=0)) == 4


def test_paths_are_kept_and_drawn(tmp_path, monkeypatch):
    paths = walk_from_all_starts(tmp_path, "task-groups:beta=0.1", steps=2, rate=0.01, scale=0.1)
    assert [path[0].tolist() for path in paths] == [list(start) for start in STARTS]
    monkeypatch.delattr("mtl_toy.walk")  # not walked again
    again = walk_from_all_starts(tmp_path, "task-groups:beta=0.1", steps=2, rate=0.01, scale=0.1)
    assert np.array_equal(paths, again)
    pytest.importorskip("matplotlib")
    draw({"equal": paths, "groups": again}, find_front(), 0.1, tmp_path / "toy.png")
    assert (tmp_path / "toy.png").stat().st_size > 1000


def test_without_a_method_that_can_walk_it_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["mtl_toy.py", str(tmp_path), "--methods", "nonsense"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "none of the methods is left" in capsys.readouterr().err
