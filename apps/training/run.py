"""A training run: the network, its averaged weights, the current stage and how far it is; saved and resumed."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from lightning.fabric import Fabric
from torch.optim.swa_utils import AveragedModel

from apps.training.checkpoints import BEST, LAST, STATE, load_state, save_state
from apps.training.ema import averaged_model
from apps.training.network_choice import begin_from, flow_of, new_network
from apps.training.options import Mode, TrainOptions, tasks_at, tasks_of
from apps.training.stage import Stage, build_stage
from apps.training.strategy_setup import choose_strategy
from stitching.errors import InputError
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import save_weights

# What may differ between a run and its continuation.
_FREE_OPTIONS = (
    "minutes", "workers", "threads", "validate_every", "validate_matches", "save_every", "log_every", "device",
    "devices", "nodes", "cache",
)  # fmt: skip


@dataclass
class Run:
    """A network in training, before step `step`.

    Attributes:
        average: moving average of the network's weights.
        best: lowest score of a validation.
        examples: trained on so far, by all processes.
        seconds: of training so far.
    """

    mode: Mode
    options: TrainOptions
    fabric: Fabric
    network: StitchingNetwork
    average: AveragedModel
    stage: Stage
    step: int = 0
    examples: int = 0
    best: float = math.inf
    seconds: float = 0.0

    @property
    def averaged_network(self) -> StitchingNetwork:
        """The network with the averaged weights; not a copy."""
        return cast(StitchingNetwork, self.average.module)

    def enter_stage(self) -> None:
        """Replace the stage where another one begins at this step."""
        tasks = tasks_at(self.step, self.mode, self.options)
        if tasks != self.stage.tasks:
            self.stage = build_stage(tasks, self.step, self.network, self.options, self.fabric)

    def finish_step(self) -> None:
        """Take the network's weights into the average and set the learning rates of the next step."""
        self.step += 1
        self.examples += self.options.batch_size * self.fabric.world_size
        self.average.update_parameters(self.network)
        self.stage.schedule.step()

    def save(self, folder: Path) -> None:
        """Write the averaged weights and all that is needed to resume; one process of several does it."""
        if not self.fabric.is_global_zero:
            return
        save_state(
            folder / STATE,
            {
                "run": {"mode": self.mode, "options": _fixed_options(self.options)},
                "step": self.step, "stage": list(self.stage.tasks), "examples": self.examples,
                "best": self.best, "seconds": self.seconds,
                "network": self.network.state_dict(), "average": self.average.state_dict(),
                "optimizer": self.stage.optimizer.state_dict(), "strategy": self.stage.strategy.state_dict(),
            },
        )  # fmt: skip
        self._save_weights(folder / LAST)  # last: without a state it would be taken for somebody's

    def save_best(self, folder: Path) -> None:
        """Write the averaged weights as the best ones; one process of several calls it."""
        self._save_weights(folder / BEST)

    def _save_weights(self, path: Path) -> None:
        options = _fixed_options(self.options)
        facts = {"mode": self.mode, "step": self.step, "options": options}
        architecture = {"network": "StitchingNetwork", "flow": flow_of(self.options), **facts}
        save_weights(path, self.averaged_network.state_dict(), architecture)


def open_run(mode: Mode, options: TrainOptions, fabric: Fabric, folder: Path) -> Run:
    """A new run, or the one that `folder` holds.

    Raises InputError where the strategy or the initial weights do not fit, `folder` holds a run of another mode or
    other options, or another folder on another machine.
    """
    fabric.seed_everything(options.seed, verbose=False)
    found = (folder / STATE).exists()
    network = new_network(mode, options, resumed=found)
    choose_strategy(tasks_of(mode, options), options, network)  # refused now, not when its stage begins
    if options.begin_from is not None and not found:
        begin_from(network, options.begin_from, options)
    network.to(fabric.device)
    average = averaged_model(network, options.ema)
    if found != fabric.broadcast(found):
        raise InputError(f"{folder}: not the same on all machines; expected one folder that all of them share")
    if not found:
        stage = build_stage(tasks_at(0, mode, options), 0, network, options, fabric)
        return Run(mode, options, fabric, network, average, stage)
    state = load_state(folder / STATE)
    if difference := _difference(state["run"], mode, options):
        raise InputError(f"{folder} holds another run ({difference}); choose another folder")
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    step = state["step"]
    stage = build_stage(tasks_at(step, mode, options), step, network, options, fabric)
    if state["stage"] == list(stage.tasks):  # else it was saved at the end of a stage, and the next one begins now
        stage.optimizer.load_state_dict(state["optimizer"])
        try:
            stage.strategy.load_state_dict(state["strategy"])
        except ValueError as error:
            raise InputError(f"{folder} holds another run ({error})") from error
    return Run(mode, options, fabric, network, average, stage, step, state["examples"], state["best"], state["seconds"])


def _fixed_options(options: TrainOptions) -> dict[str, Any]:
    """The options that must stay the same when a run is resumed, as JSON holds them."""
    fixed = {name: value for name, value in asdict(options).items() if name not in _FREE_OPTIONS}
    return {
        name: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for name, v in fixed.items()
    }


def _difference(saved: dict[str, Any], mode: Mode, options: TrainOptions) -> str:
    """What hinders a run from going on with other options, in words; empty: nothing.

    An option that is younger than the saved run has its default there.
    """
    if saved["mode"] != mode:
        return f"train {saved['mode']}, not {mode}"
    before = _fixed_options(TrainOptions()) | saved["options"]
    pairs = [(name, before[name], value) for name, value in _fixed_options(options).items()]
    if options.schedule == "constant":  # the rate of a step does not depend on them
        pairs = [pair for pair in pairs if pair[0] != "steps"]
    return ", ".join(f"{name} {old}, not {new}" for name, old, new in pairs if old != new)
