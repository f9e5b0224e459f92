"""The table that the benchmark prints, table.md, and results.csv."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from statistics import fmean

from apps.benchmarking.comparison_results import Comparison, MethodResults, TrainedRun
from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.reports.conflict_table import cosine_table, length_ratios
from apps.benchmarking.reports.curves import mean_curve, method_label
from apps.benchmarking.reports.difference_table import difference_table
from apps.benchmarking.reports.published_table import published_lines
from apps.tables import MISSING, markdown, mean_and_deviation, write_csv
from stitching.io.files import atomic_write

_BORDER = "!"  # after a rate


def write_results(comparison: Comparison, options: BenchOptions, folder: Path) -> str:
    """Write results.csv and table.md to the folder; returns what the latter holds. Raises JobError."""
    lines = [*_heading(options, comparison.training_pictures), "", markdown(_table(comparison, options.rates))]
    lines += [*_differences(comparison, options), *_curves(comparison), *_conflict(comparison)]
    detection = _detection_table(comparison)
    if len(detection) > 1:
        lines += ["", f"How well a training finds the wrong labels of {options.corrupt}, by rankings of them.", ""]
        lines.append(markdown(detection))
    if options.protocol:
        learned, compared = comparison.methods[0].settings.tasks, comparison.single_tasks
        lines += ["", *published_lines(options.protocol, learned, list(compared))]
    text = "\n".join(lines) + "\n"
    with atomic_write(folder / "table.md") as path:
        path.write_text(text)
    write_csv(folder / "results.csv", _csv_rows(comparison))
    return text


def _heading(options: BenchOptions, training_pictures: int) -> list[str]:
    settings, (w, h) = options.run_settings, options.data_settings.size
    seeds = f"{len(options.seeds)} seeds" if len(options.seeds) > 1 else "1 seed"
    rates = f"rate chosen of {' '.join(f'{rate:g}' for rate in options.rates)} on validation pictures"
    width = f" of width {options.width:g}" if options.width != 1 else ""
    clock = "CPU time" if options.device == "cpu" else "time"
    lines = [
        f"Data {options.data}, {training_pictures} training pictures of {w} x {h} px, network "
        f"{settings.network}{width}, {_length(options)}, batches of {options.batch_size}, {options.precision}, "
        f"{options.device}, {seeds}, {rates if len(options.rates) > 1 else 'one rate for all'}.",
        "delta_m: mean relative gain over the single-task networks, over the scores below.",
        f"+-: standard deviation over the seeds. ms: {clock} of a training step, of single tasks that of all together; "
        "MiB: peak memory; x: relative to equal.",
    ]
    if len(options.rates) > 1:
        lines.append(f"{_BORDER}: the lowest or highest rate tried was the best: search farther.")
    if options.small_single_tasks:
        lines.append("small single tasks: networks that are together about as large as one network of the methods.")
    if options.auxiliary:
        lines.append(f"Trained besides, and in no score: {', '.join(options.auxiliary)}.")
    if options.corrupt:
        lines.append(f"Labels of {options.corrupt} are wrong for a share of the training pictures; references are not.")
    return lines


def _length(options: BenchOptions) -> str:
    return f"{options.epochs} epochs" if options.updates is None else f"{options.updates} updates"


def _differences(comparison: Comparison, options: BenchOptions) -> list[str]:
    """A table for `equal`, and for the other baseline."""
    lines = []
    for baseline in dict.fromkeys(filter(None, ["equal", options.baseline])):
        table = difference_table(comparison.methods, baseline)
        if len(table) > 1:
            heading = (
                f"Difference of delta_m from {baseline}: mean over the seeds, and its standard error. unclear: 0 is in "
                "the 95 % interval of the mean (Student's t)."
            )
            lines += ["", heading, "", markdown(table)]
    return lines


def _curves(comparison: Comparison) -> list[str]:
    """delta_m on the validation set in the course of the training."""
    curves = {method: mean_curve(comparison, method) for method in comparison.methods}
    points = max(curves.values(), key=len, default=[])
    if not points:
        return []
    table = [["progress of the training", *(f"{progress:.0%}" for progress, _ in points)]]
    for method, curve in curves.items():
        cells = [f"{gain:+.2f}" for _, gain in curve]
        table.append([method_label(method), *cells, *[MISSING] * (len(points) - len(cells))])
    heading = "delta_m on the validation set in the course of the training, against finished single-task networks."
    return ["", heading, "", markdown(table)]


def _conflict(comparison: Comparison) -> list[str]:
    """How much the tasks conflict, of each method in which it was measured."""
    lines = []
    for method in comparison.methods:
        if any(result.conflict for result in method.results):
            low, middle, high = length_ratios(method)
            heading = (
                f"How much the tasks conflict, {method_label(method)}: gradients of the tasks' losses on the trunk. "
                f"Longest / shortest: median {middle:.1f}, quartiles {low:.1f} and {high:.1f}. (What conflict costs is "
                "the delta_m of equal: single-task networks against one network of the same size.)"
            )
            lines += ["", heading, "", markdown(cosine_table(method))]
    return lines


def _table(comparison: Comparison, rates: Sequence[float]) -> list[list[str]]:
    reference, methods = comparison.reference, comparison.methods
    compared = reference.compared
    named = [f"{score.name} ({'higher' if score.metric.higher_is_better else 'lower'})" for score in compared]
    noisy = ["wrong labels"] if any(method.settings.data.noisy for method in methods) else []
    table = [["method", *noisy, "rate", "updates", "epochs", "delta_m %", *named, "ms", "x", "MiB", "x"]]
    references = {"single tasks": comparison.single_tasks, "small single tasks": comparison.small_single_tasks}
    for name, singles in references.items():
        if not singles:
            continue
        scores = [
            mean_and_deviation([score.of(r.scores) for r in singles[score.task].results], score.metric.decimals)
            for score in compared
        ]
        chosen = " / ".join(dict.fromkeys(_rate(single, rates) for single in singles.values()))
        gain = mean_and_deviation(reference.gains_together(singles), 2, sign="+")
        networks = list(singles.values())
        table.append([name, *("0" for _ in noisy), chosen, *_lengths(networks), gain, *scores,
                      *_cost(networks, methods)])  # fmt: skip
    for method in methods:
        scores = [
            mean_and_deviation([score.of(result.scores) for result in method.results], score.metric.decimals)
            for score in compared
        ]
        failed = len(method.runs) - len(method.results)
        gain = mean_and_deviation(method.gains, 2, sign="+") + (f" ({failed} failed)" if failed else "")
        share = [f"{method.settings.data.share:g}" for _ in noisy]
        table.append([method.settings.method, *share, _rate(method, rates), *_lengths([method]), gain, *scores,
                      *_cost([method], methods)])  # fmt: skip
    return table


def _rate(method: MethodResults, rates: Sequence[float]) -> str:
    """The chosen rate, with a mark where it is at the border of those tried."""
    rate = method.settings.rate
    return f"{rate:g}" + (_BORDER if len(rates) > 1 and rate in (min(rates), max(rates)) else "")


def _lengths(networks: Sequence[MethodResults]) -> list[str]:
    """Updates and passes over the training pictures of each network, means over the seeds."""
    results = [result for network in networks for result in network.results]
    if not results:
        return [MISSING, MISSING]
    return [f"{fmean(result.updates for result in results):.0f}", f"{fmean(r.epochs for r in results):.3g}"]


def _cost(measured: Sequence[MethodResults], methods: Sequence[MethodResults]) -> list[str]:
    """Time of a step of all of `measured` together, the largest memory, and both relative to equal weights."""
    equal = _time_and_memory([method for method in methods if method.settings.method == "equal"][:1])
    cells = []
    for value, base, decimals in zip(_time_and_memory(measured), equal, (1, 0), strict=True):
        cells += [f"{value:.{decimals}f}", f"{value / base:.2f}" if base else MISSING]
    return cells


def _time_and_memory(methods: Sequence[MethodResults]) -> tuple[float, float]:
    """Milliseconds, of the CPU where that trains, and MiB; zeros where no run was finished."""
    finished = [method.results for method in methods if method.results]
    on_cpu = any(method.settings.device == "cpu" for method in methods)
    seconds = [fmean(result.cpu_seconds if on_cpu else result.seconds for result in results) for results in finished]
    memory = [fmean(result.peak_mb for result in results) for results in finished]
    return 1e3 * sum(seconds), max(memory, default=0.0)


def _detection_table(comparison: Comparison) -> list[list[str]]:
    """A line for each method, share and ranking; the heading alone where no label is wrong."""
    detections = [result.detection for method in comparison.methods for result in method.results]
    measures = list(dict.fromkeys(name for rankings in detections for scores in rankings.values() for name in scores))
    table = [["method", "wrong labels", "ranking", *measures]]
    for method in comparison.methods:
        for ranking in dict.fromkeys(name for result in method.results for name in result.detection):
            all_scores = [result.detection[ranking] for result in method.results]
            columns = [[scores[measure] for scores in all_scores] for measure in measures]
            # nan: this training flagged no label
            cells = [mean_and_deviation([value for value in column if not isnan(value)], 3) for column in columns]
            table.append([method.settings.method, f"{method.settings.data.share:g}", ranking, *cells])
    return table


def _csv_rows(comparison: Comparison) -> list[dict[str, object]]:
    singles = *comparison.single_tasks.values(), *comparison.small_single_tasks.values()
    rows = [_csv_row(run, "") for single in singles for run in single.runs]
    for method in comparison.methods:
        gains = iter(method.gains)
        rows += [_csv_row(run, "" if run[1].error else next(gains)) for run in method.runs]
    return rows


def _csv_row(run: TrainedRun, gain: float | str) -> dict[str, object]:
    settings, result = run
    single = len(settings.tasks) == 1
    return {
        "method": f"single {settings.tasks[0]}" if single else settings.method,
        "noisy": settings.data.noisy, "share": settings.data.share, "rate": settings.rate, "seed": settings.seed,
        "width": settings.width, "updates": result.updates, "epochs": result.epochs, "delta_m": gain,
        **{f"{task} {name}": value for task, scores in result.scores.items() for name, value in scores.items()},
        **{f"{ranking}: {name}": x for ranking, scores in result.detection.items() for name, x in scores.items()},
        "seconds": result.seconds, "cpu_seconds": result.cpu_seconds, "peak_mb": result.peak_mb,
        "forwards": result.forwards, "parameters": result.parameters, "error": result.error,
    }  # fmt: skip
