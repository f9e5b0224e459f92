"""Exported graphs in ONNX Runtime, without torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, JobError, is_out_of_memory, one_line
from stitching.io.files import AnyPath
from stitching.network.interface import Device, GraphInterface, Planes
from stitching.network.runtime.checked_file import read_checked, restore_advice

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Before its import: else it writes an identifier into the temporary folder, and may send events to its makers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

FORMAT, VERSION = "parastitch-onnx", "2"
_CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True, eq=False)
class OnnxRuntime:
    """A `stitching.network.interface.Runtime` of a file that `parastitch export` wrote."""

    graph: GraphInterface
    path: str
    facts: dict[str, str]  # what the file says about itself
    session: "InferenceSession"

    @classmethod
    def open(cls, graph: GraphInterface, path: AnyPath, device: Device = "auto") -> "OnnxRuntime":
        """Read a file.

        Raises:
            InputError: it is missing or damaged, holds something else than the graph, or the device cannot be used.
            MemoryError: there is not enough.
        """
        return cls.of(graph, read_checked(path), str(path), device)

    @classmethod
    def of(cls, graph: GraphInterface, content: bytes, path: str, device: Device = "auto") -> "OnnxRuntime":
        """The content of a file; see `open`."""
        session = _open_session(content, path, device)
        facts = dict(session.get_modelmeta().custom_metadata_map)
        if (facts.get("format"), facts.get("version")) != (FORMAT, VERSION):
            raise InputError(
                f"{path}: format {facts.get('format')}, version {facts.get('version')}; this program reads {FORMAT}, "
                f"version {VERSION}; {restore_advice(path)}"
            )
        if facts.get("graph") != graph.name:
            raise InputError(f"{path}: holds the graph {facts.get('graph')}; expected {graph.name}; restore its name")
        return cls(graph, path, facts, session)

    @property
    def device(self) -> str:
        """Where it computes: cpu or cuda."""
        return "cuda" if _CUDA in self.session.get_providers() else "cpu"

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        """All outputs of the graph, by name. Raises InputError for wrong inputs, MemoryError, JobError."""
        self.graph.check(inputs)
        names = list(self.graph.outputs)
        try:
            found = self.session.run(names, {name: np.ascontiguousarray(plane) for name, plane in inputs.items()})
        except Exception as error:
            if is_out_of_memory(error):
                raise MemoryError from error
            raise JobError(f"{self.path}: ONNX Runtime failed ({one_line(error)})") from error
        planes = {name: np.asarray(field, np.float32) for name, field in zip(names, found, strict=True)}
        self.graph.check_outputs(planes)
        return planes


def _open_session(content: bytes, path: str, device: Device) -> "InferenceSession":
    """With device auto on the CPU where there is no GPU that can be used."""
    from onnxruntime import InferenceSession  # half a second

    providers, reason = _providers(device), "it finds none"
    try:
        session = InferenceSession(content, _session_options(), providers=providers)
    except Exception as error:  # onnxruntime's errors have no base of their own
        if is_out_of_memory(error):
            raise MemoryError from error
        reason = one_line(error)
        if _CUDA not in providers:
            raise InputError(f"{path}: ONNX Runtime cannot use it ({reason}); {restore_advice(path)}") from error
        session = _open_session(content, path, "cpu")  # raises where the file is at fault, not the GPU
    if device == "cuda" and _CUDA not in session.get_providers():  # mostly it falls back on the CPU by itself
        raise InputError(
            f"--device cuda: ONNX Runtime cannot use a GPU ({reason}); see that driver, CUDA and cuDNN are those that "
            "onnxruntime-gpu needs, or use --device cpu"
        )
    return session


def _session_options() -> Any:
    from onnxruntime import SessionOptions

    options = SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdigit() and int(threads) else cv2.getNumThreads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the CPU to others
    options.log_severity_level = 4  # fatal: errors are raised as exceptions anyway
    return options


def _providers(device: Device) -> list[str]:
    from onnxruntime import get_available_providers

    usable = device != "cpu" and _CUDA in get_available_providers()
    if device == "cuda" and not usable:
        raise InputError(
            "--device cuda: the installed ONNX Runtime has no CUDA; pip install onnxruntime-gpu in the place of "
            "onnxruntime, or use --device cpu"
        )
    return [_CUDA, "CPUExecutionProvider"] if usable else ["CPUExecutionProvider"]
