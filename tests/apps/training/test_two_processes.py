"""Training in two processes on the CPU, as on two GPUs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import two_process_training
from training_runs import assert_same_run, quiet
from two_process_training import two_process_options

from apps.training.checkpoints import STATE, load_state
from apps.training.trainer import train


@pytest.mark.slow
def test_two_processes_train_one_network_and_a_run_goes_on_with_another_number(folder, tmp_path):
    root = Path(two_process_training.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, two_process_training.__file__, folder, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 1/4, ") == 3  # the first process alone writes
    assert "stopped after step 2 of 4, interrupted by another process; the same command resumes" in done.stdout
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for name, weights in first.items():
        assert all(torch.equal(second[name][key], value) for key, value in weights.items()), name
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    train("joint", tmp_path / "begun", two_process_options(folder), quiet)
    state = load_state(tmp_path / "begun" / STATE)
    assert (state["step"], state["examples"]) == (4, 2 * 2 + 2 * 1)
