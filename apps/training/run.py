"""Training: steps, log, validation, checkpoints, until the steps or the minutes are over."""

import copy
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
from apps.training.data import mirrored, training_batches, validation_batches
from apps.training.objectives import Terms
from apps.training.options import TASKS, Mode, TrainOptions
from apps.training.state import Run, open_run
from apps.training.train_log import Journal
from apps.training.validation import Figures, validate
from datasets.examples.batch import ExampleBatch
from mtl.optimization import NonFiniteError
from mtl.strategy import StepResult
from stitching.errors import InputError, JobError
from stitching.io.files import check_folder

LEAST_ERROR = 0.01  # of the classical warp, px or disagreement: less is as good as none


def train(mode: Mode, output: Path, options: TrainOptions, report: Callable[[str], None] = print) -> Figures:
    """Train a network, or go on with it, until its steps or minutes are over.

    `output` gets best.safetensors and last.safetensors (averaged weights), state.pt, and TensorBoard's logs.

    Args:
        mode: flow trains PWM, blend SIGMo, joint both on one backbone.
        output: folder of the run. One that holds a run of the same mode and options is continued.
        options: see TrainOptions.
        report: gets a line of text now and then.

    Returns:
        The last validation's figures.

    Raises:
        InputError: data, weights or options cannot be used, or `output` holds another run.
        JobError: a loss became NaN, memory ran out, or samples cannot be made; the last checkpoint is good.
    """
    check_folder(output)
    fabric = _fabric(options)
    run = open_run(mode, options, fabric, output)
    try:
        with closing(Journal(run, output, report)) as journal:
            return _steps(run, output, journal)
    except NonFiniteError as error:
        good = f"; {output / LAST} holds the last good ones" if (output / LAST).exists() else ""
        raise JobError(f"step {run.step}: {error}; lower --rate{good}") from error
    except (MemoryError, RuntimeError) as error:
        # On the CPU, torch says it by words alone; "illegal memory access" is something else.
        said = "out of memory" in str(error) or "allocate memory" in str(error)
        if not said and not isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        raise JobError(
            f"out of memory with --batch-size {options.batch_size} and --size {options.size[0]} {options.size[1]}; "
            f"lower one of them in a new folder, with --begin-from {output / LAST} where that is there already"
        ) from error


def _steps(run: Run, output: Path, journal: Journal) -> Figures:
    options, begun, before = run.options, time.perf_counter(), run.seconds
    fabric = run.fabric
    checks = validation_batches(options, fabric.device)
    training = training_batches(options, run.step, fabric.device, fabric.global_rank, fabric.world_size)
    figures: Figures = {}
    with closing(training) as examples, _interruptions() as interrupted:
        while run.step < options.steps and not _stops(fabric, _late(options, begun) or bool(interrupted)):
            waiting = time.perf_counter()
            batch = next(examples)
            journal.waited(time.perf_counter() - waiting)
            run.advance()
            terms, decision = _step(run, batch)
            run.step += 1
            run.average.update(run.network)
            run.seconds = before + time.perf_counter() - begun
            journal.stepped(terms, decision)
            if run.step % options.validate_every == 0:
                figures = _validated(run, checks, output, journal)
            if run.step % options.save_every == 0:
                run.save(output)
        if not interrupted and (not figures or run.step % options.validate_every):
            figures = _validated(run, checks, output, journal)
        run.save(output)
    if interrupted:
        raise KeyboardInterrupt
    return figures


def _step(run: Run, batch: ExampleBatch) -> tuple[Terms, StepResult]:
    """One batch through the strategy; what it cost, and what was decided."""
    rng = np.random.default_rng((run.options.seed, run.step))
    classical = bool(rng.random() < run.options.classical_start)
    batch = mirrored(batch) if rng.random() < 0.5 and not run.options.overfit_batch else batch
    gathered: Terms = {}  # as they were before anything moved, or the task's own turn came

    def closure(tasks: Sequence[str]) -> Mapping[str, Tensor]:
        losses: Terms
        losses, terms = run.objectives(batch, tuple(tasks), classical)
        for name, term in terms.items():
            gathered.setdefault(name, term.detach())
        return losses

    decision = run.strategy.step(closure, run.updates, batch.sample_ids)
    return gathered, decision


def _validated(run: Run, checks: Sequence[ExampleBatch], output: Path, journal: Journal) -> Figures:
    """Figures of the averaged weights, which are kept where they are the best so far."""
    network = copy.deepcopy(run.network)
    network.load_state_dict(run.average.weights())
    figures = validate(network, checks, TASKS[run.mode])
    score = score_of(figures)
    if score < run.best:
        run.best = score
        run.save_best(output)
    journal.validated(figures, network, checks[0])
    return figures


def score_of(figures: Figures) -> float:
    """What the best checkpoint has least of: relative warp error where there is one, plus dB of the stitch.

    With photographs, their relative disagreement counts as much as an error of the warp.
    """
    kinds = [kind for kind in ("ov", "nov") if f"classical/{kind}" in figures]
    warp = [figures[f"classical/{kind}"] / max(figures[f"baseline/{kind}"], LEAST_ERROR) for kind in kinds]
    if "pairs/classical" in figures:
        warp.append(figures["pairs/classical"] / max(figures["pairs/baseline"], LEAST_ERROR))
    stitch = [-0.1 * value for name, value in figures.items() if "PSNR" in name]
    return sum(warp) + sum(stitch)


def _fabric(options: TrainOptions) -> Fabric:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.device not in ("auto", "cpu") and not torch.cuda.is_available():
        raise InputError(f"--device {options.device}: this machine has no such device; use --device cpu")
    many = options.devices > 1
    fabric = Fabric(
        accelerator="gpu" if options.device.startswith("cuda") else options.device,
        devices=options.devices,
        strategy="ddp_find_unused_parameters_true" if many else "auto",
    )
    fabric.launch()
    return fabric


def _stops(fabric: Fabric, wanted: bool) -> bool:
    """Whether any of the processes wants to stop; one that stopped alone would leave the others waiting for it."""
    return fabric.strategy.reduce_boolean_decision(wanted, all=False)


def _late(options: TrainOptions, begun: float) -> bool:
    return options.minutes is not None and time.perf_counter() - begun >= 60 * options.minutes


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """A list that Ctrl-C fills, so that the step at hand is finished and saved whole; a second Ctrl-C ends at once."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # others cannot listen
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
