"""The benchmark as a whole: which runs there are, which learning rate each method gets, what came out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite
from statistics import fmean

from apps.benchmarking.execution import Execute
from apps.benchmarking.options import BenchOptions
from apps.benchmarking.scores import MAIN, Scores, main_score
from apps.benchmarking.settings import RunSettings
from apps.benchmarking.store import Store
from apps.benchmarking.training import Result, check_method
from datasets.labels import Labels
from mtl.metrics import delta_m
from stitching.errors import InputError, JobError

Run = tuple[RunSettings, Result]
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Judge:
    """Turns scores into one number for each task, and those into one.

    Attributes:
        labels: by task.
        references: by task, the main score of single-task networks; JobError where nothing can be measured by one.
    """

    labels: Mapping[str, Labels]
    references: Mapping[str, float]

    def __post_init__(self) -> None:
        for task, value in self.references.items():
            if not (isfinite(value) and value > 0):
                name = MAIN[self.labels[task].kind].name
                raise JobError(f"{name} of single-task networks for {task} is {value}; expected above 0, train longer")

    def mains(self, scores: Mapping[str, Scores]) -> dict[str, float]:
        """By task."""
        return {task: main_score(meaning, scores[task]) for task, meaning in self.labels.items()}

    def __call__(self, scores: Mapping[str, Scores]) -> float:
        """delta_m, percent."""
        better = {task: MAIN[meaning.kind].higher_is_better for task, meaning in self.labels.items()}
        return delta_m(self.mains(scores), self.references, better)


@dataclass(frozen=True, eq=False)
class Row:
    """One method, or one single-task network, with the learning rate that it got.

    Attributes:
        settings: those of the first seed.
        runs: one for each seed.
        gains: delta_m of each run that did not fail; of single-task networks none.
    """

    settings: RunSettings
    runs: Sequence[Run]
    gains: Sequence[float] = ()

    @property
    def results(self) -> list[Result]:
        """Of the runs that did not fail."""
        return [result for _, result in self.runs if not result.error]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What came out.

    Attributes:
        judge: with the references on the test set, means over the seeds.
        singles: by task, the single-task network.
        rows: the methods, in the order given; where labels are wrong for each share.
    """

    judge: Judge
    singles: Mapping[str, Row]
    rows: Sequence[Row]


def compare(options: BenchOptions, store: Store, execute: Execute, say: Say = lambda line: None) -> Comparison:
    """Train what is not trained yet, and compare.

    Args:
        options: what is compared.
        store: of the runs.
        execute: trains runs; see `store`.
        say: gets a line for each run that was trained.

    Raises InputError where a strategy or the data cannot be used or the store holds other runs, JobError where a run
    ends unexpectedly or every single-task network of a task fails.
    """
    runs = _Runs(store, execute, say)
    base, labels = _plan_base(options, store)
    cases = _plan_cases(options, base)
    alone = {task: replace(base, tasks=(task,)) for task in base.tasks}
    trials = [replace(case, rate=rate) for case in cases for rate in options.rates]
    runs.check(trials)
    runs([replace(one, rate=rate) for one in alone.values() for rate in options.rates])
    alone = {task: _choose(one, options.rates, runs, partial(_good, labels)) for task, one in alone.items()}
    validated = Judge(labels, {t: main_score(labels[t], runs.get(one).validation[t]) for t, one in alone.items()})
    runs(trials)
    cases = [_choose(case, options.rates, runs, validated) for case in cases]
    runs([replace(one, seed=seed) for one in (*alone.values(), *cases) for seed in options.seeds])

    singles = {task: Row(one, runs.of_seeds(one, options.seeds)) for task, one in alone.items()}
    judge = Judge(labels, {t: fmean(main_score(labels[t], r.scores[t]) for r in singles[t].results) for t in alone})
    found = [Row(case, runs.of_seeds(case, options.seeds)) for case in cases]
    return Comparison(judge, singles, [replace(row, gains=[judge(r.scores) for r in row.results]) for row in found])


def _plan_base(options: BenchOptions, store: Store) -> tuple[RunSettings, dict[str, Labels]]:
    """Equal weights on all tasks, and what their labels mean."""
    known = store.data(options.data_settings).labels
    for task in (*options.tasks, *filter(None, [options.corrupt])):
        if task not in known:
            raise InputError(f"task {task}: expected tasks of {options.data}: {', '.join(known)}")
    tasks = tuple(task for task in known if task in options.tasks or not options.tasks)
    if options.corrupt and options.corrupt not in tasks:
        raise InputError(f"--corrupt {options.corrupt}: expected one of the tasks that are learned: {', '.join(tasks)}")
    return replace(options.run_settings, tasks=tasks), {task: known[task] for task in tasks}


def _plan_cases(options: BenchOptions, base: RunSettings) -> list[RunSettings]:
    """Each method, with each share of wrong labels, with the first rate and seed."""
    data = [base.data]
    if options.corrupt:
        data = [replace(base.data, noisy=options.corrupt, share=share) for share in options.shares]
    return [replace(base, method=method, data=one) for one in data for method in options.methods]


class _Runs:
    """Results of runs, trained where they are not in the store."""

    def __init__(self, store: Store, execute: Execute, say: Say) -> None:
        self._store, self._execute, self._say = store, execute, say

    def check(self, wanted: Iterable[RunSettings]) -> None:
        """Raise InputError where what is missing cannot be trained."""
        for one in {(one.data, one.method): one for one in self._missing(wanted)}.values():
            check_method(one, self._store.data(one.data))

    def _missing(self, wanted: Iterable[RunSettings]) -> list[RunSettings]:
        return list(dict.fromkeys(one for one in wanted if self._store.read(one) is None))

    def __call__(self, wanted: Iterable[RunSettings]) -> None:
        """Train what is missing."""
        missing = self._missing(wanted)
        for data in dict.fromkeys(one.data for one in missing):
            self._store.data(data)  # here, not in several processes at once
        with closing(self._execute(missing, self._store)) as finished:
            for number, done in enumerate(finished, start=1):
                result = self.get(done)
                ended = f"failed: {result.error}" if result.error else f"{1e3 * result.seconds:.0f} ms a step"
                self._say(f"[{number}/{len(missing)}] {done.name}, {ended}")

    def get(self, one: RunSettings) -> Result:
        """A run that was trained."""
        result = self._store.read(one)
        if result is None:
            raise JobError(f"{self._store.path(one)} has gone while it was needed; run the same command again")
        return result

    def of_seeds(self, one: RunSettings, seeds: Iterable[int]) -> list[Run]:
        """A trained run with each seed."""
        return [(run, self.get(run)) for run in (replace(one, seed=seed) for seed in seeds)]


def _choose(
    case: RunSettings, rates: Iterable[float], runs: _Runs, good: Callable[[Mapping[str, Scores]], float]
) -> RunSettings:
    """The case with the learning rate that validates best. Raises JobError where every single-task network failed."""
    trials = [replace(case, rate=rate) for rate in rates]
    results = [runs.get(trial) for trial in trials]
    if len(case.tasks) == 1 and all(result.error for result in results):
        raise JobError(f"{trials[0].name}: {results[0].error}; nothing can be compared without it, lower --rates")
    values = [good(result.validation) if not result.error else -inf for result in results]
    values = [value if isfinite(value) else -inf for value in values]
    return trials[values.index(max(values))]


def _good(labels: Mapping[str, Labels], scores: Mapping[str, Scores]) -> float:
    """How good a single-task network is: higher is better."""
    ((task, found),) = scores.items()
    value = main_score(labels[task], found)
    return value if MAIN[labels[task].kind].higher_is_better else -value
