"""Task priority with one of its decisions made otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from apps.benchmarking.ablations.words import check_words
from mtl.connection_strength import Layer, top_tasks
from mtl.registry import TrainingContext
from mtl.strategies.task_priority import TaskPriority, project_on_priority
from mtl.strategy import step_generator

_WORDS: Mapping[str, tuple[str, ...]] = {
    "phases": ("mixed", "first", "second", "sequential"),
    "schedule": ("linear", "constant", "square"),
    "order": ("listed", "random"),
    "project": ("owners", "all"),
    "owners": ("strength", "random", "layer", "gradient"),
}


@dataclass(frozen=True)
class PrioritySwitches:
    """What is made otherwise; the defaults are the method itself.

    Raises ValueError where a word is not one of these, or where a switch would change nothing beside another one.

    Attributes:
        phases: "mixed": chosen in each step; "first", "second": that one alone; "sequential": the first one until half
            of the epochs are done, then the second one (Jeong & Yoon 2024, table 4, compares these four).
        schedule: of mixed phases: the probability of the second one with e of E epochs done: "linear", e / E;
            "constant", 1 / 2; "square", (e / E)^2.
        order: of the tasks in phase 1: "listed", or "random", anew in each step.
        project: in phase 2: "owners": on the channels of each task the others' gradients; "all": PCGrad on each whole
            layer, every task's gradient on that of every other one.
        owners: who has priority on a channel: "strength": who is connected most strongly; "random": the same owners,
            dealt out to other channels, once for each layer; "layer": the task with most of the layer's channels has
            all of them; "gradient": the task whose gradient is longest there.
    """

    phases: str = "mixed"
    schedule: str = "linear"
    order: str = "listed"
    project: str = "owners"
    owners: str = "strength"

    def __post_init__(self) -> None:
        check_words(self, _WORDS)
        if self.project == "all" and self.owners != "strength":
            raise ValueError(f"owners={self.owners}, project=all: without project=all, which asks no owner")
        if self.phases != "mixed" and self.schedule != "linear":
            raise ValueError(f"schedule={self.schedule}, phases={self.phases}: expected phases=mixed with a schedule")

    @property
    def second_phase_share(self) -> float:
        """Share of the steps of a training that are of phase 2, on average: the mean of its probability."""
        if self.phases in ("first", "second"):
            return float(self.phases == "second")
        return 1 / 3 if self.schedule == "square" else 0.5


class PriorityVariant(TaskPriority):
    """Task priority as the switches say."""

    def __init__(self, tasks: Sequence[str], context: TrainingContext, switches: PrioritySwitches) -> None:
        """Raises as TaskPriority."""
        super().__init__(tasks, context.layers, context.total_steps, context.steps_per_epoch, context.seed)
        self._switches = switches

    @property
    def _probability(self) -> float:
        """Of phase 2."""
        done = super()._probability
        if self._switches.phases == "mixed":
            return {"linear": done, "constant": 0.5, "square": done**2}[self._switches.schedule]
        return {"first": 0.0, "second": 1.0, "sequential": float(done >= 0.5)}[self._switches.phases]

    def _order_objectives(self) -> tuple[tuple[str, ...], ...]:
        """As phase 1 updates them in this step."""
        if self._switches.order == "listed":
            return self._objectives
        order = torch.randperm(len(self._objectives), generator=step_generator(self._seed, self._step)).tolist()
        return tuple(self._objectives[index] for index in order)

    def _resolve(self, layer: Layer, gradients: Sequence[Tensor]) -> list[Tensor]:
        """As TaskPriority does it, but for the switches."""
        if self._switches.project == "all":
            return project_all_pairs(gradients, step_generator(self._seed, self._step))
        return project_on_priority(gradients, self._find_owners(layer, gradients))

    def _find_owners(self, layer: Layer, gradients: Sequence[Tensor]) -> Tensor:
        """(out,) the index of each channel's owner."""
        if self._switches.owners == "gradient":
            return torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).argmax(0)  # (out, ...) -> (out, n)
        strongest = top_tasks(layer, self._representatives)
        if self._switches.owners == "layer":
            return torch.full_like(strongest, int(torch.bincount(strongest).argmax()))
        if self._switches.owners == "random":
            generator = step_generator(self._seed, self._layers.index(layer))
            return strongest[torch.randperm(len(strongest), generator=generator).to(strongest.device)]
        return strongest

    def settings(self) -> dict[str, Any]:
        """Those of task priority, and the switches."""
        return {**super().settings(), "kind": "priority", **asdict(self._switches)}


def project_all_pairs(gradients: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """PCGrad (Yu et al. 2020, algorithm 1): each gradient (out, ...) projected on all others, in random order."""
    projected = []
    for i, gradient in enumerate(gradients):
        remaining = gradient.clone()
        for j in torch.randperm(len(gradients), generator=generator).tolist():
            product = (remaining * gradients[j]).sum()
            if j != i and product < 0:
                remaining -= product / gradients[j].square().sum() * gradients[j]
        projected.append(remaining)
    return projected
