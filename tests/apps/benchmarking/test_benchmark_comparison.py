"""The comparison as a whole, with made-up results in place of trainings."""

import csv
import json
import re
from dataclasses import replace
from math import nan
from statistics import stdev

import cv2
import pytest
from benchmark_outcomes import OPTIONS, Trainer, first_table, plain, result
from benchmark_toys import TASKS, use_toys

from apps.benchmarking.method_comparison import compare
from apps.benchmarking.reports.plots import write_plots
from apps.benchmarking.reports.result_tables import write_results
from apps.benchmarking.result_store import ResultStore
from stitching.errors import InputError, JobError


@pytest.fixture(autouse=True)
def _toys(monkeypatch):
    use_toys(monkeypatch)


def test_each_method_gets_the_rate_that_validates_best(tmp_path):
    found = compare(OPTIONS, ResultStore(tmp_path, tmp_path), trainer := Trainer(plain))
    assert {row.settings.rate for row in (*found.methods, *found.single_tasks.values())} == {3e-3}
    assert len(trainer.asked) == len(set(trainer.asked)) == 6 * 2 + 6  # two rates, then the other seed with the best
    assert all(run.rate == 3e-3 for run in trainer.asked if run.seed == 1)


def test_delta_m_is_measured_against_single_tasks_for_every_seed(tmp_path):
    found = compare(OPTIONS, ResultStore(tmp_path, tmp_path), Trainer(plain))
    assert list(found.reference.main_scores.values()) == pytest.approx([10] * len(TASKS))
    equal, surgery = found.methods
    assert equal.gains == pytest.approx([0, 0])
    assert surgery.gains == pytest.approx([20, 40])
    table = write_results(found, OPTIONS, tmp_path)
    (line,) = (line for line in first_table(table) if line.startswith("| pcgrad"))
    assert f"+30.00 +- {stdev([20, 40]):.2f}" in line
    assert "13.00 +- 1.41" in line
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (4 + 2) * 2
    assert [float(row["delta_m"]) for row in rows if row["method"] == "pcgrad"] == pytest.approx([20, 40])
    assert table.rstrip() == (tmp_path / "table.md").read_text().rstrip()


def test_what_is_there_is_not_trained_again_and_more_is_added(tmp_path):
    store = ResultStore(tmp_path, tmp_path)
    compare(OPTIONS, store, Trainer(plain))
    compare(OPTIONS, store, again := Trainer(plain))
    assert not again.asked
    more = replace(OPTIONS, methods=("equal", "pcgrad", "uncertainty"), seeds=(0, 1, 2))
    compare(more, store, added := Trainer(plain))
    assert sum(run.method == "uncertainty" for run in added.asked) == 2 + 2
    assert all(run.seed == 2 for run in added.asked if run.method != "uncertainty")


def test_a_run_that_failed_is_counted_and_its_rate_is_avoided(tmp_path):
    def outcome(run):
        failed = run.method == "pcgrad" and (run.rate == 3e-3 or run.seed == 1)
        return result(run.tasks, 1.0, 1.0, error="loss is nan" if failed else "")

    found = compare(OPTIONS, ResultStore(tmp_path, tmp_path), Trainer(outcome))
    surgery = found.methods[1]
    assert surgery.settings.rate == 1e-3
    assert len(surgery.gains) == 1
    assert "(1 failed)" in write_results(found, OPTIONS, tmp_path)


def test_a_method_that_always_fails_has_no_scores(tmp_path):
    def outcome(run):
        return result(run.tasks, 1.0, 1.0, error="loss is nan" if run.method == "pcgrad" else "")

    found = compare(OPTIONS, ResultStore(tmp_path, tmp_path), Trainer(outcome))
    table = write_results(found, OPTIONS, tmp_path)
    (line,) = (line for line in first_table(table) if line.startswith("| pcgrad"))
    assert "- (2 failed)" in line


def test_without_references_there_is_no_comparison(tmp_path):
    def outcome(run):
        return result(run.tasks, 1.0, 1.0, error="loss is nan" if len(run.tasks) == 1 else "")

    with pytest.raises(JobError, match="loss is nan; nothing can be compared"):
        compare(OPTIONS, ResultStore(tmp_path, tmp_path), Trainer(outcome))
    nothing = Trainer(lambda run: result(run.tasks, 0.0, 0.0))
    with pytest.raises(JobError, match="not above 0"):
        compare(OPTIONS, ResultStore(tmp_path / "other", tmp_path), nothing)


def test_wrong_labels_give_a_line_for_each_share_and_ranking(tmp_path):
    def outcome(run):
        found = {"final loss": {"ROC-AUC": 0.5 + run.data.share}, "mean of late losses": {"ROC-AUC": 0.75}}
        return result(run.tasks, 1.0, 1 - run.data.share, detection=found if run.data.share else {})

    options = replace(OPTIONS, corrupt="depth", shares=(0.0, 0.25), rates=(1e-3,))
    found = compare(options, ResultStore(tmp_path, tmp_path), Trainer(outcome))
    assert [(row.settings.method, row.settings.data.share) for row in found.methods] == [
        ("equal", 0.0), ("pcgrad", 0.0), ("equal", 0.25), ("pcgrad", 0.25),
    ]  # fmt: skip
    assert all(not row.settings.data.noisy for row in found.single_tasks.values())
    assert found.methods[2].gains == pytest.approx([-25, -25])
    table = write_results(found, options, tmp_path)
    assert sum("| final loss" in line and "0.750 +- 0.000" in line for line in table.splitlines()) == 2


def test_scores_that_are_not_numbers_are_shown_as_such_and_a_measure_without_a_meaning_is_left_out(tmp_path):
    """A training can end with parameters that overflow; precision has no meaning where no label is flagged."""

    def outcome(run):
        found = {ranking: {"ROC-AUC": 0.5, "precision": nan} for ranking in ("final loss", "mean of late losses")}
        return result(run.tasks, 1.0, nan if run.method == "pcgrad" else 1.0, detection=found if run.data.share else {})

    options = replace(OPTIONS, corrupt="depth", shares=(0.5,), rates=(1e-3,))
    found = compare(options, ResultStore(tmp_path, tmp_path), Trainer(outcome))
    table = write_results(found, options, tmp_path)
    assert re.search(r"\| pcgrad +\| 0.5 +\| [+]nan \+- nan +\| 2 +\| unclear", table)
    assert re.search(r"\| equal +\| 0.5 +\| final loss +\| 0.500 \+- 0.000 +\| - ", table)
    assert write_plots(found, tmp_path)


def test_plots_are_written_even_where_a_method_failed(tmp_path):
    pytest.importorskip("matplotlib")

    def outcome(run):
        return result(run.tasks, 1.0, 1.0, error="loss is nan" if run.method == "pcgrad" else "")

    for options, names in (
        (OPTIONS, {"delta_m.png", "losses.png"}),
        (replace(OPTIONS, corrupt="depth", shares=(0.5,)), {"delta_m.png", "losses.png", "noise.png"}),
    ):
        plots = write_plots(compare(options, ResultStore(tmp_path, tmp_path), Trainer(outcome)), tmp_path)
        assert {path.name for path in plots} == names
        assert all(cv2.imread(str(path)) is not None for path in plots)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ("nonsense",)}, "--methods nonsense: .*'nonsense'"),
        ({"methods": ("equal:speed=9",)}, "--methods equal:speed=9"),
        ({"tasks": ("depth", "sound")}, "task sound: expected tasks of scenes"),
        ({"tasks": ("depth", "edges"), "corrupt": "normals"}, "--corrupt normals"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        compare(replace(OPTIONS, **changes), ResultStore(tmp_path, tmp_path), trainer := Trainer(plain))
    assert not trainer.asked


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": ("depth", "sound")}, "task sound"),
        ({"network": "resnet18"}, "--network: .*timm"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_data_are_prepared(tmp_path, changes, words, monkeypatch):
    monkeypatch.setattr("apps.benchmarking.networks.timm_encoders.find_spec", lambda name: None)
    with pytest.raises(InputError, match=words):
        compare(replace(OPTIONS, **changes), ResultStore(tmp_path, tmp_path), Trainer(plain))
    assert list(tmp_path.iterdir()) == []


def test_tasks_can_be_chosen(tmp_path):
    options = replace(OPTIONS, tasks=("edges", "depth"))
    found = compare(options, ResultStore(tmp_path, tmp_path), Trainer(plain))
    assert tuple(found.single_tasks) == ("depth", "edges")
    assert all(run.tasks == ("depth", "edges") for row in found.methods for run, _ in row.runs)


@pytest.mark.parametrize(
    "change",
    [
        {"scores": {}}, {"scores": None}, {"scores": {task: {"mIoU %": "high"} for task in TASKS}}, {"losses": {}},
        {"validation": []}, {"curve": [1]},
    ],
)  # fmt: skip
def test_damaged_results_are_refused(tmp_path, change):
    store = ResultStore(tmp_path, tmp_path)
    compare(OPTIONS, store, Trainer(plain))
    path = tmp_path / "runs" / "equal_rate-0.003_seed-0.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "result": {**stored["result"], **change}}))
    with pytest.raises(InputError, match=r"equal_rate-0.003_seed-0.json: expected .*delete it"):
        compare(OPTIONS, store, Trainer(plain))


@pytest.mark.parametrize("content", ["", "[]", "[" * 100_000, '{"settings": 3}'])
def test_what_is_no_result_is_refused(tmp_path, content):
    store = ResultStore(tmp_path, tmp_path)
    compare(OPTIONS, store, Trainer(plain))
    (tmp_path / "runs" / "equal_rate-0.003_seed-0.json").write_text(content)
    with pytest.raises(InputError, match="expected the result of a run, found something else; delete it"):
        compare(OPTIONS, store, Trainer(plain))


def test_results_of_other_settings_are_refused(tmp_path):
    store = ResultStore(tmp_path, tmp_path)
    compare(OPTIONS, store, Trainer(plain))
    with pytest.raises(InputError, match="trained with epochs 1, not 2; choose another output"):
        compare(replace(OPTIONS, epochs=2), store, Trainer(plain))


def test_an_auxiliary_task_is_trained_and_does_not_count(tmp_path):
    def outcome(run):
        made = plain(run)
        if len(run.tasks) > 1:
            made.scores["edges"]["best F %"] = 0.0  # useless, which is nobody's loss
        return made

    options = replace(OPTIONS, tasks=("depth", "normals"), auxiliary=("edges",))
    found = compare(options, ResultStore(tmp_path, tmp_path), trainer := Trainer(outcome))
    assert all(run.tasks == ("depth", "normals", "edges") for row in found.methods for run, _ in row.runs)
    assert tuple(found.single_tasks) == ("depth", "normals")
    assert not any(run.tasks == ("edges",) for run in trainer.asked)
    assert found.methods[1].gains == pytest.approx([20, 40])
    table = write_results(found, options, tmp_path)
    assert "in no score: edges." in table
    assert "edges:" not in table


def test_all_tasks_but_the_auxiliary_ones_count(tmp_path):
    found = compare(replace(OPTIONS, auxiliary=("edges",)), ResultStore(tmp_path, tmp_path), Trainer(plain))
    assert tuple(found.single_tasks) == ("segmentation", "depth", "normals")
    assert all(run.tasks == TASKS for row in found.methods for run, _ in row.runs)


@pytest.mark.parametrize("rates", [(1e-3,), (1e-3, 3e-3)])
def test_where_no_picture_has_a_label_a_task_cannot_be_compared(tmp_path, rates):
    unknown = Trainer(lambda run: result(run.tasks, validation=nan, test=nan))
    with pytest.raises(JobError, match=r"segmentation.* a number: none of .* has a label.*use more pictures"):
        compare(replace(OPTIONS, rates=rates), ResultStore(tmp_path, tmp_path), unknown)


def test_a_rate_whose_score_is_not_a_number_is_avoided(tmp_path):
    high_rates_fail = Trainer(lambda run: result(run.tasks, nan if run.rate > 2e-3 else 1, 1))
    found = compare(OPTIONS, ResultStore(tmp_path, tmp_path), high_rates_fail)
    assert {method.settings.rate for method in [*found.methods, *found.single_tasks.values()]} == {1e-3}


def test_one_rate_needs_no_score_on_validation_pictures(tmp_path):
    def outcome(run):
        return result(run.tasks, validation=0.0, test=1.0)

    found = compare(replace(OPTIONS, rates=(1e-3,)), ResultStore(tmp_path, tmp_path), Trainer(outcome))
    assert found.methods[0].gains == pytest.approx([0, 0])
