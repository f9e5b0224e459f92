"""What a GPU does in ten minutes: the speed of every part, then a training from the best weights.

    OUT=FOLDER benchmarks/gpu.sh [--measure-seconds 10] [--minutes 9] [other options of `parastitch train joint`]

FOLDER gets, in at most eight files of less than 16 MiB:

    figures.json    speeds and validations; written after each measurement, so that a crash leaves what came before
    log.txt         all that was printed
    curve.csv       of the training, docs/training/training.md
    state.pt.0 ...  pieces of the training's state, its optimizer's moments rounded to bfloat16

`cat FOLDER/state.pt.* >RUN/state.pt` makes a run of it: `parastitch train joint RUN` with the options that log.txt
begins with goes on and writes the weights.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
import tyro
from environment import describe_environment

from apps.training.checkpoints import CURVE, STATE, load_state, save_state
from apps.training.data.batches import training_batches
from apps.training.options import TrainOptions
from apps.training.trainer import train
from datasets.moved_photographs.pairs import MovedPhotographs
from datasets.options import SampleOptions
from datasets.streaming import stream
from stitching.errors import one_line
from stitching.io.files import atomic_write
from stitching.network.interface import GRAPHS
from stitching.network.runtime.torch_graphs import torch_graph
from stitching.network.stitching_network import StitchingNetwork

PIECE = 15 * 2**20  # bytes
SKIPPED = 2  # batches while processes start and kernels are compiled
RESERVE = 0.7  # minutes: the training's examples to validate on, the processes' start, the last validation, packing
WEIGHTS = Path("stitching/weights/network.safetensors")
OPTIONS = TrainOptions(
    minutes=9, batch_size=64, steps=1_000_000, schedule="constant", matching_steps=0, device="cuda", begin_from=WEIGHTS,
    validate_every=2000, save_every=1000,
)  # fmt: skip

Measure = Callable[[TrainOptions, float], dict[str, float]]


def main(
    output: Path,
    spent: float = 0.0,
    measure_seconds: float = 10.0,
    options: tyro.conf.OmitArgPrefixes[TrainOptions] = OPTIONS,
) -> None:
    """Measure, train, pack.

    Args:
        output: folder of the results.
        spent: seconds that were over before this script began.
        measure_seconds: of each measurement.
        options: of the training; its minutes are those of everything together.
    """
    assert options.minutes is not None
    started = time.perf_counter() - spent
    output.mkdir(parents=True, exist_ok=True)
    results = Results(output)
    results.say(describe_environment("torch", "lightning"))
    results.say(repr(options))
    for name, measure in MEASURES.items():
        results.measure(name, lambda measure=measure: measure(options, measure_seconds))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        left = options.minutes - (time.perf_counter() - started) / 60 - RESERVE
        results.measure("training", lambda: _train(replace(options, minutes=max(left, 0.01)), Path(folder), results))
        results.measure("packing", lambda: pack(Path(folder), output))


@dataclass(frozen=True)
class Results:
    """The files that tell how it went."""

    folder: Path

    def say(self, line: str) -> None:
        """Print a line, and keep it."""
        print(line, flush=True)
        with (self.folder / "log.txt").open("a") as log:
            log.write(line + "\n")

    def measure(self, name: str, call: Callable[[], dict[str, float]]) -> None:
        """Add the figures of one measurement, or its error: the rest must not be lost."""
        path, start = self.folder / "figures.json", time.perf_counter()
        try:
            found: dict[str, Any] = {**call()}
        except Exception as error:
            found = {"error": one_line(error)}
        found["seconds"] = time.perf_counter() - start
        self.say(
            f"{name}: " + ", ".join(f"{key} {v:.4g}" if key != "error" else f"{key} {v}" for key, v in found.items())
        )
        figures = (json.loads(path.read_text()) if path.exists() else {}) | {name: found}
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(figures, indent=1))


def rate(batches: Iterable[int], seconds: float) -> float:
    """Items a second, from the sizes of batches."""
    sizes = iter(batches)
    list(islice(sizes, SKIPPED))
    _synchronize()
    start, items = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        items += next(sizes)
    _synchronize()
    return items / (time.perf_counter() - start)


def _rendered(options: TrainOptions, seconds: float) -> dict[str, float]:
    """The renderer alone, without lessons."""
    samples = SampleOptions(size=options.size, textures=options.textures, supersampling=1)  # as trainings do
    batches = stream(
        samples, 0, options.batch_size, options.device, workers=options.workers, pairs_per_scene=options.pairs_per_scene
    )
    return {"pairs/s": rate((len(batch.indices) for batch in batches), seconds)}


def _photographs(options: TrainOptions, seconds: float) -> dict[str, float]:
    """Moved photographs alone, without lessons."""
    moved = MovedPhotographs.load(options.textures, options.size, 0, options.device)
    numbers = count(0, options.batch_size)
    batches = (moved(range(number, number + options.batch_size)) for number in numbers)
    return {"pairs/s": rate((len(batch.indices) for batch in batches), seconds)}


def _examples(options: TrainOptions, seconds: float) -> dict[str, float]:
    """Everything that a training learns from, without the training."""
    with closing(training_batches(options, 0, torch.device(options.device))) as batches:
        return {"examples/s": rate((len(batch.reference) for batch in batches), seconds)}


def _networks(options: TrainOptions, seconds: float) -> dict[str, float]:
    """Milliseconds of each graph for one pair, float32."""
    network = StitchingNetwork().to(options.device)
    w, h = options.size
    figures = {}
    for graph in GRAPHS:
        inputs = {name: torch.rand(1, c, h, w, device=options.device) for name, c in graph.inputs.items()}
        module = torch_graph(graph, network)

        def runs(inputs: dict[str, torch.Tensor] = inputs, module: Any = module) -> Iterator[int]:
            while True:
                with torch.inference_mode():
                    module.compute(inputs)
                yield 1

        figures[f"{graph.name} ms"] = 1000 / rate(runs(), seconds / len(GRAPHS))
    return figures


def _train(options: TrainOptions, folder: Path, results: Results) -> dict[str, float]:
    """Train until the minutes are over; what is measured at the end."""
    metrics: dict[str, float] = {}
    with suppress(KeyboardInterrupt):  # Ctrl-C or SIGTERM: all is saved
        metrics = train("joint", folder, options, results.say)
    copyfile(folder / CURVE, results.folder / CURVE)
    state = load_state(folder / STATE)
    speed = {"examples": state["examples"], "examples/s with validations": state["examples"] / state["seconds"]}
    return {"steps": state["step"], **speed, **metrics}


def pack(run: Path, output: Path) -> dict[str, float]:
    """Write the state of a run in pieces."""
    state = load_state(run / STATE)
    for moments in state["optimizer"]["state"].values():
        for name in ("exp_avg", "exp_avg_sq"):
            moments[name] = moments[name].bfloat16()  # of a float32's range; loading makes it float32 again
    save_state(run / STATE, state)
    encoded = (run / STATE).read_bytes()
    pieces = [encoded[start : start + PIECE] for start in range(0, len(encoded), PIECE)]
    for number, piece in enumerate(pieces):
        (output / f"{STATE}.{number}").write_bytes(piece)
    return {"bytes": len(encoded), "pieces": len(pieces)}


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


MEASURES: dict[str, Measure] = {
    "rendering": _rendered,
    "moved photographs": _photographs,
    "examples": _examples,
    "networks": _networks,
}

if __name__ == "__main__":
    tyro.cli(main)
