"""How much the tasks of a joint training conflict: their gradients every so many steps, as lines of a file."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, median
from typing import Any

from apps.benchmarking.metrics.gradient_conflict import SharedLayers, measure_conflict, undisturbed
from apps.tables import MISSING
from apps.training.options import TASKS
from apps.training.prediction import STARTS
from apps.training.run import Run
from datasets.examples.batch import ExampleBatch

BACKBONE, PWM = "backbone", "PWM"  # what is shared by all tasks, and by all but the stitch
_STITCH = "stitch"

Moments = dict[tuple[int, str, str], Mapping[str, Any]]  # step, start of PWM, part -> a line of the file


@dataclass(frozen=True)
class ConflictWatch:
    """Appends, every `every` steps, the lengths and cosines of the tasks' gradients on the step's batch to `file`.

    For both starts of PWM; of the convolutions of the backbone, and of PWM with its norms in the backbone. To be given
    to `train` as `watch`. The training goes on as if nothing had happened.
    """

    file: Path
    every: int = 100

    def __call__(self, run: Run, batch: ExampleBatch) -> None:
        """Measure, if this is such a step."""
        if run.step % self.every:
            return
        tasks = run.stage.tasks
        with self.file.open("a") as lines, undisturbed(run.network):
            for start, from_classical in STARTS.items():
                losses, _ = run.stage.objectives(batch, tasks, from_classical)
                for part, layers in _shared_parts(run).items():
                    found = {task: loss for task, loss in losses.items() if part == BACKBONE or task != _STITCH}
                    conflict = measure_conflict(run.step / run.options.steps, layers, found)
                    whole = {  # the first entry is that of all layers together
                        "cosines": {pair: cosines[0] for pair, cosines in conflict.cosines.items()},
                        "lengths": {task: lengths[0] for task, lengths in conflict.lengths.items()},
                    }
                    lines.write(json.dumps({"step": run.step, "start": start, "part": part, **whole}) + "\n")


def _shared_parts(run: Run) -> dict[str, SharedLayers]:
    shared = set(run.stage.updates.parameters.shared)
    backbone = [p for name, p in run.network.backbone.named_parameters() if "norms." not in name]
    used_by_warp = [p for p in run.network.parameters() if p in shared - set(backbone)]
    return {BACKBONE: {BACKBONE: backbone}, PWM: {PWM: used_by_warp}}


def conflict_rows(file: Path) -> list[list[str]]:
    """A table of a file, the headings first: pair of tasks, and for each part the mean cosine, the share of the
    moments with a negative one, and the median of the first task's length over the second's.

    Of moments that were measured twice, because the run was interrupted after them, the last ones count.
    """
    moments: Moments = {}
    for line in file.read_text().splitlines():
        with suppress(ValueError):  # a line that a killed run has left unfinished
            row = json.loads(line)
            moments[row["step"], row["start"], row["part"]] = row
    parts = BACKBONE, PWM
    rows = [["tasks", *(f"{part}: {value}" for part in parts for value in ("cosine", "below 0", "lengths"))]]
    for first, second in combinations(TASKS["joint"], 2):
        cells = [cell for part in parts for cell in _cells(moments, part, first, second)]
        rows.append([f"{first}, {second}", *cells])
    return rows


def _cells(moments: Moments, part: str, first: str, second: str) -> list[str]:
    pair = f"{first} / {second}"
    found = [row for (_, _, name), row in moments.items() if name == part and isfinite(row["cosines"].get(pair, nan))]
    if not found:
        return [MISSING] * 3
    cosines = [row["cosines"][pair] for row in found]
    ratio = median(row["lengths"][first] / row["lengths"][second] for row in found)
    return [f"{fmean(cosines):.2f}", f"{fmean(cosine < 0 for cosine in cosines):.0%}", f"{ratio:.2g}"]
