"""Task groups with one of their decisions made otherwise, or as the authors' released code makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apps.benchmarking.ablations.words import check_words
from mtl.affinity import Affinity
from mtl.strategies.task_groups import TaskGroups
from mtl.strategy import step_generator

_WORDS: Mapping[str, tuple[str, ...]] = {
    "by": ("affinity", "random", "fixed"),
    "attribution": ("correct", "released"),
    "normalise": ("full", "released"),
}
_DRAW_SEED = 0x67726F7570  # of the members of groups; the order of the groups has other random numbers


@dataclass(frozen=True)
class GroupSwitches:
    """What is made otherwise; the defaults are the method itself.

    Raises ValueError where a word is not one of these, a number is not possible, or `count` comes with affinity.

    Attributes:
        by: who is in a group: "affinity"; "random": groups of the sizes that affinity gives, drawn in each step;
            "fixed": the same, but drawn once, so that they change only with the sizes.
        count: so many groups, of equal size or one task more, with by=random and by=fixed; None: affinity's sizes.
        attribution: "released": a change of the losses is credited to the group that is updated after it, as in the
            authors' code; with one group there is none, and it is credited to that.
        normalise: "released": entries below the diagonal of the table are not divided by the watched task's affinity to
            itself, for the authors' code overwrites the diagonal while it divides.
    """

    by: str = "affinity"
    count: int | None = None
    attribution: str = "correct"
    normalise: str = "full"

    def __post_init__(self) -> None:
        check_words(self, _WORDS)
        if self.count is not None and not (isinstance(self.count, int) and self.count >= 1 and self.by != "affinity"):
            raise ValueError(f"count={self.count}, by={self.by}: expected 1 or more, with by=random or by=fixed")


class HalfNormalisedAffinity(Affinity):
    """The table as the released code normalises it."""

    def relative(self) -> NDArray[np.float64]:
        """(K, K) each column divided by its entry on the diagonal, above the diagonal alone."""
        return np.triu(super().relative()) + np.tril(self.table, -1)


class GroupVariant(TaskGroups):
    """Task groups as the switches say."""

    def __init__(self, tasks: Sequence[str], switches: GroupSwitches, **options: Any) -> None:
        """Options and errors as those of TaskGroups; ValueError, too, where there are more groups than tasks."""
        super().__init__(tasks, **options)
        if switches.count is not None and switches.count > len(tasks):
            raise ValueError(f"count={switches.count}: expected up to the number of tasks, {len(tasks)}")
        if switches.normalise == "released":
            self.affinity = HalfNormalisedAffinity(tasks, self.affinity.decay)
        self._switches = switches

    def _choose_groups(self) -> tuple[tuple[str, ...], ...] | None:
        """Those of this step; None: the same as before."""
        if self._switches.by == "affinity":
            return super()._choose_groups()
        sizes = self._choose_sizes()
        step = self._step if self._switches.by == "random" else 0
        drawn = torch.randperm(len(self.tasks), generator=step_generator(self._seed + _DRAW_SEED, step)).tolist()
        parts = np.split(np.array(drawn), np.cumsum(sizes)[:-1])
        return tuple(tuple(self.tasks[index] for index in sorted(part)) for part in parts) if sizes else None

    def _choose_sizes(self) -> list[int]:
        """Of the groups; empty where affinity gives none."""
        if self._switches.count is None:
            return [len(group) for group in super()._choose_groups() or ()]
        return [len(part) for part in np.array_split(range(len(self.tasks)), self._switches.count)]

    def _observe(self, groups: Sequence[Sequence[str]], losses: Sequence[Mapping[str, float]]) -> None:
        """As TaskGroups, or one group late."""
        if self._switches.attribution == "correct" or len(groups) == 1:
            return super()._observe(groups, losses)
        for group, (before, after) in zip(groups[1:], pairwise(losses[:-1]), strict=True):
            self.affinity.observe(group, before, after)

    def settings(self) -> dict[str, Any]:
        """Those of task groups, and the switches."""
        return {**super().settings(), "kind": "groups", **asdict(self._switches)}
