"""PWM and SIGMo trained jointly by different multi-task optimizers, and apart: which recipe is best for one budget?

    python benchmarks/joint_strategies.py OUT --data TRAIN --validation VAL --test TEST --begin-from WEIGHTS
        [--seeds 0 1 2] [--finalists 5] [--strategies separate equal ...] [--steps 3000] [--size 80 64]
        [--precision bf16]

TRAIN, VAL and TEST are folders that `parastitch generate` wrote. Two rounds: all strategies with the first seed, then
the other seeds for the FINALISTS that were best on VAL, and for those of ALWAYS. Nothing is chosen by TEST.

Each run is a `parastitch train` in a folder of OUT, with the same steps, on the same aligned lessons, which are made
once, LESSONS of each pair, and kept in OUT/lessons; the seed decides their order. Interrupted, the same command goes
on; more strategies and seeds can be added. `separate` is two runs, flow and blend. curve.csv in the folder of a run is
its learning curve, on the first pairs of VAL; `equal` also measures the conflict of the tasks, see `joint_conflict.py`.
A strategy that fails is left out.

Printed, mean and spread (standard deviation) over the seeds, of the averaged weights at the end:

    matches       mean end-point error where the reference sees the target's pixels, PWM from its own matches, px
    OV, NOV       the same, and beside what the reference sees, PWM from the classical warp
    visible       share of the pixels whose visibility is right, per cent
    true, est.    PSNR of the stitch, dB, the target moved by the true warp and by PWM's
    delta-m       mean of the relative changes of the errors (matches, OV, NOV; share of wrong visibility; RMS error of
                  the stitch, est.) against `separate`, in per cent, more is better
    minutes       of CPU time for the training, of `separate` both runs'

Then the mean paired difference of delta-m to `equal` over the seeds that both have.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import cast

import torch
from environment import describe_environment
from joint_conflict import ConflictWatch, conflict_rows
from joint_lessons import KeptLessons
from torch import nn

from apps.tables import markdown, mean_and_deviation
from apps.training.checkpoints import LAST
from apps.training.data.batches import collated, stored_examples, training_indices
from apps.training.options import TASKS, Mode, TrainOptions
from apps.training.trainer import train
from apps.training.validation import Metrics, validate
from datasets.examples.batch import ExampleBatch
from mtl.metrics import delta_m
from stitching.errors import InputError, JobError
from stitching.io.files import atomic_write
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_into, load_weights

SEPARATE, EQUAL = "separate", "equal"
STRATEGIES = (
    EQUAL, SEPARATE, "task-priority", "task-groups:beta=0.01", "instances", "uncertainty", "gradient-norms",
    "aligned-mtl", "cagrad", "uncertainty+task-priority", "pcgrad", "fairgrad", "famo", "stch", "db-mtl", "random",
    "same-steps",
)  # fmt: skip
ALWAYS = SEPARATE, EQUAL, "task-priority", "task-groups:beta=0.01", "instances"  # in the second round, too
LESSONS = 2  # of each pair
SHOWN = {
    "matches/ov": "matches", "classical/ov": "OV", "classical/nov": "NOV", "classical/visibility right": "visible",
    "classical/PSNR true": "true", "classical/PSNR estimated": "est.",
}  # fmt: skip
CPU_TIME = "cpu_seconds.json"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What all runs of a comparison have in common."""

    output: Path
    options: TrainOptions
    lessons: KeptLessons
    checks: Mapping[str, list[ExampleBatch]]  # by name: validation, test

    def folder(self, strategy: str, seed: int) -> Path:
        """Of the runs of one strategy and seed."""
        return self.output / f"{strategy}-{seed}".replace(":", "_").replace("/", "_")

    def measured(self, strategy: str, seed: int) -> dict[str, Metrics]:
        """The figures of one strategy and seed, by name of the pairs; trained where that was not done yet."""
        folder = self.folder(strategy, seed)
        result = folder / "figures.json"
        if not result.exists():
            parts: dict[Mode, str] = {"flow": EQUAL, "blend": EQUAL} if strategy == SEPARATE else {"joint": strategy}
            networks = [self._trained(mode, folder / mode, spec, seed) for mode, spec in parts.items()]
            both = cast(StitchingNetwork, WarpAndStitch(networks[0], networks[-1]))  # of what `validate` calls
            minutes = sum(json.loads((folder / mode / CPU_TIME).read_text()) for mode in parts) / 60
            found = {name: validate(both, pairs, TASKS["joint"]) for name, pairs in self.checks.items()}
            with atomic_write(result) as temporary:
                temporary.write_text(
                    json.dumps({name: {**figures, "minutes": minutes} for name, figures in found.items()})
                )
        return dict(json.loads(result.read_text()))

    def _trained(self, mode: Mode, folder: Path, strategy: str, seed: int) -> StitchingNetwork:
        options = replace(self.options, strategy=strategy, seed=seed)
        watch = ConflictWatch(folder / "conflict.jsonl") if mode == "joint" and strategy == EQUAL else None
        with _cpu_time_added(folder / CPU_TIME):
            train(mode, folder, options, lambda line: None, batches=self.lessons, watch=watch)
        network = StitchingNetwork()
        load_into(network, load_weights(folder / LAST))
        return network


@contextmanager
def _cpu_time_added(path: Path) -> Iterator[None]:
    """Add what this process computes to the seconds in a file."""
    before = json.loads(path.read_text()) if path.exists() else 0.0
    started = time.process_time()
    try:
        yield
    finally:
        if path.parent.is_dir():
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps(before + time.process_time() - started))


class WarpAndStitch(nn.Module):
    """The warp of one network, the stitch of another."""

    def __init__(self, flow: StitchingNetwork, blend: StitchingNetwork) -> None:
        super().__init__()
        self.flow, self.blend = flow, blend
        self.warp, self.stitch = flow.warp, blend.stitch


Results = dict[str, dict[int, dict[str, Metrics]]]  # by strategy, seed, name of the pairs


def main() -> None:
    """Train what is missing, measure, print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--begin-from", type=Path, help="weights that can match already")
    parser.add_argument("--size", type=int, nargs=2, default=(80, 64), metavar=("W", "H"))
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--finalists", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    arguments = parser.parse_args()
    options = TrainOptions(
        data=arguments.data, validation=arguments.validation, size=tuple(arguments.size),
        batch_size=arguments.batch_size, steps=arguments.steps, rate=arguments.rate, matching_steps=0, raw_share=0.0,
        photograph_share=0.0, begin_from=arguments.begin_from, ema=0.99, workers=0, threads=1, validate_every=500,
        save_every=100, log_every=50, precision=arguments.precision,
    )  # fmt: skip
    torch.set_num_threads(1)
    print(f"{describe_environment('torch')}, one thread a run")
    lessons = KeptLessons(arguments.output / "lessons", LESSONS * len(training_indices(options) or []))
    lessons.make(options)
    folders = {"validation": arguments.validation, "test": arguments.test}
    checks = {
        name: collated(stored_examples(folder, options.size), 8, torch.device("cpu"))
        for name, folder in folders.items()
    }
    comparison = Comparison(arguments.output, options, lessons, checks)
    results: Results = {}
    first, *others = arguments.seeds
    run_round(comparison, arguments.strategies, [first], results)
    if others:
        run_round(comparison, finalists(results, first, arguments.finalists), others, results)
    report(comparison, results, first)


def run_round(comparison: Comparison, strategies: Sequence[str], seeds: Sequence[int], results: Results) -> None:
    """Add the figures of strategies and seeds to the results; those that fail are named and left out."""
    for seed in seeds:
        for strategy in strategies:
            try:
                figures = comparison.measured(strategy, seed)
            except (InputError, JobError) as error:
                print(f"seed {seed}, {strategy}: {error}", flush=True)
                continue
            results.setdefault(strategy, {})[seed] = figures
            shown = ", ".join(f"{label} {figures['test'][name]:.4g}" for name, label in SHOWN.items())
            print(f"seed {seed}, {strategy}: {shown}", flush=True)


def finalists(results: Results, seed: int, count: int) -> list[str]:
    """The strategies of the second round: ALWAYS, and the best on the validation pairs."""
    gains = {strategy: gain for strategy, by in gains_of(results, "validation").items() for gain in [by[seed]]}
    best = sorted(gains, key=gains.__getitem__, reverse=True)[:count]
    return [strategy for strategy in results if strategy in ALWAYS or strategy in best]


def gains_of(results: Results, pairs: str) -> dict[str, dict[int, float]]:
    """delta-m by strategy and seed, against the mean of `separate`; empty where that is missing."""
    separate = [errors_of(figures[pairs]) for figures in results.get(SEPARATE, {}).values()]
    if not separate:
        return {}
    reference = {name: fmean(errors[name] for errors in separate) for name in separate[0]}
    lower = dict.fromkeys(reference, False)
    return {
        strategy: {seed: delta_m(errors_of(figures[pairs]), reference, lower) for seed, figures in by_seed.items()}
        for strategy, by_seed in results.items()
    }


def errors_of(figures: Metrics) -> dict[str, float]:
    """What delta-m is made of: less is better."""
    return {
        "matches": figures["matches/ov"],
        "OV": figures["classical/ov"],
        "NOV": figures["classical/nov"],
        "visibility": 1 - figures["classical/visibility right"],
        "stitch": 10 ** (-figures["classical/PSNR estimated"] / 20),
    }


def report(comparison: Comparison, results: Results, seed: int) -> None:
    """Print a line for each strategy, and the conflict of the tasks with equal weights."""
    gains = gains_of(results, "test")
    rows = [["strategy", "seeds", *SHOWN.values(), "delta-m", "minus `equal`", "minutes"]]
    for strategy, by_seed in results.items():
        figures = [by_name["test"] for by_name in by_seed.values()]
        cells = [mean_and_deviation([_shown(name, one[name]) for one in figures], 2) for name in SHOWN]
        own, equal = gains.get(strategy, {}), gains.get(EQUAL, {})
        for values in (list(own.values()), [own[s] - equal[s] for s in own if s in equal]):
            cells.append(mean_and_deviation(values, 2))
        minutes = fmean(one["minutes"] for one in figures)
        rows.append([strategy, str(len(by_seed)), *cells, f"{minutes:.1f}"])
    print("\n" + markdown(rows))
    conflict = comparison.folder(EQUAL, seed) / "joint" / "conflict.jsonl"
    if conflict.exists():
        print("\n" + markdown(conflict_rows(conflict)))


def _shown(name: str, value: float) -> float:
    return 100 * value if name.endswith("visibility right") else value  # shares in per cent


if __name__ == "__main__":
    main()
