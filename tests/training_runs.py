"""Tiny training runs, and how to look at what they did."""

import csv
import os
import signal
from collections import defaultdict

import pytest
import torch
from fake_renderer import without_processes
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from worlds import CPU, gentle_bank

from apps.training import trainer
from apps.training.checkpoints import CURVE, LAST, STATE, load_state
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_weights, save_weights

SIZE = 64, 64
MODULES = ["backbone", *(f"warping.{name}" for name, _ in StitchingNetwork().warping.named_children()), "generating"]


def open_small(options, seed, device="cpu", pairs_per_scene=1):
    """The real renderer with textures that need no loading."""
    return SampleRenderer(options, seed, CPU, gentle_bank(), (), pairs_per_scene)


def write_data(folder, count, opening=open_small, **more):
    """A data set as `parastitch generate` writes it."""
    with pytest.MonkeyPatch.context() as patch:  # no processes
        without_processes(patch)
        generate(SampleOptions(size=SIZE, supersampling=1), GenerateJob(folder, count, **more), opening)
    return folder


def quiet(line):
    """Ignore a line of the log."""


def curves(folder):
    """Step -> name -> value, of the curves that a run wrote for TensorBoard; without those of validations."""
    events = EventAccumulator(str(folder)).Reload()
    found = defaultdict(dict)
    for name in events.Tags()["scalars"]:
        if not name.startswith("validation "):
            for event in events.Scalars(name):
                found[event.step][name] = event.value
    return dict(sorted(found.items()))


def table(folder):
    """The rows of the validations of a run."""
    with (folder / CURVE).open(newline="") as file:
        return list(csv.DictReader(file))


def modules_with_gradient(points):
    """Names of the modules that a step trained."""
    return {name for name in MODULES if points[f"gradient/{name}"]}


def fail_at(monkeypatch, at, error):
    """Let the run end with `error` where step `at` would begin."""
    step = trainer._step

    def failing(run, batch):
        if run.step == at:
            raise error
        return step(run, batch)

    monkeypatch.setattr(trainer, "_step", failing)


def interrupt_at(monkeypatch, at, times=1, by=signal.SIGINT):
    """Let a signal, Ctrl-C, come so often during step `at`."""
    step = trainer._step

    def interrupted(run, batch):
        for _ in range(times if run.step == at else 0):
            os.kill(os.getpid(), by)
        return step(run, batch)

    monkeypatch.setattr(trainer, "_step", interrupted)


def train_interrupted(monkeypatch, at, mode, folder, options):
    """A run that Ctrl-C ends after step `at`."""
    with monkeypatch.context() as patch:
        interrupt_at(patch, at)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(mode, folder, options, quiet)


def assert_same_run(folder, expected):
    """Training states and weights of two runs are equal to the bit, but for times and the best score so far."""
    found, wanted = (_leaves(load_state(run / STATE)) for run in (folder, expected))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        same = torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value
        assert same, name
    assert_same_weights(folder, expected)


def assert_same_weights(folder, expected):
    found, wanted = (load_weights(run / LAST).weights for run in (folder, expected))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def _leaves(state, name=""):
    if isinstance(state, dict):
        parts = [(str(key), value) for key, value in state.items() if key not in ("seconds", "best")]
    elif isinstance(state, list | tuple):
        parts = [(str(number), value) for number, value in enumerate(state)]
    else:
        return {name: state}
    return {key: value for own, part in parts for key, value in _leaves(part, f"{name}/{own}").items()}


def nan_weights(path):
    torch.manual_seed(0)
    weights = StitchingNetwork().state_dict()
    next(value for name, value in weights.items() if "warping.matching" in name and value.ndim == 4).fill_(torch.nan)
    save_weights(path, weights, {"network": "StitchingNetwork"})
    return path
