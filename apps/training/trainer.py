"""The training loop: steps, log, validation and checkpoints, until the steps or the minutes are over."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from apps.training.checkpoints import LAST
from apps.training.data.batches import training_batches, validation_batches
from apps.training.data.mirror import mirrored
from apps.training.losses.reduction import Terms
from apps.training.options import TASKS, Mode, TrainOptions
from apps.training.run import Run, open_run
from apps.training.train_log import TrainLog
from apps.training.validation import Metrics, score_of, validate
from datasets.examples.batch import ExampleBatch
from mtl.optimization import NonFiniteError
from mtl.strategy import StepResult
from stitching.errors import JobError
from stitching.io.files import check_folder
from stitching.network.devices import require_device


def train(mode: Mode, output: Path, options: TrainOptions, report: Callable[[str], None] = print) -> Metrics:
    """Train a network, or resume its training, until the steps or the minutes are over.

    `output` gets best.safetensors and last.safetensors (averaged weights), state.pt, and TensorBoard's logs.

    Args:
        mode: flow trains PWM, blend SIGMo, joint both on one backbone.
        output: folder of the run. One that holds a run of the same mode and options is continued.
        options: see TrainOptions.
        report: gets the lines of the log.

    Returns:
        The metrics of the last validation.

    Raises:
        InputError: data, weights or options cannot be used, or `output` holds another run.
        JobError: a loss became NaN, memory ran out, or samples cannot be made; the last checkpoint is good.
        KeyboardInterrupt: Ctrl-C was pressed. The step was finished and saved; pressed twice, it was not.
    """
    check_folder(output)
    run = open_run(mode, options, _fabric(options), output)
    try:
        with closing(TrainLog(run, output, report)) as log:
            return _train(run, output, log)
    except NonFiniteError as error:
        advice = f"; {output / LAST} holds the last good weights" if (output / LAST).exists() else ""
        raise JobError(f"step {run.step}: {error}; lower --rate{advice}") from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        raise JobError(
            f"out of memory with --batch-size {options.batch_size} and --size {options.size[0]} {options.size[1]}; "
            f"lower one of them in a new folder, with --begin-from {output / LAST} where that is there already"
        ) from error


def _train(run: Run, output: Path, log: TrainLog) -> Metrics:
    options, fabric = run.options, run.fabric
    validation = validation_batches(options, fabric.device)
    training = training_batches(options, run.step, fabric.device, fabric.global_rank, fabric.world_size)
    metrics: Metrics = {}
    limit = math.inf if options.minutes is None else 60 * options.minutes
    started, seconds_before = math.inf, run.seconds  # the clock starts when the first batch is there
    with closing(training) as batches, _interrupts() as interrupts:
        while run.step < options.steps:
            if _any_process(fabric, bool(interrupts) or time.perf_counter() - started >= limit):
                break
            waiting = time.perf_counter()
            batch = next(batches)
            log.waited(time.perf_counter() - waiting)
            started = min(started, time.perf_counter())
            run.enter_stage()
            terms, result = _step(run, batch)
            run.finish_step()
            run.seconds = seconds_before + time.perf_counter() - started
            log.step(terms, result)
            if run.step % options.validate_every == 0:
                metrics = _validate(run, validation, output, log)
            if run.step % options.save_every == 0:
                run.save(output)
        if not interrupts and (not metrics or run.step % options.validate_every):
            metrics = _validate(run, validation, output, log)
        run.save(output)
    log.end(interrupted=bool(interrupts))
    if interrupts:
        raise KeyboardInterrupt
    return metrics


def _step(run: Run, batch: ExampleBatch) -> tuple[Terms, StepResult]:
    """Train on one batch. A strategy may run the network several times; the terms are those of the first time."""
    rng = np.random.default_rng((run.options.seed, run.step))
    start_from_classical = bool(rng.random() < run.options.classical_start)
    batch = mirrored(batch) if rng.random() < 0.5 and not run.options.overfit_batch else batch
    terms: Terms = {}

    def closure(tasks: Sequence[str]) -> Mapping[str, Tensor]:
        losses: Terms
        losses, found = run.stage.objectives(batch, tuple(tasks), start_from_classical)
        for name, term in found.items():
            terms.setdefault(name, term.detach())
        return losses

    result = run.stage.strategy.step(closure, run.stage.updates, batch.sample_ids)
    return terms, result


def _validate(run: Run, batches: Sequence[ExampleBatch], output: Path, log: TrainLog) -> Metrics:
    """Metrics of the averaged weights, which are written where they are the best so far."""
    metrics = validate(run.averaged_network, batches, TASKS[run.mode])
    score = score_of(metrics)
    if score < run.best:
        run.best = score
        run.save_best(output)
    log.validation(metrics, batches[0])
    return metrics


def _fabric(options: TrainOptions) -> Fabric:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.device != "auto":
        require_device(options.device)
    fabric = Fabric(
        accelerator="gpu" if options.device == "cuda" else options.device,
        devices=options.devices,
        strategy="ddp_find_unused_parameters_true" if options.devices > 1 else "auto",
    )
    fabric.launch()
    return fabric


def _is_out_of_memory(error: Exception) -> bool:
    """On the CPU torch raises a plain RuntimeError; "illegal memory access" is another defect."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "out of memory" in str(error) or "allocate memory" in str(error)


def _any_process(fabric: Fabric, condition: bool) -> bool:
    """Whether it holds in any of the processes; one that stopped alone would leave the others waiting for it."""
    return fabric.strategy.reduce_boolean_decision(condition, all=False)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that Ctrl-C fills, so that the current step is finished and saved; a second Ctrl-C ends at once."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # only that one may set signal handlers
        yield caught
        return

    def note(number: int, frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)
