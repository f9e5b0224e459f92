"""A run goes on where it stopped, to the bit."""

import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from training_runs import interrupting, quiet, stopping

from apps.training import data
from apps.training.checkpoints import BEST, LAST, STATE, load_state
from apps.training.run import train
from stitching.errors import InputError
from stitching.network.weights import load_weights


def tensors(state, name=""):
    """All numbers of a training state, one by one; but for the time it took and the best score so far."""
    if isinstance(state, dict):
        parts = [(str(key), value) for key, value in state.items() if key not in ("seconds", "best")]
    elif isinstance(state, list | tuple):
        parts = [(str(number), value) for number, value in enumerate(state)]
    else:
        return {name: state}
    return {key: value for own, part in parts for key, value in tensors(part, f"{name}/{own}").items()}


@pytest.fixture(scope="module")
def whole(options, tmp_path_factory):
    """The state and the weights of a run that nobody interrupted."""
    output = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "VALIDATION_COUNT", 1)
        train("joint", output, options, quiet)
    return output


def assert_same(output, whole):
    found, expected = (tensors(load_state(folder / STATE)) for folder in (output, whole))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        same = torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
        assert same, name
    weights = [load_weights(folder / LAST).weights for folder in (output, whole)]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


@pytest.mark.parametrize(
    ("at", "error", "saved"),
    [
        (1, OSError("killed"), None),  # nothing is saved yet: it begins anew
        (2, OSError("killed"), 2),  # the matching is learned, nothing else is begun
        (3, OSError("killed"), 2),  # it goes on from the last checkpoint
        (3, KeyboardInterrupt(), 2),
    ],
)
def test_a_run_that_was_killed_ends_with_the_same_weights(options, whole, tmp_path, monkeypatch, at, error, saved):
    """On the CPU, with one thread, to the bit; the optimizer's memory and the average too."""
    some = replace(options, save_every=2)
    with monkeypatch.context() as patch:
        stopping(patch, at, error)
        with pytest.raises(type(error)):
            train("joint", tmp_path, some, quiet)
    assert (load_state(tmp_path / STATE)["step"] if (tmp_path / STATE).exists() else None) == saved
    lines = []
    train("joint", tmp_path, some, lines.append)
    assert (f"goes on at step {saved}" in lines) == (saved is not None)
    assert_same(tmp_path, whole)


@pytest.mark.parametrize(
    ("at", "saved"),
    [
        (0, 1),  # within the first lesson
        (1, 2),  # the matching is learned, nothing else is begun
        (2, 3),
        (3, 4),  # the last step: only the validation is missing
    ],
)
def test_ctrl_c_finishes_the_step_at_hand_and_saves_it(options, whole, tmp_path, monkeypatch, at, saved):
    """The same command goes on from there, and ends with the weights of a run that nobody interrupted."""
    before, lines = signal.getsignal(signal.SIGINT), []
    with monkeypatch.context() as patch:
        interrupting(patch, at)
        with pytest.raises(KeyboardInterrupt):
            train("joint", tmp_path, options, lines.append)
    assert signal.getsignal(signal.SIGINT) == before
    assert [line.split()[1] for line in lines if line.startswith("step ")] == [str(n + 1) for n in range(saved)]
    assert load_state(tmp_path / STATE)["step"] == load_weights(tmp_path / LAST).architecture["step"] == saved
    assert not (tmp_path / BEST).exists()  # who presses Ctrl-C waits for no validation
    train("joint", tmp_path, options, lines.append)
    assert f"goes on at step {saved}" in lines
    assert (tmp_path / BEST).exists()
    assert_same(tmp_path, whole)


def test_a_second_ctrl_c_ends_a_run_at_once(options, tmp_path, monkeypatch):
    before, lines = signal.getsignal(signal.SIGINT), []
    interrupting(monkeypatch, 1, times=2)
    with pytest.raises(KeyboardInterrupt):
        train("joint", tmp_path, options, lines.append)
    assert signal.getsignal(signal.SIGINT) == before
    assert len([line for line in lines if line.startswith("step ")]) == 1
    assert not (tmp_path / STATE).exists()


def test_a_run_in_a_thread_leaves_ctrl_c_alone(options, tmp_path):
    with ThreadPoolExecutor(1) as thread:
        thread.submit(train, "joint", tmp_path, replace(options, minutes=1e-6), quiet).result()
    assert load_state(tmp_path / STATE)["step"] == 0


def test_a_run_that_stops_after_some_minutes_goes_on(options, whole, tmp_path):
    """It saves, measures, and the same command goes on, with another cache if need be."""
    lines = []
    figures = train("joint", tmp_path, replace(options, minutes=1e-6), lines.append)
    assert load_state(tmp_path / STATE)["step"] == 0
    assert figures
    assert lines[-1].startswith("validation at step 0")
    train("joint", tmp_path, replace(options, cache=tmp_path / "cache", log_every=3), quiet)
    assert_same(tmp_path, whole)


def test_a_run_that_is_over_does_nothing_more(options, whole):
    before, lines = load_weights(whole / LAST).weights, []
    train("joint", whole, options, lines.append)
    assert "goes on at step 4" in lines
    assert not [line for line in lines if line.startswith("step ")]
    after = load_weights(whole / LAST).weights
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
def test_a_folder_with_another_run_is_refused_and_stays(options, whole, mode, changes, words):
    before = {path.name: path.read_bytes() for path in whole.iterdir() if path.suffix != ""}
    with pytest.raises(InputError, match=rf"holds another run \({words}\); choose another folder"):
        train(mode, whole, replace(options, **changes), quiet)
    for name in (BEST, LAST, STATE):
        assert (whole / name).read_bytes() == before[name]


def test_a_damaged_state_is_named(options, tmp_path):
    (tmp_path / STATE).write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"state\.pt: "):
        train("joint", tmp_path, options, quiet)


def test_a_run_begins_from_the_given_weights(options, whole, tmp_path):
    some = replace(options, begin_from=whole / LAST, minutes=1e-6)
    train("joint", tmp_path, some, quiet)
    given, kept = load_weights(whole / LAST).weights, load_weights(tmp_path / LAST).weights
    assert all(torch.equal(kept[name], value) for name, value in given.items())
