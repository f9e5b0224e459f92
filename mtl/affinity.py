"""Proximal inter-task affinity: how much an update for some tasks helps each task (Jeong & Yoon 2025)."""

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_DAMPINGS = (0.5, 0.7, 0.9)  # tried in turn until the clustering converges


class Affinity:
    """A running K x K table: row = the task whose group was updated, column = the task whose loss was watched.

    An update for group G that changes the loss of task k from l to l' has the proximal affinity 1 - l' / l to k, in
    which k's own parameters have moved, too, if k is in G. It goes with the weight `decay` into the running means
    of the members of G, divided by their number (the authors' code; rules for members among themselves: `observe`).
    """

    def __init__(self, tasks: Sequence[str], decay: float) -> None:
        if not 0 < decay <= 1:
            raise ValueError(f"decay {decay}: expected above 0, up to 1")
        self.tasks, self.decay = tuple(tasks), decay
        self.table: NDArray[np.float64] = np.zeros((len(tasks), len(tasks)))

    def observe(self, group: Sequence[str], before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Enter what an update for `group` did to all tasks' losses; a task whose loss was not above 0 is left out.

        Within a group it is unknown whose gradient helped. A member that gains from its own group's update keeps that
        as its own affinity (a loss is ignored); two members are given each other's change if both gained or both lost,
        else minus the larger one: they conflict.
        """
        gains = {t: (1 - after[t] / before[t]) / len(group) for t in self.tasks if before[t] > 0}
        for source in group:
            for watched, gain in gains.items():
                if watched not in group:
                    self._average_in(source, watched, gain)
                elif watched == source:
                    if gain >= 0:
                        self._average_in(source, source, gain)
                elif source in gains:
                    source_gain = gains[source]
                    agree = source_gain * gain >= 0
                    self._average_in(source, watched, gain if agree else -max(source_gain, gain))

    def _average_in(self, source: str, watched: str, gain: float) -> None:
        entry = self.tasks.index(source), self.tasks.index(watched)
        self.table[entry] += self.decay * (gain - self.table[entry])

    def relative(self) -> NDArray[np.float64]:
        """(K, K) each column divided by the watched task's affinity to itself."""
        return self.table / np.maximum(np.diag(self.table), 1e-12)

    def groups(self, preference: float | None = None) -> tuple[tuple[str, ...], ...] | None:
        """Tasks that help each other: affinity propagation (Frey & Dueck 2007) on the mean of both directions.

        preference: of each task for a group of its own; None: the median of all entries. At 0, tasks that hurt each
            other are never put together.

        Returns None while some task has no affinity to itself yet, and where the clustering does not converge.
        """
        if (np.diag(self.table) <= 0).any():
            return None
        relative = self.relative()
        similarity = (relative + relative.T) / 2
        labels = _cluster(tuple(map(tuple, similarity.tolist())), preference)
        if labels is None:
            return None
        members = [[task for task, label in zip(self.tasks, labels, strict=True) if label == k] for k in set(labels)]
        return tuple(sorted((tuple(group) for group in members), key=lambda group: self.tasks.index(group[0])))


@lru_cache(maxsize=4)  # the table stays as it is between measurements
def _cluster(similarity: tuple[tuple[float, ...], ...], preference: float | None) -> list[int] | None:
    """The cluster of each task; None where no damping makes it converge."""
    from sklearn.cluster import AffinityPropagation
    from sklearn.exceptions import ConvergenceWarning

    if len(similarity) == 1:
        return [0]
    for damping in _DAMPINGS:
        clustering = AffinityPropagation(
            affinity="precomputed", preference=preference, damping=damping, max_iter=500, convergence_iter=50,
            random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", message="All samples have mutually equal similarities")
            labels: list[int] = clustering.fit(similarity).labels_.tolist()
        if min(labels) >= 0:
            return labels
    return None
