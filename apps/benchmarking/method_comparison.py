"""The benchmark: plans the runs, chooses each method's learning rate, compares the results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from math import inf, isfinite, sqrt

from apps.benchmarking.ablations.registry import VARIANTS
from apps.benchmarking.comparison_results import Comparison, MethodResults, SingleTaskReference, TrainedRun
from apps.benchmarking.execution import Execute
from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.experiment.protocols import find_protocol
from apps.benchmarking.experiment.settings import RunSettings, parse_method
from apps.benchmarking.metrics.compared_scores import ComparedScore, compared_scores
from apps.benchmarking.metrics.scores import Scores
from apps.benchmarking.networks.multi_task_network import build_network
from apps.benchmarking.result_store import ResultStore
from apps.benchmarking.single_run import RunResult, make_trainer
from datasets.labels import Labels
from mtl.registry import check_names
from stitching.errors import InputError, JobError, did_you_mean, require

Log = Callable[[str], None]


def compare(
    options: BenchOptions, store: ResultStore, execute: Execute, log: Log = lambda line: None
) -> Comparison:  # fmt: skip
    """Train what is not trained yet, and compare.

    Args:
        options: what is compared.
        store: of the runs.
        execute: trains runs; see `execution`.
        log: gets a line for each run that was trained.

    Raises InputError where a strategy or the data cannot be used or the store holds other runs, JobError where a run
    ends unexpectedly or every single-task network of a task fails.
    """
    _check_names(options.methods)
    runs = _TrainedRuns(store, execute, log)
    base, labels = _plan_base(options, store)
    compared = compared_scores(labels, options.metrics)
    cases = _plan_cases(options, base)
    runs.check(replace(case, rate=rate) for case in cases for rate in options.rates)

    singles = [replace(base, tasks=(task,)) for task in labels]
    small = [replace(single, width=base.width / sqrt(len(singles))) for single in singles]
    small = small if options.small_single_tasks else []
    goodness = partial(_single_task_goodness, compared)
    singles, small = (_with_best_rates(networks, options.rates, runs, goodness) for networks in (singles, small))
    cases = _with_best_rates(cases, options.rates, runs, partial(_validated_gain, compared, singles, runs))

    runs.train(replace(case, seed=seed) for case in (*singles, *small, *cases) for seed in options.seeds)
    single_tasks, small_single_tasks = (
        {network.tasks[0]: MethodResults(network, runs.of_seeds(network, options.seeds)) for network in networks}
        for networks in (singles, small)
    )
    tested = {task: [result.scores for result in single.results] for task, single in single_tasks.items()}
    validated = {task: [result.validation for result in single.results] for task, single in single_tasks.items()}
    reference = SingleTaskReference.mean_of(compared, tested)
    methods = [MethodResults(case, runs.of_seeds(case, options.seeds)) for case in cases]
    methods = [replace(m, gains=[reference.delta_m(result.scores) for result in m.results]) for m in methods]
    return Comparison(
        len(store.data(base.data).train), reference, _validation_reference(compared, validated), single_tasks,
        small_single_tasks, methods,
    )  # fmt: skip


def _validation_reference(
    compared: Sequence[ComparedScore], scores: Mapping[str, Sequence[Mapping[str, Scores]]]
) -> SingleTaskReference | None:
    """For the learning curves, which a comparison can do without: None where a score is not above 0."""
    try:
        return SingleTaskReference.mean_of(compared, scores)
    except JobError:
        return None


def _check_names(methods: Iterable[str]) -> None:
    """Raise InputError where a method names a strategy that there is not; no data are needed to see it."""
    for method in methods:
        try:
            check_names(parse_method(method).spec, VARIANTS)
        except ValueError as error:
            raise InputError(f"--methods {method}: {error}") from error


def _plan_base(options: BenchOptions, store: ResultStore) -> tuple[RunSettings, dict[str, Labels]]:
    """Equal weights on all tasks, and what the labels of those mean that count."""
    known, wanted = store.labels(options.data_settings), options.run_settings.tasks
    for task in (*wanted, *options.auxiliary, *filter(None, [options.corrupt])):
        if task not in known:
            similar = did_you_mean(task, known)
            raise InputError(f"task {task}: expected tasks of {options.data}: {', '.join(known)}{similar}")
    for task, classes in (find_protocol(options.protocol).classes if options.protocol else {}).items():
        found = known[task].classes
        received = f"--protocol {options.protocol}, {options.folder}: {found} classes of {task}"
        require(found == classes, received, f"the form with {classes}, see docs/training/public-datasets.md")
    chosen = set(wanted or known) - set(options.auxiliary)
    tasks = tuple(task for task in known if task in chosen or task in options.auxiliary)
    if not chosen:
        raise InputError(f"--auxiliary {' '.join(options.auxiliary)}: expected some other task that counts")
    if options.corrupt and options.corrupt not in tasks:
        raise InputError(f"--corrupt {options.corrupt}: expected one of the tasks that are learned: {', '.join(tasks)}")
    return replace(options.run_settings, tasks=tasks), {task: known[task] for task in tasks if task in chosen}


def _plan_cases(options: BenchOptions, base: RunSettings) -> list[RunSettings]:
    """Each method, with each share of wrong labels, with the first rate and seed; conflict is measured in `equal`."""
    data_sets = [base.data]
    if options.corrupt:
        data_sets = [replace(base.data, noisy=options.corrupt, share=share) for share in options.shares]
    cases = [replace(base, method=method, data=data) for data in data_sets for method in options.methods]
    return [replace(c, conflict_points=options.conflict_points) if c.method == "equal" else c for c in cases]


class _TrainedRuns:
    """Results of runs, trained where they are not in the store."""

    def __init__(self, store: ResultStore, execute: Execute, log: Log) -> None:
        self._store, self._execute, self._log = store, execute, log

    def check(self, wanted: Iterable[RunSettings]) -> None:
        """Raise InputError where what is missing cannot be trained; the network is seen to first, without any data."""
        missing = self._missing(wanted)
        for network, width in {(run.network, run.width) for run in missing}:
            build_network(network, {}, task_norms=False, seed=0, width=width)
        for run in {(run.data, run.method): run for run in missing}.values():
            make_trainer(run, self._store.data(run.data))

    def _missing(self, wanted: Iterable[RunSettings]) -> list[RunSettings]:
        return list(dict.fromkeys(run for run in wanted if self._store.read(run) is None))

    def train(self, wanted: Iterable[RunSettings]) -> None:
        """Train what is missing."""
        missing = self._missing(wanted)
        for data in dict.fromkeys(run.data for run in missing):
            self._store.data(data)  # prepared here, not in several processes at once
        with closing(self._execute(missing, self._store)) as finished:
            for count, run in enumerate(finished, start=1):
                result = self.get(run)
                outcome = f"failed: {result.error}" if result.error else f"{1e3 * result.seconds:.0f} ms a step"
                self._log(f"[{count}/{len(missing)}] {run.name}, {outcome}")

    def get(self, run: RunSettings) -> RunResult:
        """The result of a run that was trained."""
        result = self._store.read(run)
        if result is None:
            raise JobError(f"{self._store.path(run)} has gone while it was needed; run the same command again")
        return result

    def of_seeds(self, settings: RunSettings, seeds: Iterable[int]) -> list[TrainedRun]:
        """A trained run with each seed."""
        return [(run, self.get(run)) for run in (replace(settings, seed=seed) for seed in seeds)]


def _with_best_rates(
    cases: Sequence[RunSettings],
    rates: Sequence[float],
    runs: _TrainedRuns,
    goodness: Callable[[Mapping[str, Scores]], float],
) -> list[RunSettings]:
    """Each case with the learning rate that validates best.

    Raises JobError where every single-task network of a task failed, or none has a score to choose by.
    """
    runs.train(replace(case, rate=rate) for case in cases for rate in rates)
    return [_best_trial([replace(case, rate=rate) for rate in rates], runs, goodness) for case in cases]


def _best_trial(
    trials: Sequence[RunSettings], runs: _TrainedRuns, goodness: Callable[[Mapping[str, Scores]], float]
) -> RunSettings:
    results = [runs.get(trial) for trial in trials]
    if len(trials[0].tasks) == 1 and all(result.error for result in results):
        raise JobError(f"{trials[0].name}: {results[0].error}; nothing can be compared without it, lower --rates")
    if len(trials) == 1:
        return trials[0]
    values = [goodness(result.validation) if not result.error else -inf for result in results]
    values = [value if isfinite(value) else -inf for value in values]
    if len(trials[0].tasks) == 1 and max(values) == -inf:
        raise JobError(
            f"{trials[0].name}: no rate can be chosen, as none ends with a score on the validation pictures that is a "
            "number: none of these pictures has a label, or the trainings went wrong; use more pictures (--validation) "
            "or lower --rates"
        )
    return trials[values.index(max(values))]


def _single_task_goodness(compared: Sequence[ComparedScore], scores: Mapping[str, Scores]) -> float:
    """The first compared score of a single-task network, with a sign so that higher is better."""
    score = next(score for score in compared if score.task in scores)
    return score.of(scores) if score.metric.higher_is_better else -score.of(scores)


def _validated_gain(
    compared: Sequence[ComparedScore], singles: Sequence[RunSettings], runs: _TrainedRuns, scores: Mapping[str, Scores]
) -> float:
    """delta_m on the validation pictures, against single-task networks there."""
    validated = {single.tasks[0]: [runs.get(single).validation] for single in singles}
    return SingleTaskReference.mean_of(compared, validated).delta_m(scores)
