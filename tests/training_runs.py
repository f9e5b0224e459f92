"""Tiny training runs, and how to look at what they did."""

import os
import re
import signal

import pytest
import torch
from worlds import CPU, gentle_bank

from apps.training import run
from datasets import generate as generating
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample_renderer import SampleRenderer
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import save_weights

SIZE = 64, 64
PARTS = [
    "backbone", "warping.correlation", "warping.context", "warping.first", "warping.update", "warping.extension",
    "warping.move", "warping.see", "warping.upsampling", "generating",
]  # fmt: skip


def open_small(options, seed, device="cpu"):
    """The real renderer with a bank that is there at once."""
    return SampleRenderer(options, seed, CPU, gentle_bank())


def write_data(folder, count, opening=open_small, **more):
    """A data set that `parastitch generate` might have written."""
    with pytest.MonkeyPatch.context() as patch:  # no processes
        patch.setattr(generating, "run_local", lambda task, indices, processes: map(task, indices))
        generate(SampleOptions(size=SIZE, supersampling=1), GenerateJob(folder, count, **more), opening)
    return folder


def quiet(line):
    """Nobody listens."""


def figures_of(line):
    """Name -> number of a line of the log."""
    return {name: float(value) for name, value in re.findall(r"([a-z][\w ./]*?) ([-\d.e+]+)(?:,|$)", line)}


def stopping(monkeypatch, at, error):
    """Let the run end with `error` where step `at` would begin."""
    step = run._step

    def stops(one, batch):
        if one.step == at:
            raise error
        return step(one, batch)

    monkeypatch.setattr(run, "_step", stops)


def interrupting(monkeypatch, at, times=1):
    """Let Ctrl-C come so often while step `at` is made."""
    step = run._step

    def interrupted(one, batch):
        for _ in range(times if one.step == at else 0):
            os.kill(os.getpid(), signal.SIGINT)
        return step(one, batch)

    monkeypatch.setattr(run, "_step", interrupted)


def nan_weights(path):
    torch.manual_seed(0)
    weights = StitchingNetwork().state_dict()
    weights["warping.correlation.project.weight"][0, 0] = float("nan")
    save_weights(path, weights, {"network": "StitchingNetwork"})
    return path
