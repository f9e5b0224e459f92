"""delta_m: how good a multi-task network is, compared with networks for one task each."""

from collections.abc import Mapping
from math import isfinite

from mtl.optimization import check_names


def delta_m(
    scores: Mapping[str, float], references: Mapping[str, float], higher_is_better: Mapping[str, bool]
) -> float:
    """Mean relative gain over single-task networks, percent; above 0 is better (Maninis et al. 2019).

        100 / K * sum_k s_k (M_k - R_k) / R_k,   s_k = 1 where higher is better, else -1

    Args:
        scores: by task, one number M each.
        references: by task, the same number R of a network for that task alone.
        higher_is_better: by task.

    Raises ValueError where the tasks differ, there is none, or a reference is not a finite number above 0.
    """
    if not references:
        raise ValueError("delta_m of no tasks: expected one or more")
    check_names(list(references), scores, "scores")
    check_names(list(references), higher_is_better, "higher_is_better")
    gains = []
    for task, reference in references.items():
        if not (isfinite(reference) and reference > 0):
            raise ValueError(f"reference {reference} of task {task!r}: expected a finite number above 0")
        gain = (scores[task] - reference) / reference
        gains.append(gain if higher_is_better[task] else -gain)
    return 100 * sum(gains) / len(gains)
