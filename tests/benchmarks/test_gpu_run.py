"""The run of ten minutes on a GPU, rehearsed on the CPU with small numbers."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gpu
import pytest
from training_runs import quiet, write_data

from apps.training.checkpoints import LAST, STATE, load_state
from apps.training.trainer import train


@pytest.mark.slow
def test_the_script_leaves_figures_and_a_run_that_goes_on(tmp_path):
    data = write_data(tmp_path / "data", 2)
    arguments = (
        f"--minutes 0.01 --measure-seconds 0.01 --data {data} --validation {data} --size 64 64 --batch-size 1 "
        "--device cpu --workers 0 --threads 1 --precision fp32"
    ).split()
    script = Path(gpu.__file__).with_suffix(".sh")
    environment = os.environ | {"OUT": str(tmp_path / "out"), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([script, *arguments], env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "out").iterdir())
    assert len(files) <= 8
    assert max(path.stat().st_size for path in files) < 16 * 2**20
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(figures) == {"rendering", "moved photographs", "examples", "networks", "training", "packing"}
    assert not [name for name, found in figures.items() if "error" in found], figures
    assert figures["training"]["examples"] >= 1
    run = tmp_path / "run"
    run.mkdir()
    (run / STATE).write_bytes(b"".join(path.read_bytes() for path in files if path.name.startswith(STATE)))
    some = replace(
        gpu.OPTIONS, data=data, validation=data, size=(64, 64), batch_size=1, device="cpu", workers=0, threads=1,
        precision="fp32", minutes=1e-6,
    )  # fmt: skip
    step = load_state(run / STATE)["step"]
    train("joint", run, some, quiet)
    assert load_state(run / STATE)["step"] == step + 1
    assert (run / LAST).exists()


def test_a_measurement_that_fails_is_named_and_the_others_go_on(tmp_path):
    results = gpu.Results(tmp_path)
    results.measure("good", lambda: {"speed": 1.0})
    results.measure("bad", lambda: {"speed": 1 / 0})
    results.measure("better", lambda: {"speed": 2.0})
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["good"]["speed"] < figures["better"]["speed"]
    assert "division by zero" in figures["bad"]["error"]
