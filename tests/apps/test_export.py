"""`parastitch export` from the command line."""

from pathlib import Path

import numpy as np
import pytest
import torch

from apps.cli import main
from stitching.network.interface import GRAPHS, MATCHING
from stitching.network.runtime.checked_file import SHIPPED
from stitching.network.runtime.network_files import load_runtime
from stitching.network.weights import save_weights

TRAINED = SHIPPED / "network.safetensors"


def test_writes_files_that_run_and_says_how_far_they_are_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "exported"
    assert main(["export", str(TRAINED), "-o", str(folder), "--precision", "fp16"]) == 0
    printed = capsys.readouterr()
    assert all(f"  {graph.name}: {name} " in printed.out for graph in GRAPHS for name in graph.outputs)
    assert f"written: {folder / 'matching.onnx'} (3.8 MB)" in printed.out
    assert not printed.err
    assert {file.name for file in folder.iterdir()} == {"SHA256SUMS", *(f"{graph.name}.onnx" for graph in GRAPHS)}
    planes = {name: np.full((1, channels, 32, 48), 0.5, np.float32) for name, channels in MATCHING.inputs.items()}
    assert load_runtime(MATCHING, str(folder), "cpu")(planes)["forward_matches"].shape == (1, 2, 4, 6)


def test_the_weights_that_ship_are_one_network() -> None:
    """The exported files differ from the .safetensors file by the rounding of half precision."""
    window = np.random.default_rng(0)
    for graph in GRAPHS:
        planes = {name: window.random((1, c, 64, 96), np.float32) for name, c in graph.inputs.items()}
        exported, trained = (load_runtime(graph, weights, "cpu")(planes) for weights in ("", str(TRAINED)))
        for name in graph.outputs:
            assert np.median(np.abs(exported[name] - trained[name])) < 1e-3, name


def test_bad_input_is_refused_in_one_line_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(TRAINED.read_bytes()[:-1])
    other, folder = tmp_path / "other.safetensors", tmp_path / "folder"
    save_weights(other, {"warping.network.weight": torch.zeros(1)}, {"flow": "ptlflow:raft"})
    cases = [
        ((tmp_path / "none.safetensors", folder), "no such file"),
        ((cut, folder), "damaged or cut short"),
        ((other, folder), "holds the flow network ptlflow:raft; use --warp ptlflow:raft:"),
        ((TRAINED, cut), "is no folder that can be written to"),
        ((TRAINED, folder, "--precision", "int8"), "int8"),
    ]
    for (weights, output, *more), words in cases:
        assert main(["export", str(weights), "-o", str(output), *more]) == 2
        printed = capsys.readouterr()
        assert words in printed.err
        assert printed.err.count("\n") == 1
        assert not printed.out
    assert {file.name for file in tmp_path.iterdir()} == {cut.name, other.name}


def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("apps.export.find_spec", lambda package: None if package == "onnx" else package)
    assert main(["export", str(TRAINED), "-o", "folder"]) == 2
    assert "export needs onnx: pip install 'parastitch[train]'" in capsys.readouterr().err
