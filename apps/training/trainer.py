"""The training loop: steps, log, validation and checkpoints, until the steps or the minutes are over."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from apps.command.interruption import Interrupted
from apps.training.checkpoints import LAST, STATE
from apps.training.data.batches import training_batches, validation_batches, validation_labels
from apps.training.data.mirror import mirrored
from apps.training.losses.reduction import Terms
from apps.training.options import MATCHING_TASKS, Mode, TrainOptions, has_matching_stage, tasks_at, tasks_of
from apps.training.run import Run, open_run
from apps.training.run_folder import check_run_folder
from apps.training.signals import caught_signals
from apps.training.train_log import Bar, TrainLog
from apps.training.validation import (
    KnownWindows,
    Metrics,
    known_windows,
    labelled_windows,
    score_of,
    validate,
    validate_matches,
)
from datasets.examples.batch import ExampleBatch
from mtl.optimization import NonFiniteError
from mtl.strategy import StepResult
from stitching.errors import JobError, is_out_of_memory, require
from stitching.io.files import check_folder
from stitching.network.devices import require_device

Batches = Callable[[TrainOptions, int, torch.device, int, int, Mode], Generator[ExampleBatch, None, None]]
Watch = Callable[[Run, ExampleBatch], None]


def train(
    mode: Mode,
    output: Path,
    options: TrainOptions,
    report: Callable[[str], None] = print,
    bar: Bar | None = None,
    *,
    batches: Batches | None = None,
    watch: Watch | None = None,
) -> Metrics:
    """Train a network, or resume its training, until the steps or the minutes are over.

    `output` gets best.safetensors and last.safetensors (averaged weights), state.pt, curve.csv, and TensorBoard's logs.

    Args:
        mode: flow trains PWM, blend SIGMo, joint both on one backbone.
        output: folder of the run. One that holds a run of the same mode and options is continued.
        options: see TrainOptions.
        report: gets the lines of the log.
        bar: moves with each step, and shows the lines of steps in place of `report`.
        batches: makes what to train on in place of `training_batches`, with the same arguments.
        watch: called before each step, for measurements; it must leave the run as it is.

    Returns:
        The metrics of the last validation; of several processes, only the first one has any.

    Raises:
        InputError: data, weights or options cannot be used, or `output` holds another run, somebody's files, or inputs.
        JobError: a loss became NaN, memory ran out, or samples cannot be made; the last checkpoint is good.
        Interrupted: Ctrl-C was pressed, or SIGTERM or SIGHUP came. The step was finished and saved; where Ctrl-C was
            pressed a second time, it was not.
    """
    check_folder(output)
    check_run_folder(output, options)
    fits = options.matching_steps <= options.steps or not has_matching_stage(mode, options)
    require(fits, f"--matching-steps {options.matching_steps}", f"at most --steps {options.steps}")
    run = open_run(mode, options, _fabric(options), output)
    try:
        with closing(TrainLog(run, output, report, bar)) as log:
            return _train(run, output, log, batches or training_batches, watch)
    except NonFiniteError as error:
        advice = f"; {output / LAST} holds the last good weights" if (output / LAST).exists() else ""
        raise JobError(f"step {run.step}: {error}; lower --rate{advice}") from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise JobError(
            f"out of memory with --batch-size {options.batch_size} and --size {options.size[0]} {options.size[1]}; "
            f"lower one of them in a new folder, with --begin-from {output / LAST} where that is there already"
        ) from error


def _train(run: Run, output: Path, log: TrainLog, make_batches: Batches, watch: Watch | None) -> Metrics:
    options, fabric = run.options, run.fabric
    training = make_batches(options, run.step, fabric.device, fabric.global_rank, fabric.world_size, run.mode)
    metrics: Metrics = {}
    limit = math.inf if options.minutes is None else 60 * options.minutes
    started, seconds_before = math.inf, run.seconds
    with closing(training) as batches, caught_signals() as signals:
        validation = _validation_set(run, batches)
        while run.step < options.steps:
            waiting = time.perf_counter()
            batch = _next_batch(batches, signals)
            stop = bool(signals) or time.perf_counter() - started >= limit
            if _any_process(fabric, stop) or batch is None:
                break
            log.waited(time.perf_counter() - waiting)
            started = min(started, time.perf_counter())  # the clock of --minutes starts when the first batch is there
            run.enter_stage()
            if watch is not None:
                watch(run, batch)
            terms, result = _step(run, batch)
            run.finish_step()
            run.seconds = seconds_before + time.perf_counter() - started
            log.step(terms, result)
            if run.step % options.validate_every == 0:
                metrics = _validate(run, validation, output, log)
            if run.step % options.save_every == 0:
                run.save(output)
        interrupted = _any_process(fabric, bool(signals))
        if not interrupted and (not metrics or run.step % options.validate_every):
            metrics = _validate(run, validation, output, log)
        run.save(output)
        fabric.barrier()  # processes that end before the first one has saved would be taken for failed ones
    log.end(interrupted, signals)
    if interrupted and fabric.is_global_zero:  # Fabric kills all processes where one of the others ends with an error
        raise Interrupted(signals[0] if signals else SIGTERM, told=True)
    return metrics


def _next_batch(batches: Iterator[ExampleBatch], signals: list[Signals]) -> ExampleBatch | None:
    """The next batch; None where a signal that this process caught has ended the processes that make them."""
    try:
        return next(batches)
    except JobError:
        if not signals:
            raise
        return None


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


@dataclass(frozen=True, eq=False)
class _ValidationSet:
    """What a run is validated on, made once and kept in memory."""

    examples: Sequence[ExampleBatch]
    windows: KnownWindows  # of --validate-matches, and of --pairs


def _validation_set(run: Run, training: Iterator[ExampleBatch]) -> _ValidationSet:
    """That of the options; of an --overfit-batch run its batch; nothing where another process validates."""
    options = run.options
    batch = [next(training)] if options.overfit_batch else []
    if not run.fabric.is_global_zero:
        return _ValidationSet([], {})
    windows = {} if options.validate_matches is None else dict(known_windows(options.validate_matches))
    if options.pairs is not None and tasks_at(0, run.mode, options) == MATCHING_TASKS:
        windows |= labelled_windows(validation_labels(options))
    return _ValidationSet(batch or validation_batches(options, run.fabric.device), windows)


def _validate(run: Run, validation: _ValidationSet, output: Path, log: TrainLog) -> Metrics:
    """Metrics of the averaged weights, which are written where they are the best so far; {} where there is nothing."""
    if not validation.examples:
        return {}
    metrics = validate(run.averaged_network, validation.examples, tasks_of(run.mode, run.options))
    score = score_of(metrics)
    better = score < run.best
    if better:
        run.best = score
    if not (output / STATE).exists():
        run.save(output)  # without a state, what is written next would be taken for somebody's
    if better:
        run.save_best(output)
    metrics = validate_matches(run.averaged_network, validation.windows) | metrics  # there is room for the first ones
    log.validation(metrics, score, validation.examples[0])
    return metrics


def _fabric(options: TrainOptions) -> Fabric:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.device != "auto":
        require_device(options.device)
    if options.device != "cpu" and (count := torch.cuda.device_count()):
        require(options.devices <= count, f"--devices {options.devices}", f"at most {count}, the GPUs of this machine")
    fabric = Fabric(
        accelerator="gpu" if options.device == "cuda" else options.device,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy="ddp_find_unused_parameters_true" if options.devices * options.nodes > 1 else "auto",
    )
    fabric.launch()
    return fabric


def _any_process(fabric: Fabric, condition: bool) -> bool:
    """Whether it holds in any of the processes; one that stopped alone would leave the others waiting for it."""
    return fabric.strategy.reduce_boolean_decision(condition, all=False)
