"""Selective task-group updates (Jeong & Yoon, Selective Task Group Updates for Multi-Task Optimization, 2025)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mtl.affinity import Affinity, Normalise
from mtl.optimization import Closure, Updates, check_names, listed
from mtl.sequential import Turn, update_in_turn
from mtl.strategy import Decision, check_state, check_tasks, seeded

Attribution = Literal["correct", "released"]


class TaskGroups:
    """Updates groups of tasks that help each other one after another, in random order, on the same batch.

    Which tasks help each other is seen from their losses before and after each update, so that one more forward pass
    than there are groups is all it costs. The first batches update each task alone.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        beta: float = 0.001,
        warm_up: int = 100,
        seed: int = 0,
        preference: float | None = None,
        attribution: Attribution = "correct",
        normalise: Normalise = "full",
        frozen_heads: bool = True,
    ) -> None:
        """Defaults as in the authors' code, but for its three oversights, which the last three switch on.

        Args:
            tasks: two or more; with one, this is plain training.
            beta: weight of a step in the running affinity: short trainings need a larger one.
            warm_up: batches in which each task is updated alone.
            seed: of the order of the groups.
            preference: as for Affinity.groups.
            attribution: released: an update's effect is credited to the group that follows it.
            normalise: as for Affinity.normalised.
            frozen_heads: as for sequential.update_in_turn; the authors' code, under an earlier torch, had False.

        Raises ValueError where a number or name is not possible.
        """
        self.tasks = check_tasks(tasks)
        for given, kinds in ((attribution, Attribution), (normalise, Normalise)):
            if given not in get_args(kinds):
                raise ValueError(f"{given!r}: expected one of {listed(get_args(kinds))}")
        if warm_up < 0:
            raise ValueError(f"warm_up {warm_up}: expected 0 or more")
        self.affinity = Affinity(tasks, beta)
        self.groups: tuple[tuple[str, ...], ...] = tuple((task,) for task in self.tasks)
        self._warm_up, self._seed, self._preference = warm_up, seed, preference
        self._attribution, self._normalise, self._frozen_heads = attribution, normalise, frozen_heads
        self._step = 0

    def step(self, closure: Closure, updates: Updates, instances: Tensor | None = None) -> Decision:
        """As Strategy.step: an update for each group, one forward pass more than that."""
        check_names(self.tasks, updates.parameters.tasks, "parameters")
        if self._step >= self._warm_up:
            self.groups = self.affinity.groups(self._normalise, self._preference) or self.groups
        order = torch.randperm(len(self.groups), generator=seeded(self._seed, self._step)).tolist()
        groups = [self.groups[place] for place in order]
        if self._attribution == "released" and len(groups) == 1:
            groups = 2 * groups  # else nothing could be compared
        turns = update_in_turn(groups, closure, updates, self.tasks, self._frozen_heads)
        if len(self.tasks) > 1:
            self._observe(turns, closure, updates)
        self._step += 1
        ones = dict.fromkeys(self.tasks, 1.0)
        return Decision(turns[0].before, ones, turns[-1].norms, tuple(turn.group for turn in turns))

    def _observe(self, turns: Sequence[Turn], closure: Closure, updates: Updates) -> None:
        if self._attribution == "correct":
            after = [*(turn.before for turn in turns[1:]), updates.measure(closure, self.tasks)]
            for turn, values in zip(turns, after, strict=True):
                self.affinity.observe(turn.group, turn.before, values)
        else:
            for earlier, turn in pairwise(turns):
                self.affinity.observe(turn.group, earlier.before, turn.before)

    def report(self) -> Mapping[str, float]:
        """The normalised affinities "affinity/UPDATED on WATCHED" before they are made symmetric, and each group."""
        table = self.affinity.table / np.maximum(np.diag(self.affinity.table), 1e-12)
        found = {
            f"affinity/{source} on {watched}": float(table[i, k])
            for i, source in enumerate(self.tasks) for k, watched in enumerate(self.tasks) if i != k
        }  # fmt: skip
        number = {task: place for place, group in enumerate(self.groups) for task in group}
        return found | {f"group/{task}": float(number[task]) for task in self.tasks} | {"groups": len(self.groups)}

    def state_dict(self) -> dict[str, Any]:
        """Settings, the affinities, the groups, and the number of steps done."""
        table = torch.from_numpy(self.affinity.table.copy())
        return {**self._settings(), "affinity": table, "groups": [list(g) for g in self.groups], "step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """As Strategy.load_state_dict."""
        check_state(state, **self._settings())
        self.affinity.table = state["affinity"].double().numpy().copy()
        self.groups, self._step = tuple(tuple(group) for group in state["groups"]), int(state["step"])

    def _settings(self) -> dict[str, Any]:
        return {
            "kind": "task-groups", "tasks": list(self.tasks), "beta": self.affinity.decay, "warm_up": self._warm_up,
            "seed": self._seed, "preference": self._preference, "attribution": self._attribution,
            "normalise": self._normalise, "frozen_heads": self._frozen_heads,
        }  # fmt: skip
