"""The multi-task optimizer of a run, and what it must know about the network and the data."""

from dataclasses import replace
from math import ceil

import torch

from apps.training.data.batches import training_indices
from apps.training.options import MATCHING_TASKS, PWM, TASKS, TrainOptions
from mtl.connection_strength import Layer, find_layers
from mtl.registry import TrainingContext, make_strategy, needs_instances, needs_task_norms
from mtl.strategy import Strategy
from mtl.weightings.instance_weights import LossForm
from stitching.errors import InputError
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork

STEPS_PER_EPOCH = 250  # where samples are generated endlessly
NORM_OF = {"warp": WARP, "geometry": WARP, "visibility": WARP, "stitch": STITCH}  # of the backbone, for each task
FORMS: dict[str, LossForm] = {"visibility": "cross_entropy"}  # kind of loss; the other tasks' are "l1"


def choose_strategy(tasks: tuple[str, ...], options: TrainOptions, network: StitchingNetwork) -> Strategy:
    """The strategy that trains the tasks of a stage; matching, a single task, needs none of --strategy.

    Raises InputError where there is no such strategy, or it cannot train on this data.
    """
    indices = training_indices(options)
    if needs_instances(options.strategy) and (indices is None or options.pairs is not None or options.photograph_share):
        needed = "needs --data, --photograph-share 0, and no --pairs"
        raise InputError(f"--strategy {options.strategy}: {needed}: it learns about every sample")
    matching_steps = options.matching_steps if options.flow == PWM and tasks != TASKS["blend"] else 0
    spec = "equal" if tasks == MATCHING_TASKS else options.strategy
    training = TrainingContext(
        layers=_layers(network, tasks) if needs_task_norms(spec) else (),
        total_steps=max(1, options.steps - matching_steps),
        # Of one process: a strategy must not notice when a run goes on with another number of them.
        steps_per_epoch=STEPS_PER_EPOCH if indices is None else ceil(len(indices) / options.batch_size),
        dataset_size=None if indices is None else indices[-1] + 1,  # some samples may be missing
        loss_forms=FORMS,
        seed=options.seed,
    )
    try:
        return make_strategy(spec, tasks, training)
    except ValueError as error:
        raise InputError(f"--strategy {options.strategy}: {error}") from error


def _layers(network: StitchingNetwork, tasks: tuple[str, ...]) -> list[Layer]:
    """The backbone's convolutions, with the norm that each task uses."""
    device = next(network.parameters()).device
    picture, valid = torch.zeros(1, 3, 64, 64, device=device), torch.zeros(1, 1, 64, 64, device=device)
    training = network.training
    network.eval()  # this picture must not change the running statistics
    with torch.no_grad():
        layers = find_layers(network.backbone, lambda: network.backbone(picture, valid, WARP))
    network.train(training)
    return [replace(layer, norms={task: layer.norms[NORM_OF[task]] for task in tasks}) for layer in layers]
