"""What lies in the folder of a run already is only overwritten where it is of that run."""

import hashlib
import os

import pytest

from apps.cli import main
from apps.training.checkpoints import BEST, CURVE, LAST, STATE
from apps.training.options import TrainOptions
from apps.training.run_folder import check_run_folder
from stitching.errors import InputError


def hashes(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [BEST, LAST, CURVE])
@pytest.mark.parametrize("kind", ["file", "symbolic link", "hard link", "link to nothing"])
def test_files_without_a_state_are_somebodys(tmp_path, capsys, name, kind):
    run, other = tmp_path / "run", tmp_path / "other"
    run.mkdir()
    if kind != "link to nothing":
        other.write_bytes(b"weights of months")
    {"file": other.rename, "hard link": lambda path: os.link(other, path)}.get(
        kind, lambda path: path.symlink_to(other)
    )(run / name)
    before = hashes(tmp_path)
    assert main(["train", "joint", str(run), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), f"{run} holds {name}, but no {STATE}" in said) == (1, True), said
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("way", ["run/best.safetensors", "./run/../run/best.safetensors", "link", "hard", "{}/link"])
def test_the_weights_that_a_run_begins_from_are_no_file_of_the_run(tmp_path, monkeypatch, way):
    """Not even where a run is there to go on with."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    for name in (BEST, STATE):
        (tmp_path / "run" / name).write_bytes(b"of a run")
    (tmp_path / "link").symlink_to(f"run/{BEST}")
    os.link(f"run/{BEST}", "hard")
    begin_from, path = tmp_path / way.format(tmp_path), way.format(tmp_path)
    for given in (path, begin_from):
        with pytest.raises(InputError, match=rf"OUTPUT .*run/{BEST} would overwrite the input --begin-from"):
            check_run_folder(tmp_path / "run", TrainOptions(begin_from=given))
    with pytest.raises(InputError, match="would overwrite the input --flow"):
        check_run_folder(tmp_path / "run", TrainOptions(flow=f"ptlflow:raft:{path}"))


@pytest.mark.parametrize("option", ["data", "textures", "validation", "pairs", "validate_matches"])
def test_the_folder_of_a_run_is_no_input(tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a photograph")
    (tmp_path / "link").symlink_to("photos")
    options = TrainOptions(**{option: tmp_path / "photos"})
    for output in ("photos", "photos/.", "link"):
        with pytest.raises(InputError, match=f"would overwrite the input --{option.replace('_', '-')} "):
            check_run_folder(tmp_path / output, options)
    run = tmp_path / "run"
    run.mkdir()
    (run / STATE).touch()
    check_run_folder(run, options)
    (run / CURVE).symlink_to("../photos/a.jpg")
    with pytest.raises(InputError, match=CURVE):
        check_run_folder(run, options)
