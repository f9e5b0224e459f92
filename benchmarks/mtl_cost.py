"""What multi-task optimizers cost: time and memory of a training step beside that of equal weights, 2, 4 and 8 tasks.

    python benchmarks/mtl_cost.py [--tasks 2 4 8] [--methods equal task-groups ...] [--network small] [--size 64 64]
        [--steps 12] [--repeat 3] [--device cpu] [--threads 1]

The network and the tasks are those of `parastitch mtl-bench` (segmentation, depth, normals, edges; 8 tasks: each of
them twice), trained on random pictures, for the cost does not depend on what they show. Methods take turns, so that a
busy machine is as unfair to the one as to the other; each turn is a process of its own. Time: mean of the steps of a
turn but the first three, on the CPU of the process on all cores; the median of the turns counts. Memory: what the
steps need beyond what the process had before them, on a GPU beyond weights and data; the largest of the turns.
Forwards: passes of the trunk in a step.

Task priority is measured in either phase; `equal/norms`, as many passes of the trunk, is the least that it can cost.
Task groups are measured with each task alone, as in their first 100 steps, and with two groups, with affinities from
every batch and from every tenth. Two groups are fixed here, so that the clustering is not in their time: 3 ms after
each measurement of four tasks.
"""

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice, product
from statistics import fmean, median

import numpy as np
import torch
from environment import describe_environment

from apps.benchmarking.data.array_dataset import IMAGE, ArrayDataset
from apps.benchmarking.data.preparation import BenchmarkData
from apps.benchmarking.experiment.settings import DataSettings, RunSettings
from apps.benchmarking.losses import LabelScale
from apps.benchmarking.metrics.peak_memory import read_peak, reset_peak
from apps.benchmarking.network_trainer import Trainer
from apps.tables import aligned_text
from datasets.labels import Labels

METHODS = (
    "equal", "equal/norms", "same-steps", "uncertainty", "dynamic", "instances", "famo", "famo:after=next",
    "gradient-norms", "db-mtl", "pcgrad", "mgda", "aligned-mtl", "cagrad", "priority:phases=first",
    "priority:phases=second", "task-groups",
    "groups:by=fixed,count=2,warm_up=0", "groups:by=fixed,count=2,warm_up=0,measure_every=10",
)  # fmt: skip
KINDS = {
    "segmentation": Labels("classes", 12), "depth": Labels("distance"),
    "normals": Labels("normals"), "edges": Labels("binary"),
}  # fmt: skip
UNMEASURED_STEPS = 3  # at the start of a turn
BATCH = 16


@dataclass(frozen=True)
class Cost:
    """Of one turn: seconds of a step, MiB, passes of the trunk in a step."""

    seconds: float
    memory: float
    forwards: float


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--network", default="small")
    parser.add_argument("--size", type=int, nargs=2, default=(64, 64), metavar=("W", "H"))
    parser.add_argument("--steps", type=int, default=12, help="of a turn, measured")
    parser.add_argument("--repeat", type=int, default=3, help="turns of each method")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    methods = list(dict.fromkeys(("equal", *options.methods)))
    print(f"{describe_environment('torch')}, {options.threads} threads, {options.device}")
    print(f"network {options.network}, {BATCH} pictures of {options.size[0]} x {options.size[1]} px, bf16")
    for count in options.tasks:
        measure = partial(
            measure_steps, count, options.network, tuple(options.size), options.steps, options.device, options.threads
        )
        turns = [(method, _in_own_process(measure, method)) for _, method in product(range(options.repeat), methods)]
        _print_costs(count, {method: [cost for name, cost in turns if name == method] for method in methods})


def _in_own_process(measure: "partial[Cost]", method: str) -> Cost:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, method).result()


def measure_steps(
    count: int, network: str, size: tuple[int, int], steps: int, device: str, threads: int, method: str
) -> Cost:
    """One turn of a method, in this process."""
    torch.set_num_threads(threads)
    pictures = BATCH * (UNMEASURED_STEPS + steps)
    data = _make_data(pictures, size, count)
    data_settings = DataSettings("random", "", size, pictures, 1, 1)
    tasks = tuple(data.labels)
    settings = RunSettings(data_settings, tasks, method, network, 1.0, 1, BATCH, 1e-4, 0, "bf16", device, threads)
    trainer = Trainer(settings, data)
    reset_peak(trainer.device)
    before = read_peak(trainer.device)
    trainer.train_epoch(0)
    seconds = [cpu if device == "cpu" else wall for wall, cpu in trainer.times[UNMEASURED_STEPS:]]
    return Cost(fmean(seconds), read_peak(trainer.device) - before, trainer.forwards / len(trainer.times))


def _make_data(pictures: int, size: tuple[int, int], tasks: int) -> BenchmarkData:
    """Random pictures and labels."""
    (w, h), rng = size, np.random.default_rng(0)
    labels = {f"{name} {index // len(KINDS) + 1}": kind
              for index, (name, kind) in enumerate(islice(cycle(KINDS.items()), tasks))}  # fmt: skip
    arrays = {IMAGE: rng.integers(0, 256, (pictures, 3, h, w), np.uint8)}
    for task, meaning in labels.items():
        channels = (3,) if meaning.kind == "normals" else ()
        maps = rng.standard_normal((pictures, *channels, h, w)).astype(np.float32)
        if meaning.kind == "normals":
            maps /= np.linalg.norm(maps, axis=1, keepdims=True)
        classes = {"classes": meaning.classes, "binary": 2}.get(meaning.kind)
        arrays[task] = maps if classes is None else rng.integers(0, classes, (pictures, h, w), np.uint8)
    examples = ArrayDataset(arrays, labels)
    return BenchmarkData(labels, dict.fromkeys(labels, LabelScale()), examples, examples, examples)


def _print_costs(count: int, turns: dict[str, Sequence[Cost]]) -> None:
    costs = {
        method: Cost(median(c.seconds for c in of_method), max(c.memory for c in of_method), of_method[0].forwards)
        for method, of_method in turns.items()
    }
    equal = costs["equal"]
    rows = [["method", "ms/step", "x equal", "MiB", "x equal", "forwards"]]
    for method, cost in costs.items():
        time, memory = cost.seconds / equal.seconds, cost.memory / equal.memory
        milliseconds, mebibytes = f"{1e3 * cost.seconds:.1f}", f"{cost.memory:.0f}"
        rows.append([method, milliseconds, f"{time:.2f}", mebibytes, f"{memory:.2f}", f"{cost.forwards:.1f}"])
    print(f"\n{count} tasks:\n{aligned_text(rows)}", flush=True)


if __name__ == "__main__":
    main()
