"""Impossible options are refused in one line, before the first step."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from training_runs import quiet

from apps.training.checkpoints import STATE
from apps.training.options import TrainOptions
from apps.training.stage import rate_factor
from apps.training.trainer import train
from stitching.errors import InputError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": (60, 64)}, "--size 60 64: expected multiples of 8, 64 to 2048"),
        ({"size": (56, 64)}, "--size 56 64"),
        ({"batch_size": 0}, "--batch-size 0: expected 1 or more"),
        ({"steps": 0}, "--steps 0"),
        ({"matching_steps": -1}, "--matching-steps -1: expected 0 or more"),
        ({"rate": float("nan")}, "--rate nan: expected above 0"),
        ({"clip": 0.0}, "--clip 0.0"),
        ({"weight_decay": -0.1}, "--weight-decay -0.1: expected 0 or more"),
        ({"classical_start": 1.5}, "--classical-start 1.5: expected 0 to 1"),
        ({"minutes": -1.0}, "--minutes -1.0"),
        ({"workers": -1}, "--workers -1"),
        ({"threads": 0}, "--threads 0: expected 1 or more"),
        ({"seed": -3}, "--seed -3"),
        ({"device": "tpu"}, "--device tpu: expected auto, cpu or cuda"),
        ({"devices": 0}, "--devices 0"),
        ({"nodes": 0}, "--nodes 0"),
        ({"save_every": 0}, "--save-every 0"),
        ({"ema": 1.0}, "--ema 1.0: expected at least 0 and below 1"),
    ],
)
def test_impossible_options_are_refused(changes, words):
    with pytest.raises(InputError, match=re.escape(words)):
        TrainOptions(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": "best"}, "--strategy best"),
        ({"strategy": "static:warp=1"}, "--strategy static:warp=1: no weights for 'geometry', 'visibility'"),
        ({"strategy": "task-groups:beta=2"}, "--strategy task-groups:beta=2: beta 2"),
        ({"strategy": "pcgrad+equal"}, "'pcgrad' cannot come before"),
        ({"strategy": "instances", "data": None}, "--strategy instances: needs --data, --photograph-share 0"),
        ({"strategy": "equal+instances", "pairs": Path("photos")}, "and no --pairs"),
    ],
)
def test_a_strategy_that_cannot_be_used_is_refused_before_the_first_step(options, tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        train("flow", tmp_path, replace(options, **changes), quiet)
    assert not (tmp_path / STATE).exists()


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_rate_rises_to_the_highest_and_falls(schedule):
    for steps in (3, 10, 1000):
        factors = [rate_factor(step, steps, schedule) for step in range(steps)]
        top = factors.index(max(factors))
        assert max(factors) == pytest.approx(1, rel=1e-3 if steps > 100 else 1e-9)
        assert factors[: top + 1] == sorted(factors[: top + 1])
        assert factors[top:] == sorted(factors[top:], reverse=True)
        assert min(factors) > 0


def test_a_constant_rate_does_not_depend_on_how_long_the_run_will_be():
    shorter, longer = ([rate_factor(step, steps, "constant") for step in range(20000)] for steps in (25000, 10**7))
    assert shorter == longer
    assert longer.count(1) > 19000
    assert rate_factor(25000, 25000, "constant") < 0.03
