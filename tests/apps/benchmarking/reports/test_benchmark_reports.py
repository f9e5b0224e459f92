"""What the tables and plots of a benchmark say, of made-up results."""

from dataclasses import replace
from math import nan

import cv2
import pytest
from benchmark_outcomes import OPTIONS, Trainer, first_table, plain, result, scored
from benchmark_toys import TASKS, use_toys

from apps.benchmarking.method_comparison import compare
from apps.benchmarking.metrics.gradient_conflict import GradientConflict
from apps.benchmarking.reports.difference_table import difference_table, verdict
from apps.benchmarking.reports.plots import write_plots
from apps.benchmarking.reports.result_tables import write_results
from apps.benchmarking.result_store import ResultStore
from apps.benchmarking.training_record import CurvePoint


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    use_toys(monkeypatch)


def compared(folder, outcome, **changes):
    """A comparison and its text."""
    options = replace(OPTIONS, **changes)
    found = compare(options, ResultStore(folder, folder), Trainer(outcome))
    return found, write_results(found, options, folder)


def row(table, name):
    """The cells of the line that begins with a name."""
    (line,) = (line for line in table if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_rate_at_the_border_of_the_search_is_marked(tmp_path):
    assert row(first_table(compared(tmp_path, plain)[1]), "equal")[1] == "0.003!"
    rates = (1e-3, 3e-3, 1e-2)

    def outcome(run):
        return result(run.tasks, validation=1.5 if run.rate == rates[1] else 1.0, test=1.0)

    found = compared(tmp_path / "inside", outcome, rates=rates)[1]
    assert row(first_table(found), "equal")[1] == row(first_table(found), "single tasks")[1] == "0.003"
    alone = compared(tmp_path / "alone", plain, rates=(1e-3,))[1]
    assert row(first_table(alone), "equal")[1] == "0.001"


def test_small_single_tasks_share_the_size_of_one_network(tmp_path):
    def outcome(run):
        return result(run.tasks, validation=1.0, test=0.9 if run.width < 1 else 1.0)

    found, text = compared(tmp_path, outcome, small_single_tasks=True)
    widths = {network.settings.width for network in found.small_single_tasks.values()}
    assert widths == {1 / 2}  # four tasks: a quarter of the parameters each
    assert row(first_table(text), "small single tasks")[4] == "-10.00 +- 0.00"
    assert row(first_table(text), "single tasks")[4] == "+0.00 +- 0.00"
    assert found.methods[0].gains == pytest.approx([0, 0])  # against networks of the full size


@pytest.mark.parametrize(
    ("mean", "error", "count", "expected"),
    [
        (1, 0.2, 3, "better"),
        (-1, 0.2, 3, "worse"),
        (1, 0.3, 3, "unclear"),
        (1, 0.3, 5, "better"),
        (nan, nan, 3, "unclear"),
    ],
)
def test_a_difference_counts_where_it_exceeds_the_spread_of_the_seeds(mean, error, count, expected):
    assert verdict(mean, error, count) == expected  # t: 4.30 for three seeds, 2.78 for five


def test_methods_are_compared_seed_by_seed(tmp_path):
    """Seeds differ by 20 %, in the same way for all methods; pcgrad is always a little better."""

    def outcome(run):
        gain = 0.2 * run.seed * (len(run.tasks) > 1) + {"pcgrad": 0.021, "mgda": -0.1}.get(run.method, 0)
        return result(run.tasks, validation=1.0, test=1 + gain - 0.001 * run.seed * (run.method == "pcgrad"))

    found, text = compared(tmp_path, outcome, methods=("equal", "pcgrad", "mgda"), seeds=(0, 1, 2), baseline="mgda")
    against_equal = {cells[0]: cells[1:] for cells in difference_table(found.methods, "equal")}
    assert against_equal["pcgrad"] == ["+2.00 +- 0.06", "3", "better"]
    assert against_equal["mgda"] == ["-10.00 +- 0.00", "3", "worse"]
    assert "equal" not in against_equal
    assert text.count("Difference of delta_m from") == 2
    assert "Difference of delta_m from mgda" in text


def test_a_seed_that_failed_is_in_no_difference(tmp_path):
    def outcome(run):
        failed = run.method == "pcgrad" and run.seed == 0
        return result(run.tasks, 1.0, 1 + run.seed / 10, error="loss is nan" if failed else "")

    found, _ = compared(tmp_path, outcome, rates=(1e-3,))
    assert difference_table(found.methods, "equal")[1] == ["pcgrad", "+0.00", "1", "-"]


def curved(run):
    """Half of the final score at half of the training."""
    points = [CurvePoint(share, share, 1, scored(run.tasks, share)) for share in (0.5, 1.0)]
    return result(run.tasks, validation=1.0, test=1.0, curve=points)


def test_learning_curves_are_relative_to_finished_single_tasks(tmp_path):
    _, text = compared(tmp_path, curved)
    (table,) = (part for part in text.split("\n\n") if part.startswith("| progress"))
    assert row(table.splitlines(), "progress of the training")[1:] == ["50%", "100%"]
    assert row(table.splitlines(), "equal")[1:] == ["-50.00", "+0.00"]


def conflicting(run):
    """Segmentation and depth are opposed, in the last of three layers alone all others are."""
    if run.method != "equal":
        return result(run.tasks, 1.0, 1.0)
    pairs = [f"{a} / {b}" for i, a in enumerate(TASKS) for b in TASKS[i + 1 :]]
    cosines = {pair: [0.5, 0.5, 0.5, -0.5] for pair in pairs} | {pairs[0]: [-1.0] * 4}
    lengths = {task: [1.0 + number] * 4 for number, task in enumerate(TASKS)}
    points = [GradientConflict(progress, cosines, lengths) for progress in (0.0, 0.5)]
    return result(run.tasks, 1.0, 1.0, layers=["a", "b", "c"], conflict=points)


def test_conflict_is_summed_up_by_pair_and_depth(tmp_path):
    _, text = compared(tmp_path, conflicting)
    assert text.count("How much the tasks conflict") == 1
    assert "median 4.0, quartiles 4.0 and 4.0" in text
    (table,) = (part.splitlines() for part in text.split("\n\n") if part.startswith("| cosine"))
    assert row(table, "all pairs")[1:] == ["+0.25", "+0.50", "+0.50", "+0.50", "17"]
    assert row(table, "last third of the layers")[1:] == ["-0.58", "-0.50", "-0.50", "-0.50", "100"]
    assert row(table, "first third of the layers")[1:] == row(table, "all pairs")[1:]
    assert row(table, "last third of the training")[1:] == ["-"] * 5
    assert row(table, "segmentation / depth")[1] == "-1.00"


def test_plots_show_curves_and_conflict_where_they_were_measured(tmp_path):
    pytest.importorskip("matplotlib")
    for outcome, name in ((curved, "curves.png"), (conflicting, "cosines.png")):
        folder = tmp_path / name
        plots = write_plots(compared(folder, outcome)[0], folder)
        assert {path.name for path in plots} == {"delta_m.png", "losses.png", name}
        assert all(cv2.imread(str(path)) is not None for path in plots)
