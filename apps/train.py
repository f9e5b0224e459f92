"""`parastitch train`: PWM, SIGMo, or both on one backbone."""

from importlib.util import find_spec
from pathlib import Path

import tyro

from apps.training.options import Mode, TrainOptions
from stitching.errors import InputError


def train_command(
    mode: tyro.conf.Positional[Mode],
    output: tyro.conf.Positional[Path],
    options: tyro.conf.OmitArgPrefixes[TrainOptions] = TrainOptions(),  # noqa: B008 - frozen
) -> None:
    """Train the networks on generated pairs; after an interruption the same command resumes the run.

    Args:
        mode: flow: the warp (PWM); blend: the blend (SIGMo); joint: both on one backbone.
        output: folder of the run: best.safetensors, last.safetensors, state.pt, curves for TensorBoard.
    """
    if missing := [package for package in ("torch", "lightning", "safetensors") if find_spec(package) is None]:
        raise InputError(f"train needs {', '.join(missing)}: pip install 'parastitch[train]'")
    from apps.progress import step_progress
    from apps.training.trainer import train

    with step_progress() as bar:
        train(mode, output, options, report=lambda line: print(line, flush=True), bar=bar)
