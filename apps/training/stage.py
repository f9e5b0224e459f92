"""A stage of the training: what is trained, by which strategy and optimizer. The first stage trains the matching."""

import math
from dataclasses import dataclass

from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from apps.training.objectives import Objectives
from apps.training.options import MATCHING_TASKS, Schedule, TrainOptions
from apps.training.strategy_setup import choose_strategy
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import needs_instances
from mtl.strategy import Strategy
from stitching.network.matching.efficientnet_lite import EfficientNetLite
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork

BACKBONE_RATE = 0.3  # of the learning rate, for the backbone
ENCODER_RATE = 0.5  # of the learning rate, for the encoder of the matching, which is trained already
WARM_UP, LONGEST_WARM_UP = 0.03, 600  # share of the steps in which the learning rate rises; steps
DECAY = 0.1  # share of the steps, at the end, over which a constant rate falls
FINAL_RATE = 0.02  # learning rate at the end, as a share of the highest


@dataclass(frozen=True, eq=False)
class Stage:
    """What trains the network during a stage.

    Attributes:
        tasks: what is trained.
        strategy: the multi-task optimizer.
        objectives: the network with its losses, as Fabric wraps it for devices and processes.
        optimizer: AdamW, as Fabric wraps it; new in each stage, as Adam's moments of idle layers would overshoot.
        schedule: sets the learning rates; stepped after each step of the run.
        updates: how a strategy moves the parameters.
    """

    tasks: tuple[str, ...]
    strategy: Strategy
    objectives: nn.Module
    optimizer: Optimizer
    schedule: LambdaLR
    updates: ParameterUpdater


def build_stage(
    tasks: tuple[str, ...], step: int, network: StitchingNetwork, options: TrainOptions, fabric: Fabric
) -> Stage:
    """The stage that trains `tasks`, with the learning rates of `step`.

    Sets `requires_grad` of the network's parameters: only those of the stage are trained.
    Raises InputError as `choose_strategy`.
    """
    strategy = choose_strategy(tasks, options, network)
    parameters = _parameters(network, tasks, options.freeze_backbone)
    network.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    fused = True if fabric.device.type == "cpu" else None  # elsewhere torch's choice is as fast
    optimizer = AdamW(_groups(network, parameters, options.rate), weight_decay=options.weight_decay, fused=fused)
    schedule = LambdaLR(optimizer, lambda now: rate_factor(now, options.steps, options.schedule), last_epoch=step - 1)
    trains_warp = bool(set(tasks) - {"stitch"})
    objectives, wrapped = fabric.setup(
        Objectives(network, options.precision == "bf16", needs_instances(options.strategy), trains_warp), optimizer
    )

    def average(values: Tensor) -> Tensor:
        averaged: Tensor = fabric.all_reduce(values, reduce_op="mean")  # type: ignore[assignment]
        return averaged

    updates = ParameterUpdater(
        parameters, wrapped, options.clip, fabric.backward, average, separate_forwards=fabric.world_size > 1
    )
    return Stage(tasks, strategy, objectives, wrapped, schedule, updates)


def rate_factor(step: int, steps: int, schedule: Schedule) -> float:
    """Learning rate as a share of the highest: rises linearly, and falls at the end to `FINAL_RATE`.

    cosine: falls as half a cosine over all that follows the rise (Smith & Topin 2019). constant: stays, and falls
    linearly over the last `DECAY` of the steps; how many they are need not be known before (Haegele et al. 2024).
    """
    rise = min(WARM_UP * steps, LONGEST_WARM_UP)
    if step < rise:
        return min(1.0, (step + 1) / rise)
    if schedule == "constant":
        high = min(1.0, (1 - step / steps) / DECAY)
    else:
        high = (1 + math.cos(math.pi * min(1.0, (step - rise) / (steps - rise)))) / 2
    return FINAL_RATE + (1 - FINAL_RATE) * max(0.0, high)


def _parameters(network: StitchingNetwork, tasks: tuple[str, ...], freeze_backbone: bool) -> Parameters:
    """What a stage trains: the parts of PWM are shared by warp, geometry and visibility; SIGMo is the stitch's own.

    freeze_backbone: leave out the backbone's convolutions, not its norms.
    """
    norms = {
        norm: [p for name, p in network.backbone.named_parameters() if f"norms.{norm}." in name]
        for norm in network.backbone.tasks
    }
    convolutions = [p for name, p in network.backbone.named_parameters() if "norms." not in name]
    shared = [] if freeze_backbone else convolutions
    if tasks == MATCHING_TASKS:
        return Parameters(_without_fixed(network.warping.matching), {"matching": []})
    if set(tasks) - {"stitch"}:
        shared = [*shared, *norms[WARP], *_without_fixed(network.warping)]
    stitch = [*norms[STITCH], *network.generating.parameters()]
    return Parameters(shared, {task: stitch if task == "stitch" else [] for task in tasks})


def _without_fixed(module: nn.Module) -> list[nn.Parameter]:
    """Parameters of a module without those that stay as they were trained on ImageNet."""
    encoders = _encoders(module)
    late = {id(p) for encoder in encoders for p in encoder.late_parameters()}
    fixed = {id(p) for encoder in encoders for p in encoder.parameters()} - late
    return [p for p in module.parameters() if id(p) not in fixed]


def _encoders(module: nn.Module) -> list[EfficientNetLite]:
    """The pretrained encoders in a module: one in PWM, none in other networks of optical flow."""
    return [part for part in module.modules() if isinstance(part, EfficientNetLite)]


def _groups(network: StitchingNetwork, parameters: Parameters, rate: float) -> list[dict[str, object]]:
    """The optimizer's groups and their highest learning rates: shared or pretrained parts learn more slowly."""
    backbone = {id(p) for p in network.backbone.parameters()}
    pretrained = {id(p) for encoder in _encoders(network) for p in encoder.parameters()}
    rates: dict[float, list[nn.Parameter]] = {BACKBONE_RATE * rate: [], ENCODER_RATE * rate: [], rate: []}
    for parameter in parameters:
        share = BACKBONE_RATE if id(parameter) in backbone else ENCODER_RATE if id(parameter) in pretrained else 1
        rates[share * rate].append(parameter)
    return [{"params": group, "lr": highest, "initial_lr": highest} for highest, group in rates.items()]
