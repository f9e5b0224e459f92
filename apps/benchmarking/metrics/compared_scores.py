"""The scores by which multi-task networks are compared with single-task ones: one or more for each task that counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.benchmarking.metrics.metric import Metric
from apps.benchmarking.metrics.scores import MAIN_METRICS, Scores
from datasets.labels import Labels


@dataclass(frozen=True)
class ComparedScore:
    """A score of a task that delta_m averages over.

    Attributes:
        task: whose score it is.
        metric: which of its scores.
    """

    task: str
    metric: Metric

    @property
    def name(self) -> str:
        """Of the task and the metric; different for all scores of a comparison."""
        return f"{self.task}: {self.metric.name}"

    def of(self, scores: Mapping[str, Scores]) -> float:
        """This one of the scores by task and metric."""
        return scores[self.task][self.metric.name]


def compared_scores(labels: Mapping[str, Labels], chosen: Mapping[str, Sequence[Metric]]) -> tuple[ComparedScore, ...]:
    """The compared scores of tasks.

    Args:
        labels: by task, what its maps mean.
        chosen: by task, the metrics that count; of other tasks it is the main metric of their kind of labels.
    """
    return tuple(
        ComparedScore(task, metric)
        for task, meaning in labels.items()
        for metric in chosen.get(task, [MAIN_METRICS[meaning.kind]])
    )
