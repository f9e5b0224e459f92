"""A script that Lightning Fabric starts in two processes: DATA OUTPUT. Each writes the weights that it ended with.

`whole` is trained at once; `parts` is interrupted by a signal to the second process, and resumed; `begun` is left then.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import torch

from apps.training import trainer
from apps.training.options import TrainOptions


def two_process_options(data: Path, **changes: object) -> TrainOptions:
    """Of tiny runs of four steps, two examples in each."""
    common = {
        "data": data, "validation": data, "size": (64, 64), "batch_size": 1, "steps": 4, "matching_steps": 2,
        "precision": "fp32", "workers": 0, "threads": 1, "device": "cpu", "log_every": 1,
    }  # fmt: skip
    return TrainOptions(**(common | changes))


def main(data: Path, output: Path) -> None:
    """Train three runs."""
    options, ended = two_process_options(data, devices=2), {}
    for name, interrupted in (("whole", False), ("parts", True), ("parts", False), ("begun", True)):
        runs = []
        open_run, step = trainer.open_run, trainer._step

        def opened(*arguments, runs=runs, open_run=open_run):
            runs.append(open_run(*arguments))
            return runs[-1]

        def interrupting(run, batch, step=step):
            if run.step == 1 and run.fabric.global_rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return step(run, batch)

        trainer.open_run, trainer._step = opened, interrupting if interrupted else step
        with suppress(KeyboardInterrupt):
            trainer.train("joint", output / name, options)
        trainer.open_run, trainer._step = open_run, step
        ended[name] = {key: value.detach() for key, value in runs[0].network.named_parameters()}
    torch.save(ended, output / f"{os.environ['LOCAL_RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
