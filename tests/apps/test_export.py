"""`parastitch export` from the command line."""

from pathlib import Path

import numpy as np
import pytest

from apps.cli import main
from stitching.network.runtime import export as exporting
from stitching.network.runtime.onnx_runtime import OUTPUTS, open_runner

TRAINED = Path(exporting.__file__).parents[2] / "weights" / "network.safetensors"


def test_writes_a_file_that_runs_and_says_how_far_it_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.onnx"
    assert main(["export", str(TRAINED), "-o", str(path), "--precision", "fp16"]) == 0
    printed = capsys.readouterr()
    assert all(f"  {name} " in printed.out for name in OUTPUTS)
    assert f"written: {path} (8.1 MB)" in printed.out
    assert not printed.err
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    picture = np.full((1, 3, 32, 48), 0.5, np.float32)
    assert open_runner(path, "cpu")(["warp"], {"target": picture})["warp"].shape == (1, 2, 32, 48)


def test_bad_input_is_refused_in_one_line_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(TRAINED.read_bytes()[:-1])
    old = tmp_path / "old.onnx"
    old.write_bytes(b"old")
    cases = [
        ((TRAINED, tmp_path / "network.pt"), "expected a name that ends in .onnx"),
        ((tmp_path / "none.safetensors", old), "No such file"),
        ((cut, old), "damaged or cut short"),
        ((TRAINED, tmp_path / "none" / "network.onnx"), "does not exist; create it first"),
        ((TRAINED, old, "--precision", "int8"), "int8"),
    ]
    for (weights, output, *more), words in cases:
        assert main(["export", str(weights), "-o", str(output), *more]) == 2
        printed = capsys.readouterr()
        assert words in printed.err
        assert printed.err.count("\n") == 1
        assert not printed.out
    assert old.read_bytes() == b"old"
    assert {file.name for file in tmp_path.iterdir()} == {cut.name, old.name}


def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("apps.export.find_spec", lambda package: None if package == "onnx" else package)
    assert main(["export", str(TRAINED), "-o", "network.onnx"]) == 2
    assert "export needs onnx: pip install 'parastitch[train]'" in capsys.readouterr().err
