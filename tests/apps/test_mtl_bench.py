"""`parastitch mtl-bench` on the command line, with toy data."""

import csv
import json

import pytest
from benchmark_toys import execute_in_process, use_toys

from apps.benchmarking import execution
from apps.cli import main

TINY = ["--size", "32", "32", "--train", "8", "--validation", "4", "--test", "4", "--epochs", "1", "--seeds", "0"]
TINY += ["--batch-size", "4", "--precision", "fp32"]


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """Names of the runs that were trained, in this process."""
    use_toys(monkeypatch)
    names = []

    def execute(runs, store):
        for run in execute_in_process(runs, store):
            names.append(run.name)
            yield run

    monkeypatch.setattr(execution, "execute_in_subprocesses", lambda jobs: execute)
    return names


def test_a_benchmark_is_run_once_and_shown_as_often_as_asked(tmp_path, trained, capsys):
    command = ["mtl-bench", str(tmp_path / "out"), *TINY, "--methods", "equal", "task-groups"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert len(trained) == 4 + 2
    assert "[1/4] single-segmentation" in said.err
    assert said.out.split("\n\n")[1].count("\n| ") == 3  # below the heading: single tasks, two methods
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows][-2:] == ["equal", "task-groups"]
    assert float(rows[-1]["forwards"]) > float(rows[-2]["forwards"]) == 1
    assert main(command) == 0
    assert len(trained) == 6
    assert capsys.readouterr().out == said.out


def test_variants_of_strategies_are_methods(tmp_path, trained, capsys):
    methods = ["priority:phases=second,owners=random", "uncertainty+groups:by=fixed,count=2,warm_up=0"]
    assert main(["mtl-bench", str(tmp_path), *TINY, "--tasks", "depth", "edges", "--methods", *methods]) == 0
    assert len(trained) == 4
    out = capsys.readouterr().out
    assert all(method in out for method in methods)


def test_the_same_command_gives_the_same_numbers(tmp_path):
    stored = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        options = ["--methods", "equal", "task-groups", "--updates", "4", "--tasks", "depth", "edges"]
        assert main(["mtl-bench", str(folder), *TINY, *options]) == 0
        results = {path.name: json.loads(path.read_text())["result"] for path in (folder / "runs").glob("*.json")}
        for result in results.values():
            for measured in ("seconds", "cpu_seconds", "peak_mb"):
                del result[measured]
        stored.append(json.dumps(results, sort_keys=True))
    assert stored[0] == stored[1]
    assert '"conflict": [{' in stored[0]


@pytest.mark.parametrize("method", ["nope", "uncertainty+nope", "equal+pcgrad", "equal:speed", "priority+groups"])
def test_a_method_that_there_is_not_is_refused_before_any_work(tmp_path, capsys, method):
    assert main(["mtl-bench", str(tmp_path / "out"), *TINY, "--methods", "equal", method]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"parastitch: --methods {method}: ")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_result_is_refused(tmp_path, capsys):
    command = ["mtl-bench", str(tmp_path), *TINY]
    assert main(command) == 0
    (path,) = (tmp_path / "runs").glob("equal*.json")
    good = path.read_text()
    for words in (good[:-20], "[]", json.dumps({"settings": json.loads(good)["settings"], "result": {"scores": {}}})):
        path.write_text(words)
        capsys.readouterr()
        assert main(command) == 2
        assert f"{path}: expected the result of a run" in capsys.readouterr().err


def test_results_of_another_benchmark_are_refused(tmp_path, capsys):
    command = ["mtl-bench", str(tmp_path), *TINY]
    assert main(command) == 0
    assert main([*command, "--batch-size", "2"]) == 2
    assert "trained with batch 4, not 2; choose another output folder" in capsys.readouterr().err
    assert main([*command, "--train", "6"]) == 2
    assert "train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], "--epochs 0: expected 1 to 1000000000"),
        (["--updates", "0"], "--updates 0: expected 1 to 1000000000"),
        (["--methods", "equal/epochs=2", "--updates", "9"], "expected /epochs or --updates, not both"),
        (["--baseline", "pcgrad"], "--baseline pcgrad: expected one of --methods equal"),
        (["--network", "segnet", "--small-single-tasks"], "expected --network small"),
        (["--batch-size", "1"], "--batch-size 1: expected 2 to 1000000000"),
        (["--epochs", "9" * 500], "expected 1 to 1000000000"),
        (["--width", "inf"], "--width inf"),
        (["--rates", "0"], "--rates 0.0: expected finite numbers above 0"),
        (["--rates", "1e-3", "nan"], "--rates nan: expected finite numbers above 0"),
        (["--rates", "inf"], "--rates inf: expected finite numbers above 0"),
        (
            ["--rates", "0.001", "0.0010000001"],
            "--rates 0.001 0.0010000001: 0.001 twice: expected each once, six digits count",
        ),
        (["--rates", "1e-3", "1e-3"], "--rates 0.001 0.001: 0.001 twice: expected each once"),
        (["--rates", "1e-3", "1e-2", "--validation", "1"], "--validation 1: expected two pictures or more"),
        (["--seeds"], "--seeds: nothing after it: expected one or more"),
        (["--threads", "1000000000"], "--threads 1000000000: expected 1 to 1024"),
        (
            ["--tasks", "depth", "edges", "--auxiliary", "edges"],
            "--tasks and --auxiliary edges: expected a task in one",
        ),
        (["--auxiliary", "depth", "depth"], "--auxiliary depth depth: expected each once"),
        (["--width", "1e5"], "--width 100000, --network small: expected above 0, at most 32"),
        (["--size", "32"], "--size 32: expected INT INT"),
        (["--size"], "--size (nothing): expected INT INT"),
        (["--size", "it's", "3"], "--size it's 3: expected INT INT"),
        (["--updates", "1.5"], "--updates 1.5: expected INT"),
        (["--seeds", "a", "1"], "--seeds a 1: expected [INT [INT ...]]"),
        (["--methods", "equal/fast"], "--methods equal/fast"),
        (["--seeds", "-1"], "--seeds -1: expected 0 to 18446744073709551615"),
        (["--seeds", f"{2**64}"], f"--seeds {2**64}: expected 0 to"),
        (["--auxiliary", "segmentation", "depth", "normals", "edges"], "expected some other task that counts"),
        (["--network", "large"], "--network large: expected one of small, digits, segnet"),
        (["--network", "segnet", "--size", "40", "40"], "--size 40 40: expected multiples of 32"),
        (["--tasks", "depth"], "--tasks depth: expected two or more"),
        (["--data", "imagenet"], "--data imagenet: expected one of scenes, views, digits, nyud"),
        (["--data", "digits", "--network", "small", "--size", "16", "16"], "multiples of 8, 32 or more"),
        (
            ["--data", "views", "--network", "resnet18"],
            "--network resnet18: expected with --data views one of small, segnet",
        ),
        (["--data", "nyud"], "--folder with a public data set"),
        (["--folder", "here"], "--folder with a public data set"),
        (["--corrupt", "depth", "--shares", "2"], "--shares 2.0: expected 0 to 1"),
        (["--data", "nyud", "--folder", "here", "--corrupt", "depth"], "--data scenes or views or digits with it"),
        (["--corrupt", "sound"], "task sound"),
        (["--tasks", "depth", "taste"], "task taste"),
        (["--methods", "no-such"], "--methods no-such"),
    ],
)
def test_bad_options_are_refused(tmp_path, options, words, capsys):
    assert main(["mtl-bench", str(tmp_path / "out"), *TINY, *options]) == 2
    assert words in capsys.readouterr().err
