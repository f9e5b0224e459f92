"""What the benchmark prints and writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from apps.benchmarking.comparison import Comparison, Row, Run
from apps.benchmarking.options import BenchOptions
from apps.benchmarking.scores import MAIN, main_score
from apps.benchmarking.training import Result
from apps.tables import markdown, mean_and_deviation, write_csv
from stitching.io.files import replacing


def write_results(found: Comparison, options: BenchOptions, folder: Path) -> str:
    """Write results.csv and table.md to the folder; returns what the latter holds. Raises JobError."""
    lines = [*_heading(options), "", markdown(_table(found))]
    detection = _detection_table(found)
    if len(detection) > 1:
        lines += ["", f"How well a training finds the wrong labels of {options.corrupt}, by rankings of them.", ""]
        lines.append(markdown(detection))
    text = "\n".join(lines) + "\n"
    with replacing(folder / "table.md") as path:
        path.write_text(text)
    write_csv(folder / "results.csv", _csv_rows(found))
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
        "delta_m: mean relative gain over the single-task networks, over the scores below, one for each task.",
        f"+-: standard deviation over the seeds. ms: {clock} of a training step, of single tasks that of all together; "
        "MiB: peak memory; x: relative to equal.",
    ]
    if options.corrupt:
        lines.append(f"Labels of {options.corrupt} are wrong for a share of the training pictures; references are not.")
    return lines


def _table(found: Comparison) -> list[list[str]]:
    metrics = {task: MAIN[meaning.kind] for task, meaning in found.judge.labels.items()}
    named = [f"{task}: {m.name} ({'higher' if m.higher_is_better else 'lower'})" for task, m in metrics.items()]
    noisy = ["wrong labels"] if any(row.settings.data.noisy for row in found.rows) else []
    table = [["method", *noisy, "rate", "delta_m %", *named, "ms", "x", "MiB", "x"]]
    single = [mean_and_deviation(_single_scores(found, task), metric.places) for task, metric in metrics.items()]
    rates = dict.fromkeys(f"{row.settings.rate:g}" for row in found.singles.values())
    cost = _cost(list(found.singles.values()), found)
    table.append(["single tasks", *("0" for _ in noisy), " / ".join(rates), "0", *single, *cost])
    for row in found.rows:
        mains = [found.judge.mains(result.scores) for result in row.results]
        scores = [mean_and_deviation([one[task] for one in mains], m.places) for task, m in metrics.items()]
        failed = len(row.runs) - len(row.results)
        gain = mean_and_deviation(row.gains, 2, sign="+") + (f" ({failed} failed)" if failed else "")
        share = [f"{row.settings.data.share:g}" for _ in noisy]
        table.append([row.settings.method, *share, f"{row.settings.rate:g}", gain, *scores, *_cost([row], found)])
    return table


def _single_scores(found: Comparison, task: str) -> list[float]:
    return [main_score(found.judge.labels[task], result.scores[task]) for result in found.singles[task].results]


def _cost(rows: Sequence[Row], found: Comparison) -> list[str]:
    """Time of a step of all of them together, most memory, and each beside that of equal weights."""
    plain = _measured([row for row in found.rows if row.settings.method == "equal"][:1])
    cells = []
    for value, base, places in zip(_measured(rows), plain, (1, 0), strict=True):
        cells += [f"{value:.{places}f}", f"{value / base:.2f}" if base else "-"]
    return cells


def _measured(rows: Sequence[Row]) -> tuple[float, float]:
    """Milliseconds, of the CPU where that trains, and MiB; zeros where no run was finished."""
    found = [row for row in rows if row.results]
    on_cpu = any(row.settings.device == "cpu" for row in found)
    seconds = [fmean(result.cpu_seconds if on_cpu else result.seconds for result in row.results) for row in found]
    memory = [fmean(result.peak_mb for result in row.results) for row in found]
    return 1e3 * sum(seconds), max(memory, default=0.0)


def _detection_table(found: Comparison) -> list[list[str]]:
    """A line for each method, share and ranking; the heading alone where no label is wrong."""
    lines, measures = [], list(dict.fromkeys(m for row in found.rows for r in row.results for m in _measures(r)))
    for row in found.rows:
        for ranking in dict.fromkeys(name for result in row.results for name in result.detection):
            all_scores = [result.detection[ranking] for result in row.results]
            cells = [mean_and_deviation([scores[measure] for scores in all_scores], 3) for measure in measures]
            lines.append([row.settings.method, f"{row.settings.data.share:g}", ranking, *cells])
    return [["method", "wrong labels", "ranking", *measures], *lines]


def _measures(result: Result) -> Iterator[str]:
    for scores in result.detection.values():
        yield from scores


def _csv_rows(found: Comparison) -> list[dict[str, object]]:
    rows = [_line(run, "") for row in found.singles.values() for run in row.runs]
    for row in found.rows:
        gains = iter(row.gains)
        rows += [_line(run, "" if run[1].error else next(gains)) for run in row.runs]
    return rows


def _line(run: Run, gain: float | str) -> dict[str, object]:
    settings, result = run
    single = len(settings.tasks) == 1
    return {
        "method": f"single {settings.tasks[0]}" if single else settings.method,
        "noisy": settings.data.noisy, "share": settings.data.share, "rate": settings.rate, "seed": settings.seed,
        "delta_m": gain,
        **{f"{task} {name}": value for task, scores in result.scores.items() for name, value in scores.items()},
        **{f"{ranking}: {name}": value for ranking, some in result.detection.items() for name, value in some.items()},
        "seconds": result.seconds, "cpu_seconds": result.cpu_seconds, "peak_mb": result.peak_mb,
        "forwards": result.forwards, "parameters": result.parameters, "error": result.error,
    }  # fmt: skip
