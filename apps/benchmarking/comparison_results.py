"""What a comparison found: scores relative to single-task networks, results by method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from statistics import fmean

from apps.benchmarking.experiment.settings import RunSettings
from apps.benchmarking.metrics.compared_scores import ComparedScore
from apps.benchmarking.metrics.scores import Scores
from apps.benchmarking.single_run import RunResult
from mtl.metrics import delta_m
from stitching.errors import JobError

TrainedRun = tuple[RunSettings, RunResult]


@dataclass(frozen=True, eq=False)
class SingleTaskReference:
    """What multi-task networks are compared with.

    Attributes:
        compared: the scores that are compared.
        main_scores: by name of these, of single-task networks; JobError where they are not above 0, so that nothing can
            be measured relative to them.
    """

    compared: Sequence[ComparedScore]
    main_scores: Mapping[str, float]

    def __post_init__(self) -> None:
        for name, value in self.main_scores.items():
            if isnan(value):
                raise JobError(
                    f"{name} of single-task networks is not a number: none of the pictures measured has a label for "
                    "it, or a training went wrong; use more pictures (--validation, --test) or lower --rates"
                )
            if not (isfinite(value) and value > 0):
                raise JobError(f"{name} of single-task networks is {value}, not above 0; train longer or lower --rates")

    @classmethod
    def mean_of(
        cls, compared: Sequence[ComparedScore], scores: Mapping[str, Sequence[Mapping[str, Scores]]]
    ) -> "SingleTaskReference":
        """From the scores of several networks for each task."""
        return cls(compared, {score.name: fmean(map(score.of, scores[score.task])) for score in compared})

    def main_scores_of(self, scores: Mapping[str, Scores]) -> dict[str, float]:
        """By name, the scores of another network that `main_scores` are compared with."""
        return {score.name: score.of(scores) for score in self.compared}

    def delta_m(self, scores: Mapping[str, Scores]) -> float:
        """delta_m against the single-task networks, percent; see mtl.metrics."""
        better = {score.name: score.metric.higher_is_better for score in self.compared}
        return delta_m(self.main_scores_of(scores), self.main_scores, better)

    def gains_together(self, networks: Mapping[str, "MethodResults"]) -> list[float]:
        """delta_m of single-task networks, by task, for each seed with which none of them failed."""
        runs = zip(*(network.runs for network in networks.values()), strict=True)
        of_seeds = [[result for _, result in of_seed] for of_seed in runs]
        finished = [results for results in of_seeds if not any(result.error for result in results)]
        return [self.delta_m({task: scores for result in results for task, scores in result.scores.items()})
                for results in finished]  # fmt: skip


@dataclass(frozen=True, eq=False)
class MethodResults:
    """One method, or one single-task network, with the learning rate that was chosen for it.

    Attributes:
        settings: those of the first seed.
        runs: one for each seed.
        gains: delta_m of each run that did not fail; of single-task networks none.
    """

    settings: RunSettings
    runs: Sequence[TrainedRun]
    gains: Sequence[float] = ()

    @property
    def results(self) -> list[RunResult]:
        """Of the runs that did not fail."""
        return [result for _, result in self.runs if not result.error]

    @property
    def gains_by_seed(self) -> dict[int, float]:
        """delta_m of each run that did not fail."""
        seeds = [settings.seed for settings, result in self.runs if not result.error]
        return dict(zip(seeds, self.gains, strict=True))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Results of all methods and of the single-task networks.

    Attributes:
        training_pictures: how many.
        reference: scores of the single-task networks on the test set, means over the seeds.
        validation_reference: the same on the validation set; None where nothing can be measured relative to them.
        single_tasks: by task, the single-task network.
        small_single_tasks: by task, those that are together as large as one network; empty where not asked for.
        methods: in the order given; where labels are wrong, for each share.
    """

    training_pictures: int
    reference: SingleTaskReference
    validation_reference: SingleTaskReference | None
    single_tasks: Mapping[str, MethodResults]
    small_single_tasks: Mapping[str, MethodResults]
    methods: Sequence[MethodResults]
