"""The multi-task optimizer of a run, and what it must know about the network and the data."""

from dataclasses import replace
from math import ceil

import torch

from apps.training.data import training_set
from apps.training.objectives import MATCHING
from apps.training.options import TrainOptions
from mtl.connection_strength import Layer, find_layers
from mtl.registry import TrainingContext, make_strategy, needs_instances, needs_task_norms
from mtl.strategy import Strategy
from mtl.weightings.instance_weights import LossForm
from stitching.errors import InputError
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork

EPOCH = 250  # steps, where samples are made without end
NORM_OF = {"warp": WARP, "geometry": WARP, "visibility": WARP, "stitch": STITCH}  # of the backbone, for each task
FORMS: dict[str, LossForm] = {"visibility": "cross_entropy"}  # kind of loss; the other tasks' are "l1"


def choose_strategy(lesson: tuple[str, ...], options: TrainOptions, network: StitchingNetwork) -> Strategy:
    """The strategy that trains the tasks of a lesson; the first lesson has a single task.

    Raises InputError where there is no such strategy, or it cannot train on this data.
    """
    known = training_set(options)
    if needs_instances(options.strategy) and (known is None or options.pairs is not None):
        raise InputError(f"--strategy {options.strategy}: needs --data, and no --pairs: it learns about every sample")
    spec = "equal" if lesson == MATCHING else options.strategy
    training = TrainingContext(
        layers=_layers(network, lesson) if needs_task_norms(spec) else (),
        total_steps=options.steps - options.matching_steps,
        steps_per_epoch=EPOCH if known is None else ceil(known[1] / options.batch_size / options.devices),
        dataset_size=None if known is None else known[0],
        loss_forms=FORMS,
        seed=options.seed,
    )
    try:
        return make_strategy(spec, lesson, training)
    except ValueError as error:
        raise InputError(f"--strategy {options.strategy}: {error}") from error


def _layers(network: StitchingNetwork, lesson: tuple[str, ...]) -> list[Layer]:
    """The backbone's convolutions, with the norm that each task uses."""
    device = next(network.parameters()).device
    picture, valid = torch.zeros(1, 3, 64, 64, device=device), torch.zeros(1, 1, 64, 64, device=device)
    before = network.training
    network.eval()  # a picture of nothing says nothing about statistics
    with torch.no_grad():
        layers = find_layers(network.backbone, lambda: network.backbone(picture, valid, WARP))
    network.train(before)
    return [replace(layer, norms={task: layer.norms[NORM_OF[task]] for task in lesson}) for layer in layers]
