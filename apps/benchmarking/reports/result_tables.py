"""The table that the benchmark prints, table.md, and results.csv."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from apps.benchmarking.method_comparison import Comparison, MethodResults, TrainedRun
from apps.benchmarking.options import BenchOptions
from apps.tables import MISSING, markdown, mean_and_deviation, write_csv
from stitching.io.files import atomic_write


def write_results(comparison: Comparison, options: BenchOptions, folder: Path) -> str:
    """Write results.csv and table.md to the folder; returns what the latter holds. Raises JobError."""
    lines = [*_heading(options), "", markdown(_table(comparison))]
    detection = _detection_table(comparison)
    if len(detection) > 1:
        lines += ["", f"How well a training finds the wrong labels of {options.corrupt}, by rankings of them.", ""]
        lines.append(markdown(detection))
    text = "\n".join(lines) + "\n"
    with atomic_write(folder / "table.md") as path:
        path.write_text(text)
    write_csv(folder / "results.csv", _csv_rows(comparison))
    return text


def _heading(options: BenchOptions) -> list[str]:
    settings, (w, h) = options.run_settings, options.size
    seeds = f"{len(options.seeds)} seeds" if len(options.seeds) > 1 else "1 seed"
    rates = f"rate chosen of {' '.join(f'{rate:g}' for rate in options.rates)} on validation pictures"
    clock = "CPU time" if options.device == "cpu" else "time"
    lines = [
        f"Data {options.data}, {settings.data.train or 'all'} training pictures of {w} x {h} px, network "
        f"{options.network}, {options.epochs} epochs, batches of {options.batch_size}, {options.precision}, "
        f"{options.device}, {seeds}, {rates if len(options.rates) > 1 else 'one rate for all'}.",
        "delta_m: mean relative gain over the single-task networks, over the scores below.",
        f"+-: standard deviation over the seeds. ms: {clock} of a training step, of single tasks that of all together; "
        "MiB: peak memory; x: relative to equal.",
    ]
    if options.corrupt:
        lines.append(f"Labels of {options.corrupt} are wrong for a share of the training pictures; references are not.")
    return lines


def _table(comparison: Comparison) -> list[list[str]]:
    reference, methods = comparison.reference, comparison.methods
    compared = reference.compared
    named = [f"{score.name} ({'higher' if score.metric.higher_is_better else 'lower'})" for score in compared]
    noisy = ["wrong labels"] if any(method.settings.data.noisy for method in methods) else []
    table = [["method", *noisy, "rate", "delta_m %", *named, "ms", "x", "MiB", "x"]]
    singles = comparison.single_tasks
    scores = [
        mean_and_deviation([score.of(result.scores) for result in singles[score.task].results], score.metric.decimals)
        for score in compared
    ]
    rates = " / ".join(dict.fromkeys(f"{single.settings.rate:g}" for single in singles.values()))
    table.append(["single tasks", *("0" for _ in noisy), rates, "0", *scores, *_cost(list(singles.values()), methods)])
    for method in methods:
        scores = [
            mean_and_deviation([score.of(result.scores) for result in method.results], score.metric.decimals)
            for score in compared
        ]
        failed = len(method.runs) - len(method.results)
        gain = mean_and_deviation(method.gains, 2, sign="+") + (f" ({failed} failed)" if failed else "")
        share = [f"{method.settings.data.share:g}" for _ in noisy]
        settings = method.settings
        table.append([settings.method, *share, f"{settings.rate:g}", gain, *scores, *_cost([method], methods)])
    return table


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
            cells = [mean_and_deviation([scores[measure] for scores in all_scores], 3) for measure in measures]
            table.append([method.settings.method, f"{method.settings.data.share:g}", ranking, *cells])
    return table


def _csv_rows(comparison: Comparison) -> list[dict[str, object]]:
    rows = [_csv_row(run, "") for single in comparison.single_tasks.values() for run in single.runs]
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
        "delta_m": gain,
        **{f"{task} {name}": value for task, scores in result.scores.items() for name, value in scores.items()},
        **{f"{ranking}: {name}": x for ranking, scores in result.detection.items() for name, x in scores.items()},
        "seconds": result.seconds, "cpu_seconds": result.cpu_seconds, "peak_mb": result.peak_mb,
        "forwards": result.forwards, "parameters": result.parameters, "error": result.error,
    }  # fmt: skip
