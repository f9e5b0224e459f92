"""What a training run is made of, and how it is saved and taken up again."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from apps.training.checkpoints import BEST, LAST, STATE, load_state, save_state
from apps.training.ema import MovingAverage
from apps.training.objectives import MATCHING, Objectives
from apps.training.options import TASKS, Mode, TrainOptions
from apps.training.strategies import choose_strategy
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import needs_instances
from stitching.errors import InputError
from stitching.network.stitching_network import STITCH, WARP, StitchingNetwork
from stitching.network.weights import load_into, load_weights, save_weights

BACKBONE_RATE = 0.3  # of the learning rate, once the backbone has learned to match
WARM_UP = 0.03  # share of the steps in which the learning rate rises
LOWEST_RATE = 0.02  # of the highest, at the end

# What may differ between a run and its continuation.
_FREE = ("minutes", "workers", "threads", "validate_every", "save_every", "log_every", "device", "devices", "cache")


@dataclass
class Run:
    """A network in training. `lesson` says what is trained at `step`; the optimizer is new for each lesson."""

    mode: Mode
    options: TrainOptions
    fabric: Fabric
    network: StitchingNetwork
    average: MovingAverage
    step: int = 0
    best: float = math.inf
    seconds: float = 0.0  # of training so far

    def __post_init__(self) -> None:
        self.begin_lesson()

    def begin_lesson(self) -> None:
        """A strategy, an optimizer and a wrapped network for what is trained from `step` on."""
        self.lesson = self._lesson()
        self.strategy = choose_strategy(self.lesson, self.options, self.network)
        self.parameters = _parameters(self.network, self.lesson, self.options.freeze_backbone)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        slow, fast = _groups(self.network, self.parameters)
        share = 1.0 if self.lesson == MATCHING else BACKBONE_RATE
        groups = [{"params": slow, "share": share}, {"params": fast, "share": 1.0}]
        optimizer = torch.optim.AdamW(groups, weight_decay=self.options.weight_decay)
        self.objectives, self.optimizer = self.fabric.setup(
            Objectives(self.network, self.options.precision == "bf16", needs_instances(self.options.strategy)),
            optimizer,
        )
        self.updates = ParameterUpdater(
            self.parameters, self.optimizer, self.options.clip, self.fabric.backward, self._average,
            separate_forwards=self.fabric.world_size > 1,
        )  # fmt: skip

    def _average(self, values: Tensor) -> Tensor:
        averaged: Tensor = self.fabric.all_reduce(values, reduce_op="mean")  # type: ignore[assignment]
        return averaged

    def _lesson(self) -> tuple[str, ...]:
        first = self.mode != "blend" and self.step < self.options.matching_steps
        return MATCHING if first else TASKS[self.mode]

    def advance(self) -> None:
        """Set the learning rate of this step; begin another lesson where it is time."""
        if self.lesson != self._lesson():
            self.begin_lesson()
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * rate_at(self.step, self.options)

    def save(self, folder: Path) -> None:
        """Write the averaged weights and all that is needed to go on; one process of several does it."""
        if not self.fabric.is_global_zero:
            return
        save_weights(folder / LAST, self.average.weights(), self.facts())
        save_state(
            folder / STATE,
            {
                "run": {"mode": self.mode, "options": _fixed(self.options)},
                "step": self.step, "lesson": list(self.lesson), "best": self.best, "seconds": self.seconds,
                "network": self.network.state_dict(), "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(), "strategy": self.strategy.state_dict(),
            },
        )  # fmt: skip

    def save_best(self, folder: Path) -> None:
        """Keep the averaged weights as the best ones."""
        if self.fabric.is_global_zero:
            save_weights(folder / BEST, self.average.weights(), self.facts())

    def facts(self) -> dict[str, Any]:
        """What a file of weights says about itself."""
        return {"network": "StitchingNetwork", "mode": self.mode, "step": self.step, "options": _fixed(self.options)}


def open_run(mode: Mode, options: TrainOptions, fabric: Fabric, folder: Path) -> Run:
    """A new run, or the one that `folder` holds.

    Raises InputError where the strategy or weights to begin from do not fit, or `folder` holds a run of another mode
    or other options.
    """
    fabric.seed_everything(options.seed, verbose=False)
    network = StitchingNetwork().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    choose_strategy(TASKS[mode], options, network)  # it may be needed only after many steps
    if options.begin_from is not None:
        load_into(network, load_weights(options.begin_from))
    network.to(fabric.device)
    run = Run(mode, options, fabric, network, MovingAverage(network, options.ema))
    if (folder / STATE).exists():
        _resume(run, load_state(folder / STATE), folder)
    return run


def _resume(run: Run, state: dict[str, Any], folder: Path) -> None:
    wanted = {"mode": run.mode, "options": _fixed(run.options)}
    if state["run"] != wanted:
        raise InputError(f"{folder} holds another run ({_difference(state['run'], wanted)}); choose another folder")
    run.step, run.best, run.seconds = state["step"], state["best"], state["seconds"]
    run.network.load_state_dict(state["network"])
    run.average.load_state_dict(state["average"])
    run.begin_lesson()
    if state["lesson"] == list(run.lesson):  # else it was saved at the end of a lesson: the next one begins anew
        run.optimizer.load_state_dict(state["optimizer"])
        run.strategy.load_state_dict(state["strategy"])


def rate_at(step: int, options: TrainOptions) -> float:
    """Learning rate: up in a straight line, down as half a cosine (one cycle, Smith & Topin 2019)."""
    done = step / options.steps
    if done < WARM_UP:
        return options.rate * min(1.0, (step + 1) / (WARM_UP * options.steps))
    fall = (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP)))) / 2
    return options.rate * (LOWEST_RATE + (1 - LOWEST_RATE) * fall)


def modules_of(network: StitchingNetwork) -> Iterator[tuple[str, nn.Module]]:
    """The parts whose gradients the log shows."""
    yield "backbone", network.backbone
    for name, module in network.warping.named_children():
        yield f"warping.{name}", module
    yield "generating", network.generating


def _parameters(network: StitchingNetwork, lesson: tuple[str, ...], frozen: bool) -> Parameters:
    """What a lesson trains. All of PWM is shared by warp, geometry and visibility; SIGMo is the stitch's own.

    `frozen`: the backbone's convolutions are not trained.
    """
    norms = {
        task: [p for name, p in network.backbone.named_parameters() if f"norms.{task}." in name]
        for task in network.backbone.tasks
    }
    convolutions = [p for name, p in network.backbone.named_parameters() if "norms." not in name]
    shared = [] if frozen else convolutions
    if lesson == MATCHING:
        return Parameters([*shared, *norms[WARP], *network.warping.correlation.parameters()], {"matching": []})
    if set(lesson) - {"stitch"}:
        shared = [*shared, *norms[WARP], *network.warping.parameters()]
    stitch = [*norms[STITCH], *network.generating.parameters()]
    return Parameters(shared, {task: stitch if task == "stitch" else [] for task in lesson})


def _groups(network: StitchingNetwork, parameters: Parameters) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Trained parameters within and outside of the backbone."""
    backbone = {id(p) for p in network.backbone.parameters()}
    return [p for p in parameters if id(p) in backbone], [p for p in parameters if id(p) not in backbone]


def _fixed(options: TrainOptions) -> dict[str, Any]:
    """The options that make a run what it is, as JSON holds them."""
    kept = {name: value for name, value in asdict(options).items() if name not in _FREE}
    return {name: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for name, v in kept.items()}


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    if found["mode"] != wanted["mode"]:
        return f"train {found['mode']}, not {wanted['mode']}"
    pairs = [(name, found["options"].get(name), value) for name, value in wanted["options"].items()]
    return ", ".join(f"{name} {was}, not {is_now}" for name, was, is_now in pairs if was != is_now)
