"""What a run is called and made of, as the command line and a file say it."""

from dataclasses import replace

import pytest
from benchmark_toys import DATA, toy_run

from apps.benchmarking.experiment.settings import MethodSpec, parse_method
from apps.benchmarking.experiment.training_length import expected_steps
from stitching.errors import InputError


def test_a_method_is_a_strategy_and_how_the_network_is_set_up():
    assert parse_method("equal") == MethodSpec("equal")
    assert parse_method("instances+task-groups:beta=0.01") == MethodSpec("instances+task-groups:beta=0.01")
    assert parse_method("task-groups:beta=0.01/heads=4/norms") == MethodSpec("task-groups:beta=0.01", True, 4.0)
    assert parse_method("equal/epochs=0.5") == MethodSpec("equal", epochs_factor=0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/norms",
        "equal/",
        "equal/norm",
        "equal/heads",
        "equal/heads=0",
        "equal/epochs=-1",
        "equal/norms/norms",
        "equal/heads=2/heads=3",
        "equal/epochs=1e300",
        "equal/heads=nan",
    ],
)
def test_other_methods_are_refused(text):
    with pytest.raises(InputError, match="--methods"):
        parse_method(text)


def test_runs_of_one_benchmark_have_names_of_their_own():
    runs = [
        toy_run(),
        toy_run(method="equal/norms"),
        toy_run(method="equal:norms"),
        toy_run(tasks=("depth",)),
        toy_run(tasks=("depth",), width=0.5),
        toy_run(tasks=("edges",)),
        toy_run(seed=1),
        toy_run(rate=3e-3),
        *(toy_run(data=replace(DATA, noisy="depth", share=share)) for share in (0.0, 0.1)),
    ]
    assert len({run.name for run in runs}) == len(runs)
    assert not any("/" in run.name for run in runs)


def test_the_epochs_of_a_method_are_whole():
    assert [toy_run(method=f"equal/epochs={f}", epochs=3).passes for f in (2, 0.5, 0.01)] == [6, 2, 1]


@pytest.mark.parametrize(
    ("method", "steps"),
    [
        ("equal", 120), ("uncertainty+same-steps", 30), ("equal:updates=2", 60), ("task-priority", 48),
        ("uncertainty+task-priority", 48), ("priority:schedule=square", 40),
        ("priority:phases=second,order=random", 120),
    ],
)  # fmt: skip
def test_the_batches_that_so_many_updates_need_are_foreseen(method, steps):
    """Of four tasks; the second phase of task priority updates once and becomes more frequent evenly: 2.5 updates."""
    assert expected_steps(toy_run(method=method, updates=120), 10) == steps
    assert expected_steps(toy_run(method=method + "/epochs=3"), 10) == 30
