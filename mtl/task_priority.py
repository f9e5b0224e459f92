"""Task priority by connection strength (Jeong & Yoon, Quantifying Task Priority for Multi-Task Optimization, 2024)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mtl.connection_strength import Layer, channel_shares, top_tasks
from mtl.optimization import Closure, Updates, add_gradients, check_names, listed
from mtl.projection import project_on_priority, project_pairwise
from mtl.sequential import update_in_turn
from mtl.strategy import Decision, check_state, check_tasks, seeded

Phases = Literal["mixed", "first", "second", "in-sequence"]
Owners = Literal["strength", "random", "pairwise"]
Draw = Literal["step", "epoch"]


class TaskPriority:
    """Learns in phase 1 which task needs which channels, and keeps these connections in phase 2.

    Phase 1: the tasks are updated one after another on the batch. Phase 2: in each shared layer, each group of
    channels belongs to the task that is connected to it most strongly; the other tasks' gradients are projected where
    they conflict with its own, all are added, and there is one update. Phase 2 is chosen with the probability e / E,
    e epochs of E being done.

    Tasks that share their norms cannot be told apart by them: they are trained as one, by their summed loss.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        layers: Sequence[Layer],
        steps: int,
        epoch: int = 1,
        seed: int = 0,
        draw: Draw = "step",
        phases: Phases = "mixed",
        owners: Owners = "strength",
    ) -> None:
        """All of what a run needs to know.

        Args:
            tasks: in the order in which phase 1 updates them.
            layers: shared layers with a norm for each task.
            steps: batches of the whole training, E epochs.
            epoch: batches in an epoch.
            seed: of what is drawn.
            draw: choose the phase anew in each step, as the authors' code does, or in each epoch.
            phases: for comparison: one of them only, or the second half of the run phase 2.
            owners: for comparison: channels at random; or PCGrad for each layer, without owners.

        Raises ValueError where there are no layers, one lacks a norm of a task, or a number or name is not possible.
        """
        self.tasks = check_tasks(tasks)
        for given, kinds in ((draw, Draw), (phases, Phases), (owners, Owners)):
            if given not in get_args(kinds):
                raise ValueError(f"{given!r}: expected one of {listed(get_args(kinds))}")
        if not layers:
            raise ValueError("no shared layers with a norm for each task; see mtl.task_norm.convert and find_layers")
        for layer in layers:
            check_names(self.tasks, layer.norms, f"norms in layer {layer.name!r}")
        if not (steps >= 1 and epoch >= 1):
            raise ValueError(f"steps {steps}, epoch {epoch}: expected 1 or more")
        self._layers, self._steps, self._epoch, self._seed = list(layers), steps, epoch, seed
        self._draw, self._phases, self._owners = draw, phases, owners
        self._objectives = _together(self.tasks, layers[0])
        self._step = 0

    def step(self, closure: Closure, updates: Updates, instances: Tensor | None = None) -> Decision:
        """As Strategy.step: as many forward passes as there are objectives, with as many updates or one."""
        check_names(self.tasks, updates.parameters.tasks, "parameters")
        learn = self._draw_phase() == 1
        made = self._learn_priority(closure, updates) if learn else self._keep_priority(closure, updates)
        self._step += 1
        return made

    def _draw_phase(self) -> int:
        done = self._step // self._epoch * self._epoch / self._steps  # e / E
        if self._phases != "mixed":
            return {"first": 1, "second": 2, "in-sequence": 1 if done < 0.5 else 2}[self._phases]
        place = self._step if self._draw == "step" else self._step // self._epoch
        return 1 if np.random.default_rng((self._seed, place)).random() >= done else 2

    def _learn_priority(self, closure: Closure, updates: Updates) -> Decision:
        turns = update_in_turn(self._objectives, closure, updates)
        losses = {task: value for turn in turns for task, value in turn.before.items()}
        groups = tuple(turn.group for turn in turns)
        return Decision(losses, dict.fromkeys(self.tasks, 1.0), turns[-1].norms, groups)

    def _keep_priority(self, closure: Closure, updates: Updates) -> Decision:
        gradients, losses = updates.gradients(closure, self._objectives, apart=True)
        random = seeded(self._seed, self._step)
        places = {parameter: place for place, parameter in enumerate(updates.parameters)}
        for layer in self._layers:
            place = places.get(layer.weight)
            if place is None or any(gradient[place] is None for gradient in gradients):
                continue  # not trained, or some tasks do not use it
            found = [gradient[place] for gradient in gradients]
            projected = self._projected(layer, found, random)  # type: ignore[arg-type]
            for gradient, new in zip(gradients, projected, strict=True):
                gradient[place] = new
        updates.put(add_gradients(gradients))
        norms = updates.apply(self.tasks)
        return Decision(losses, dict.fromkeys(self.tasks, 1.0), norms, (self.tasks,))

    def _projected(self, layer: Layer, gradients: Sequence[Tensor], random: torch.Generator) -> list[Tensor]:
        if self._owners == "pairwise":
            return project_pairwise(gradients, random)
        owners = top_tasks(layer, [objective[0] for objective in self._objectives])
        if self._owners == "random":
            owners = torch.randint(len(gradients), owners.shape, generator=random).to(owners.device)
        return project_on_priority(gradients, owners)

    def channel_shares(self) -> dict[str, dict[str, float]]:
        """By layer, the share of the channels on which each objective's first task has priority."""
        return channel_shares(self._layers, [objective[0] for objective in self._objectives])

    def report(self) -> Mapping[str, float]:
        """The shares of channels, by layer and task."""
        shares = self.channel_shares()
        return {f"channels/{task}/{layer}": share for layer, by in shares.items() for task, share in by.items()}

    def state_dict(self) -> dict[str, Any]:
        """Settings and the number of steps done; what was drawn follows from the seed."""
        return {**self._settings(), "step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, **self._settings())
        self._step = int(state["step"])

    def _settings(self) -> dict[str, Any]:
        return {
            "kind": "task-priority", "tasks": list(self.tasks), "layers": [layer.name for layer in self._layers],
            "steps": self._steps, "epoch": self._epoch, "seed": self._seed, "draw": self._draw,
            "phases": self._phases, "owners": self._owners,
        }  # fmt: skip


def _together(tasks: Sequence[str], layer: Layer) -> tuple[tuple[str, ...], ...]:
    """Tasks that share a norm, in the order of the first of each."""
    objectives: dict[int, list[str]] = {}
    for task in tasks:
        objectives.setdefault(id(layer.norms[task]), []).append(task)
    return tuple(map(tuple, objectives.values()))
