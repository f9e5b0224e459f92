"""`parastitch train` on the command line."""

from dataclasses import replace
from functools import partial

import pytest
from training_runs import nan_weights, quiet

from apps.cli import main
from apps.training.checkpoints import BEST, LAST
from apps.training.trainer import train


def test_the_command_trains_and_writes_its_log(folder, tmp_path, capsys):
    arguments = (
        f"train flow {tmp_path / 'run'} --data {folder} --validation {folder} --size 64 64 --batch-size 2 --steps 2 "
        "--matching-steps 0 --precision fp32 --workers 0 --threads 1 --device cpu --log-every 1"
    ).split()
    assert main(arguments) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines][-5:] == ["step", "step", "validation", "finished:", "saved"]
    assert max(map(len, lines[:-1])) < 120
    assert (tmp_path / "run" / BEST).exists()
    assert main([*arguments, "--rate", "1"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "holds another run (rate 0.0004, not 1.0)" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly", "out"], "fly"),
        (["joint"], "missing: PATH (folder of the run"),
        (["joint", "out", "--steps", "0"], "--steps 0: expected 1 or more"),
        (["joint", "out", "--size", "60", "64"], "--size 60 64: expected multiples of 8"),
        (["joint", "out", "--precision", "fp8"], "fp8"),
        (["joint", "out", "--data", "gone", "--validation", "gone", "--device", "cpu"], "gone/dataset.json"),
        (["joint", "out", "--begin-from", "gone.safetensors", "--device", "cpu"], "cannot read gone.safetensors"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("parastitch: ")
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out" / LAST).exists()


def test_a_failed_run_is_code_1(options, tmp_path, capsys, monkeypatch):
    from apps import train as command

    broken = replace(options, begin_from=nan_weights(tmp_path / "nan.safetensors"))
    monkeypatch.setattr(command, "train_command", partial(train, "joint", tmp_path / "run", broken, quiet))
    monkeypatch.setattr("apps.cli.parse_options", lambda call, *_: call)
    assert main(["train"]) == 1
    assert "loss of task 'matching' is nan" in capsys.readouterr().err
