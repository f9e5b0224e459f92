"""PWM and SIGMo trained jointly by different multi-task optimizers, and apart: which recipe is best for one budget?

    python benchmarks/joint_strategies.py OUT --data TRAIN --test TEST --begin-from WEIGHTS [--seeds 0 1 2]
        [--strategies separate equal ...] [--steps 300]

TRAIN and TEST are folders that `parastitch generate` wrote; nothing is chosen by TEST. Each run is a `parastitch train`
of the same examples and steps, in a folder of OUT: interrupted, the same command goes on; more strategies and seeds
can be added. `separate` is two runs, flow and blend. Printed, mean and spread (standard deviation) over the seeds:

    OV, NOV       mean end-point error where the reference sees the target's pixels and beside it, PWM from the
                  classical warp, px of the window
    true, est.    PSNR of the stitch, dB, the target moved by the true warp and by PWM's
    delta-m       mean of the relative changes of the error in OV, in NOV, and of the stitch's RMS error (est.) against
                  `separate`, in per cent, more is better
    minutes       of training; of `separate`, both runs'
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import cast

import torch
from environment import describe_environment
from torch import nn

from apps.tables import markdown, mean_and_deviation
from apps.training.checkpoints import LAST, STATE, load_state
from apps.training.data.batches import collated, stored_examples
from apps.training.options import TASKS, Mode, TrainOptions
from apps.training.trainer import train
from apps.training.validation import Metrics, validate
from datasets.examples.batch import ExampleBatch
from mtl.metrics import delta_m
from stitching.io.files import atomic_write
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_into, load_weights

SEPARATE = "separate"
STRATEGIES = (
    SEPARATE, "equal", "uncertainty", "gradient-norms", "pcgrad", "aligned-mtl", "task-priority",
    "task-groups:beta=0.02,warm_up=30", "instances", "same-steps",
)  # fmt: skip
SHOWN = {
    "classical/ov": "OV", "classical/nov": "NOV", "classical/PSNR true": "true", "classical/PSNR estimated": "est.",
}  # fmt: skip


def main() -> None:
    """Train what is missing, measure, print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--begin-from", type=Path, help="weights that can match already")
    parser.add_argument("--size", type=int, nargs=2, default=(160, 128), metavar=("W", "H"))
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rate", type=float, default=4e-4)
    arguments = parser.parse_args()
    options = TrainOptions(
        data=arguments.data, validation=arguments.data, size=tuple(arguments.size),
        steps=arguments.steps, rate=arguments.rate, matching_steps=0, classical_start=1.0,
        begin_from=arguments.begin_from, ema=0.99, workers=0, threads=1, validate_every=arguments.steps,
        save_every=50, log_every=50,
    )  # fmt: skip
    print(f"{describe_environment('torch')}, one thread a run")
    checks = collated(stored_examples(arguments.test, options.size), 8, torch.device("cpu"))
    results: dict[str, list[Metrics]] = {}
    for seed in arguments.seeds:
        for strategy in arguments.strategies:
            folder = arguments.output / f"{strategy}-{seed}".replace(":", "_").replace("/", "_")
            figures = measured(strategy, folder, replace(options, seed=seed), checks)
            results.setdefault(strategy, []).append(figures)
            print(f"seed {seed}, {strategy}: " + ", ".join(f"{n} {v:.4g}" for n, v in figures.items()), flush=True)
    print_table(results)


def measured(strategy: str, folder: Path, options: TrainOptions, checks: list[ExampleBatch]) -> Metrics:
    """The figures of one strategy and seed, from the test pairs; trained where that was not done yet."""
    result = folder / "figures.json"
    if not result.exists():
        parts: dict[Mode, str] = {"flow": "equal", "blend": "equal"} if strategy == SEPARATE else {"joint": strategy}
        networks, seconds = [], 0.0
        for mode, spec in parts.items():
            train(mode, folder / mode, replace(options, strategy=spec), lambda line: None)
            seconds += load_state(folder / mode / STATE)["seconds"]
            network = StitchingNetwork()
            load_into(network, load_weights(folder / mode / LAST))
            networks.append(network)
        both = cast(StitchingNetwork, WarpAndStitch(networks[0], networks[-1]))  # of what `validate` calls
        figures = validate(both, checks, TASKS["joint"])
        with atomic_write(result) as temporary:
            temporary.write_text(json.dumps({**figures, "minutes": seconds / 60}))
    return dict(json.loads(result.read_text()))


class WarpAndStitch(nn.Module):
    """The warp of one network, the stitch of another."""

    def __init__(self, flow: StitchingNetwork, blend: StitchingNetwork) -> None:
        super().__init__()
        self.flow, self.blend = flow, blend
        self.warp, self.stitch = flow.warp, blend.stitch


def print_table(results: dict[str, list[Metrics]]) -> None:
    """A line for each strategy."""
    separate = [errors_of(figures) for figures in results.get(SEPARATE, [])]
    reference = {name: fmean(errors[name] for errors in separate) for name in separate[0]} if separate else None
    rows = [["strategy", *SHOWN.values(), "delta-m", "minutes"]]
    for strategy, figures in results.items():
        cells = [mean_and_deviation([one[name] for one in figures], 2) for name in SHOWN]
        gains = [delta_m(errors_of(one), reference, dict.fromkeys(reference, False)) for one in figures if reference]
        minutes = fmean(one["minutes"] for one in figures)
        rows.append([strategy, *cells, mean_and_deviation(gains, 2), f"{minutes:.1f}"])
    print("\n" + markdown(rows))


def errors_of(figures: Metrics) -> dict[str, float]:
    """What delta-m is made of: less is better."""
    stitch = 10 ** (-figures["classical/PSNR estimated"] / 20)
    return {"OV": figures["classical/ov"], "NOV": figures["classical/nov"], "stitch": stitch}


if __name__ == "__main__":
    main()
