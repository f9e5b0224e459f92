"""How networks are trained where a protocol says it."""

import pytest
import torch
from benchmark_toys import DATA, toy_run, use_toys

from apps.benchmarking.data.preparation import prepare
from apps.benchmarking.experiment.recipe import Recipe
from apps.benchmarking.network_trainer import Trainer


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [("cosine", (1, 0.5, 0)), ("poly", (1, 0.5**0.9, 0)), ("halved", (1, 0.5, 0.5))],
)
def test_the_rate_falls_as_the_schedule_says(schedule, factors):
    recipe = Recipe(schedule=schedule)
    assert [recipe.rate_factor(time) for time in (0, 0.5, 1)] == pytest.approx(factors)
    assert recipe.rate_factor(0.49) > 0.5


def test_training_follows_the_recipe(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    data = prepare(DATA, tmp_path / "data", None)
    recipe = Recipe("adam", 1e-6, "poly", least_zoom=0.5, most_zoom=2.0, distances="label")
    trainer = Trainer(toy_run(recipe=recipe), data)
    optimizer = trainer.updater.optimizer
    assert type(optimizer) is torch.optim.Adam
    assert all(group["weight_decay"] == 1e-6 for group in optimizer.param_groups)
    assert data.scales["depth"].unit > 1.2  # the mean of the toys' distances, 1 to 2
    assert trainer.data.scales["depth"].unit == 1
    assert trainer.data.scales["edges"] == data.scales["edges"]
    losses = trainer.train_epoch(0)
    assert all(0 < loss < 100 for loss in losses.values())
    plain = Trainer(toy_run(recipe=Recipe("adam", 1e-6, "poly", distances="label")), data).train_epoch(0)
    assert all(losses[task] != plain[task] for task in losses)  # the zoom is what differs


def test_losses_are_weighted_where_several_tasks_are_trained(tmp_path, monkeypatch):
    recipe = Recipe(weights="segmentation=2,depth=1,edges=50")
    assert recipe.strategy("pcgrad", ["depth", "edges"]) == "static:depth=1,edges=50+pcgrad"
    assert recipe.strategy("equal", ["edges"]) == "equal"
    assert Recipe().strategy("equal", ["depth", "edges"]) == "equal"
    use_toys(monkeypatch)
    data = prepare(DATA, tmp_path / "data", None)
    trainer = Trainer(toy_run(tasks=("depth", "edges"), recipe=recipe), data)
    assert trainer.strategy.settings()["weights"] == {"depth": 1, "edges": 50}
