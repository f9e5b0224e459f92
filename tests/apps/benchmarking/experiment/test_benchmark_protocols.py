"""The papers' protocols, on tiny data sets in the layouts of the public ones."""

import csv
import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from benchmark_toys import execute_in_process
from public_folders import write_public

from apps.benchmarking import execution
from apps.benchmarking.experiment.options import BenchOptions
from apps.benchmarking.experiment.protocols import PROTOCOLS, with_protocol
from apps.benchmarking.experiment.recipe import PLAIN
from apps.benchmarking.experiment.settings import parse_method
from apps.benchmarking.metrics.scores import ClassScorer
from apps.benchmarking.reports import plots
from apps.benchmarking.reports.published_table import published_lines
from apps.cli import main
from apps.command.options import run_tyro
from mtl.registry import check_names
from stitching.errors import InputError

NYUD_SCORES = {"segmentation mIoU %": 1, "depth rms error": -1, "normals mean angle": -1}  # 1: higher is better
PASCAL_SCORES = {"segmentation mIoU %": 1, "parts mIoU %": 1, "saliency best IoU %": 1, "normals mean angle": -1}
COUNTED = {
    "connection-strength-nyud": NYUD_SCORES,
    "connection-strength-pascal": PASCAL_SCORES,
    "connection-strength-cityscapes": {
        "segmentation mIoU %": 1,
        "segmentation pixel accuracy %": 1,
        "depth absolute error": -1,
        "depth relative error": -1,
    },
    "task-groups-nyud": NYUD_SCORES,
    "task-groups-pascal": PASCAL_SCORES,
    "instance-parameters-surreal": {"parts mIoU %": 1, "depth absolute error": -1},
}
PROPOSED = {
    name: next(method for method in protocol.methods if method.endswith(("task-priority", "=0.001", "instances")))
    for name, protocol in PROTOCOLS.items()
}
TINY = ["--network", "small", "--size", "32", "32", "--train", "2", "--epochs", "1", "--batch-size", "2"]
TINY += ["--seeds", "0", "--rates", "0.01", "--precision", "fp32"]


def write_folder(data: str, root: Path) -> None:
    """A tiny data set with three pictures or more to train on."""
    write_public("cityscapes arrays" if data == "cityscapes" else data, root)
    if data == "surreal":
        shutil.copytree(root / "cmu/train/run0", root / "cmu/train/run2")
        shutil.copytree(root / "cmu/val", root / "cmu/test")
    for lists in (root / "gt_sets", root / "ImageSets/Context"):
        if lists.exists():
            names = (lists / "train.txt").read_text()
            (lists / "train.txt").write_text(names * 2)
            (lists / "val.txt").write_text(names)


def relative_gain(rows: list[dict[str, str]], scores: dict[str, int]) -> float:
    """delta_m of the last method, percent, out of results.csv."""
    gains = []
    for column, sign in scores.items():
        single, joint = next(float(row[column]) for row in rows if row[column]), float(rows[-1][column])
        gains.append(sign * (joint - single) / single)
    return 100 * sum(gains) / len(gains)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_runs_with_one_command(tmp_path, name, monkeypatch, capsys):
    monkeypatch.setattr(execution, "execute_in_subprocesses", lambda jobs: execute_in_process)
    monkeypatch.setattr(plots, "write_plots", lambda comparison, folder: [])  # they are slow, and tested elsewhere
    one = {"mIoU %": 1.0, "pixel accuracy %": 1.0}  # after one step a network may score 0: no gain is relative to it
    scores = ClassScorer.scores
    monkeypatch.setattr(ClassScorer, "scores", lambda self: {key: max(x, one[key]) for key, x in scores(self).items()})
    protocol = PROTOCOLS[name]
    write_folder(protocol.data, tmp_path / "set")
    command = ["mtl-bench", str(tmp_path / "out"), "--protocol", name, "--folder", str(tmp_path / "set"), *TINY]
    assert main([*command, "--methods", PROPOSED[name]]) == 0

    runs = [json.loads(path.read_text())["settings"] for path in (tmp_path / "out/runs").iterdir()]
    singles, joint = ([run for run in runs if (len(run["tasks"]) == 1) == alone] for alone in (True, False))
    assert {run["tasks"][0] for run in singles} == set(protocol.tasks)  # auxiliary tasks are compared with nothing
    assert all(set(run["tasks"]) == {*protocol.tasks, *protocol.auxiliary} for run in joint)
    assert {run["method"] for run in joint} == {PROPOSED[name]}
    assert all(run.get("recipe", asdict(PLAIN)) == asdict(protocol.recipe) for run in runs)

    with (tmp_path / "out/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["delta_m"]) == pytest.approx(relative_gain(rows, COUNTED[name]))

    printed = capsys.readouterr().out
    assert f"Protocol {name}: {protocol.recipe.optimizer}" in printed
    assert f"weighted {protocol.recipe.weights or 'equally'}. docs" in printed
    assert "Its tasks are" not in printed
    below = printed.partition("Published, not measured here")[2].splitlines()
    assert bool(below) == (protocol.published is not None)
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in below]
    rows = [[cells[0], *cells[2:]] for cells in table if len(cells) > 2]  # the second names the method here
    assert all(list(row) in rows for row in (protocol.published.rows if protocol.published else ()))


def test_of_other_tasks_than_the_protocols_only_their_weights_are_told_and_that_the_paper_has_others():
    text = "\n".join(published_lines("connection-strength-nyud", ["depth", "normals", "edges"], ["depth", "normals"]))
    assert "losses weighted depth=1,normals=3.333,edges=50." in text
    assert "Its tasks are segmentation, depth, normals; delta_m above is over depth, normals." in text


@pytest.mark.parametrize("protocol", [protocol for protocol in PROTOCOLS.values() if protocol.published])
def test_what_a_paper_calls_a_method_is_one_here(protocol):
    printed = {name for name, *_ in protocol.published.rows}
    for name, here in protocol.published.names_here.items():
        check_names(here)
        assert (name in printed) == (here in protocol.methods)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_options_of_a_protocol_fit_together(name):
    protocol = PROTOCOLS[name]
    options: BenchOptions = run_tyro(BenchOptions, "bench", with_protocol(["--protocol", name, "--folder", "set"]))
    for field in ("data", "tasks", "auxiliary", "methods", "network", "size", "epochs", "batch_size"):
        assert getattr(options, field) == getattr(protocol, field)
    assert options.rates == (protocol.rate,)
    assert options.run_settings.recipe == protocol.recipe
    for method in protocol.methods:
        check_names(parse_method(method).spec)
    for row in protocol.published.rows if protocol.published else ():
        assert len(row) == 2 + len(protocol.published.headings)


def test_options_that_are_given_win_wherever_they_stand():
    words = ["--size", "64", "32", "--protocol=connection-strength-nyud", "--epochs", "3", "--folder", "set"]
    options: BenchOptions = run_tyro(BenchOptions, "bench", with_protocol(words))
    assert (options.size, options.epochs, options.batch_size) == ((64, 32), 3, 8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--protocol", "connection-strenght-nyud"], "expected one of .* did you mean 'connection-strength-nyud'"),
        (["--protocol", "task-groups-nyud", "--data", "cityscapes"], "--data nyud with it"),
        (["--protocol", "task-groups-nyud"], "--folder with a public data set"),
        (["--protocol"], "--protocol"),
        (["--protocol=task-groups-pascal", "--protocol", "task-groups-nyud"], "nyud and .*-pascal: expected one"),
    ],
)
def test_what_does_not_fit_a_protocol_is_refused(tmp_path, options, words, capsys):
    assert main(["mtl-bench", str(tmp_path / "out"), *options]) == 2
    assert re.search(words, capsys.readouterr().err)


def test_a_protocol_in_a_file_of_options_is_refused(tmp_path, capsys):
    """It would set none of the other options."""
    config = tmp_path / "c.toml"
    config.write_text('[mtl-bench]\nprotocol = "task-groups-nyud"\ndata = "nyud"\n')
    assert main(["--config", str(config), "mtl-bench", str(tmp_path / "out")]) == 2
    assert re.search("c.toml: .*protocol: expected --protocol on the command line", capsys.readouterr().err)


def test_the_labels_must_be_those_of_the_protocol(tmp_path, capsys):
    folder = tmp_path / "cityscapes"
    write_public("cityscapes arrays", folder)
    for labels in [*folder.rglob("label_7")]:
        labels.rename(labels.with_name("label_19"))
    words = ["--protocol", "connection-strength-cityscapes", "--folder", str(folder), "--size", "32", "32"]
    assert main(["mtl-bench", str(tmp_path / "out"), *words]) == 2
    assert re.search("19 classes of segmentation: expected the form with 7", capsys.readouterr().err)


def test_a_protocol_without_its_options_is_refused():
    with pytest.raises(InputError, match="--data nyud with it"):
        BenchOptions(protocol="task-groups-nyud")
