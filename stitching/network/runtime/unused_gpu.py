"""That there is a GPU on which networks could have computed, and did not."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from stitching.network.interface import Device

DEVICES = Path("/dev")  # where the driver of an NVIDIA GPU shows it to this system, or container
_NETWORKS = ("matches", "network", "ptlflow")  # methods that are networks
_ADVICE_ONNX = "install onnxruntime-gpu in the place of onnxruntime"
_ADVICE_LIBRARIES = "see that driver, CUDA and cuDNN are those that onnxruntime-gpu needs"
_ADVICE_TORCH = "install a torch with CUDA"


def notes_on_unused_gpu(methods: Iterable[str], device: Device, used: str) -> list[str]:
    """One sentence where networks computed on the CPU beside an NVIDIA GPU, and nobody asked for that; else none.

    Args:
        methods: names of the warps and blends that made a panorama.
        device: where networks were to compute.
        used: where they did, "cpu" or "cuda".
    """
    networks = [name for name in methods if name.partition(":")[0] in _NETWORKS]
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    if not networks or device != "auto" or used == "cuda" or hidden or not any(DEVICES.glob("nvidia[0-9]*")):
        return []
    if any(name.startswith("ptlflow") or name.endswith(".safetensors") for name in networks):
        advice = _ADVICE_TORCH
    else:
        advice = _ADVICE_LIBRARIES if _has_cuda() else _ADVICE_ONNX
    return [
        f"there is an NVIDIA GPU, but the network computed on the CPU: to use it, {advice} (--device cpu: not told)"
    ]


def _has_cuda() -> bool:
    """Whether the ONNX Runtime that computed was built for CUDA."""
    runtime = sys.modules.get("onnxruntime")
    return runtime is not None and "CUDAExecutionProvider" in runtime.get_available_providers()
