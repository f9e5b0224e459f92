"""The trainer with multi-task optimizers that do more than add losses."""

from dataclasses import replace

import pytest
from training_runs import MODULES, assert_same_weights, curves, fail_at, modules_with_gradient, quiet

from apps.training.options import TASKS
from apps.training.strategy_setup import choose_strategy
from apps.training.trainer import train
from stitching.network.stitching_network import StitchingNetwork


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("task-priority", {"channels/warp/stem", "channels/stitch/to_eighth.1.second"}),
        ("task-groups:beta=0.5,warm_up=1", {"affinity/warp on stitch", "group/geometry", "groups"}),
        ("uncertainty+instances", {"sigma/warp", "instance weight/stitch/10 %", "instance weight/warp/median"}),
        ("gradient-norms", set()),
    ],
)
@pytest.mark.slow
def test_every_task_is_trained_and_a_killed_run_ends_with_the_same_weights(options, tmp_path, monkeypatch, spec, names):
    some = replace(
        options, strategy=spec, matching_steps=0, steps=3, classical_start=1.0, batch_size=2, save_every=2,
        validate_every=3,
    )  # fmt: skip
    train("joint", tmp_path / "uninterrupted", some, quiet)
    steps = curves(tmp_path / "uninterrupted")
    for points in steps.values():
        assert {f"loss/{name}" for name in ("sequence", "epipolar", "visibility", "true seam", "stitch")} <= set(points)
        assert {f"strategy/{name}" for name in names} <= set(points)
    trained = set().union(*map(modules_with_gradient, steps.values()))
    assert trained == set(MODULES) - {"warping.matching", "warping.update"}  # not used from a classical start
    with monkeypatch.context() as patch:
        fail_at(patch, 2, OSError("killed"))
        with pytest.raises(OSError, match="killed"):
            train("joint", tmp_path / "killed", some, quiet)
    train("joint", tmp_path / "killed", some, quiet)
    assert_same_weights(tmp_path / "killed", tmp_path / "uninterrupted")


_LEARNING = ["dynamic", "task-priority", "task-groups", "instances", "uncertainty+equal", "gradient-norms"]


@pytest.mark.parametrize(
    ("spec", "stored"), [*((spec, True) for spec in _LEARNING), ("dynamic", False), ("task-priority", False)]
)
def test_what_a_strategy_has_learned_does_not_depend_on_the_number_of_devices(options, spec, stored):
    network, some = StitchingNetwork(), replace(options, strategy=spec, data=options.data if stored else None)
    one, several = (choose_strategy(TASKS["joint"], replace(some, devices=n, nodes=n), network) for n in (1, 3))
    several.load_state_dict(one.state_dict())
    one.load_state_dict(several.state_dict())
