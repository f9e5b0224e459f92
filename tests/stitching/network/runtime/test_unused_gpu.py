import sys
from types import SimpleNamespace

import pytest

from stitching.network.runtime.unused_gpu import notes_on_unused_gpu


@pytest.fixture(autouse=True)
def devices(tmp_path, monkeypatch):
    """A machine with one GPU, whose ONNX Runtime knows the CPU alone."""
    (tmp_path / "nvidia0").touch()
    (tmp_path / "nvidiactl").touch()
    monkeypatch.setattr("stitching.network.runtime.unused_gpu.DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    build_with(monkeypatch, "CPUExecutionProvider")
    return tmp_path


def build_with(monkeypatch, *providers):
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(get_available_providers=lambda: list(providers)))


@pytest.mark.parametrize(
    ("methods", "advice"),
    [
        (["matches", "seam"], "install onnxruntime-gpu"),
        (["classical", "network"], "install onnxruntime-gpu"),
        (["matches:run/best.safetensors", "seam"], "torch with CUDA"),
        (["ptlflow:raft", "seam"], "torch with CUDA"),
    ],
)
def test_a_network_on_the_cpu_beside_a_gpu_is_told_once(methods, advice):
    (note,) = notes_on_unused_gpu(methods, "auto", "cpu")
    assert "there is an NVIDIA GPU" in note
    assert advice in note


def test_a_build_for_cuda_that_finds_no_gpu_gets_other_advice(monkeypatch):
    build_with(monkeypatch, "CUDAExecutionProvider", "CPUExecutionProvider")
    (note,) = notes_on_unused_gpu(["matches"], "auto", "cpu")
    assert "driver, CUDA and cuDNN" in note


@pytest.mark.parametrize(
    ("methods", "device", "used"),
    [(["classical", "seam"], "auto", "cpu"), (["homography", "seam"], "auto", "cpu"),
     (["matches"], "cpu", "cpu"), (["matches"], "auto", "cuda")],
)  # fmt: skip
def test_nothing_is_told_where_no_gpu_was_missed(methods, device, used):
    assert notes_on_unused_gpu(methods, device, used) == []


def test_nothing_is_told_without_a_gpu_or_where_it_is_hidden(devices, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert notes_on_unused_gpu(["matches"], "auto", "cpu") == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (devices / "nvidia0").unlink()
    assert notes_on_unused_gpu(["matches"], "auto", "cpu") == []
