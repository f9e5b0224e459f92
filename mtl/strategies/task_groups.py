"""Selective task-group updates (Jeong & Yoon, Selective Task Group Updates for Multi-Task Optimization, 2025)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from mtl.affinity import Affinity
from mtl.installed import check_installed
from mtl.optimization import Closure, ParameterUpdater, check_names
from mtl.strategy import StepResult, Strategy, check_number, check_tasks, check_whole, step_generator


class TaskGroups(Strategy):
    """Updates groups of tasks that help each other one after another, in random order, on the same batch.

    Which tasks help each other is measured by their losses before and after each update, so that one more forward pass
    than there are groups is all it costs, and all heads in each of them; on batches that are not measured, neither is
    run. The first batches update each task alone.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        beta: float = 0.001,
        warm_up: int = 100,
        seed: int = 0,
        preference: float | None = None,
        measure_every: int = 1,
    ) -> None:
        """Defaults as in the authors' code.

        Args:
            tasks: two or more; with one, this is plain training.
            beta: weight of a step in the running affinity: short trainings need a larger one.
            warm_up: batches in which each task is updated alone.
            seed: of the order of the groups.
            preference: as for Affinity.groups.
            measure_every: N: affinities are measured on every N-th batch alone, and weigh so much more there that
                the running affinities are means over as many batches as before.

        Raises ValueError where a number is not possible, or scikit-learn is not installed.
        """
        self.tasks, self._seed = check_tasks(tasks), check_whole("seed", seed)
        self._warm_up = check_whole("warm_up", warm_up)
        self._measure_every = check_whole("measure_every", measure_every, 1)
        self._beta = check_number("beta", beta, lambda value: 0 < value <= 1, "above 0, up to 1")
        if preference is not None:
            check_number("preference", preference, lambda value: True, "or None")
        check_installed("task-groups", "sklearn")
        self.affinity = Affinity(tasks, 1 - (1 - beta) ** measure_every)
        self.groups: tuple[tuple[str, ...], ...] = tuple((task,) for task in self.tasks)
        self._preference, self._step = preference, 0

    def step(self, closure: Closure, updater: ParameterUpdater, sample_ids: Tensor | None = None) -> StepResult:
        """As Strategy.step: an update for each group; where affinities are measured, one forward pass more than that.

        Elsewhere the losses of the result are those before the update of each task's own group.
        """
        check_names(self.tasks, updater.parameters.tasks, "parameters")
        if self._step >= self._warm_up:
            self.groups = self._choose_groups() or self.groups
        order = torch.randperm(len(self.groups), generator=step_generator(self._seed, self._step)).tolist()
        groups = tuple(self.groups[index] for index in order)
        measures = len(self.tasks) > 1 and self._step % self._measure_every == 0
        losses: list[dict[str, float]] = []  # before each update
        for group in groups:
            before, norms = updater.update(closure, group, watched=self.tasks if measures else ())
            losses.append(before)
        if measures:
            self._observe(groups, [*losses, updater.measure_losses(closure, self.tasks)])
        self._step += 1
        first = {task: value for before in reversed(losses) for task, value in before.items()}
        return StepResult(first, dict.fromkeys(self.tasks, 1.0), norms, groups)

    def _choose_groups(self) -> tuple[tuple[str, ...], ...] | None:
        """Those of this step, after the warm-up; None: the same as before."""
        return self.affinity.groups(self._preference)

    def _observe(self, groups: Sequence[Sequence[str]], losses: Sequence[Mapping[str, float]]) -> None:
        """Learn what the updates did. losses: before each group's update, and after the last one."""
        for group, (before, after) in zip(groups, pairwise(losses), strict=True):
            self.affinity.observe(group, before, after)

    def report(self) -> Mapping[str, float]:
        """The relative affinities as "affinity/UPDATED on WATCHED", each task's group, and the number of groups."""
        table = self.affinity.relative()
        affinities = {
            f"affinity/{source} on {watched}": float(table[i, k])
            for i, source in enumerate(self.tasks) for k, watched in enumerate(self.tasks) if i != k
        }  # fmt: skip
        group_of = {f"group/{task}": float(index) for index, group in enumerate(self.groups) for task in group}
        return affinities | group_of | {"groups": len(self.groups)}

    def phase(self) -> str:
        """The warm-up, or the number of groups."""
        return "warm-up" if self._step < self._warm_up else f"{len(self.groups)} groups"

    def settings(self) -> dict[str, Any]:
        """How affinities are averaged and groups are formed."""
        return {
            "kind": "task-groups", "beta": self._beta, "warm_up": self._warm_up, "seed": self._seed,
            "preference": self._preference, "measure_every": self._measure_every,
        }  # fmt: skip

    def learned_state(self) -> dict[str, Any]:
        """The affinities, the groups, and the number of steps done."""
        table = torch.from_numpy(self.affinity.table.copy())
        return {"affinity": table, "groups": [list(group) for group in self.groups], "step": self._step}

    def load_learned_state(self, learned: Mapping[str, Any]) -> None:
        """Continue with what `learned_state` gave."""
        self.affinity.table = learned["affinity"].double().numpy().copy()
        self.groups, self._step = tuple(tuple(group) for group in learned["groups"]), int(learned["step"])
