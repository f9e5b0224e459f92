"""Running the trained networks without torch: fields in, fields out. The exported file runs in ONNX Runtime."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, JobError
from stitching.io.files import AnyPath
from stitching.network.interface import check_size
from stitching.network.runtime.exported_file import FORMAT, VERSION, how_to_get_back, read_model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# name -> channels of (1, c, h, w) on a window of the reference's plane, the target coarsely aligned
INPUTS = {
    "reference": 3,  # BGR 0 .. 1, black where not seen
    "target": 3,
    "reference_valid": 1,  # 0 or 1
    "target_valid": 1,
    "start": 2,  # px, a residual to begin with
    "trusted": 1,  # 0 .. 1, where the start stays as it is
}
# Parts of the networks and their outputs; a part runs where one of its outputs, or a part that needs it, is asked for.
PARTS = {
    "match": (
        "matches",  # (1, 2, h / 8, w / 8) px, displacement of every target cell to its best match in the reference
        "match_confidence",  # (1, 1, h / 8, w / 8) 0 .. 1, how likely it has one
    ),
    "match_back": (
        "back_matches",  # the same of every reference cell to the target
        "back_confidence",
    ),
    "move": (
        "warp",  # (1, 2, h, w) px: a target pixel q belongs at q + warp(q); the start where it is trusted
        "free",  # (1, 2, h, w) px, the same before the start was put back
        "confidence",  # (1, 1, h, w) 0 .. 1, how likely the reference sees the target's pixel
    ),
    "splat": (
        "backward",  # (1, 2, h, w) px, place in the target of every pixel of the window; its own where nothing landed
        "coverage",  # (1, 1, h, w) >= 0, how much of the target landed on it
    ),
    "blend": (
        "weight",  # (1, 1, h, w) 0 .. 1, the reference's share
        "gain",  # (1, 3, h, w) 1/4 .. 4, what the target's BGR is multiplied with
        "fill",  # (1, 3, h, w) BGR 0 .. 1, what holes show
    ),
}
NEEDS = {"match": (), "match_back": (), "move": (), "splat": ("move",), "blend": ("move", "splat")}
OUTPUTS = tuple(name for outputs in PARTS.values() for name in outputs)

Device = Literal["auto", "cpu", "cuda"]
Fields = dict[str, NDArray[np.float32]]  # name -> (1, c, h, w)
_CUDA = "CUDAExecutionProvider"


class Runner(Protocol):
    """A network that is ready to be used."""

    @property
    def device(self) -> str:
        """Where it computes: cpu or cuda."""

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        """The asked `OUTPUTS` of `INPUTS`; inputs that are left out are zeros, outputs not asked for cost nothing.

        Raises InputError for other names, shapes or sizes (sides are multiples of 8, 32 px or more).
        """


def open_runner(path: AnyPath, device: Device = "auto") -> Runner:
    """The network of a file: .onnx that `parastitch export` wrote, or .safetensors that `parastitch train` wrote.

    Args:
        path: the file; its extension decides.
        device: auto: a GPU where there is one that the installed packages can use.

    Raises:
        InputError: the file is missing, damaged, cut short or another's, or the device cannot be used.
    """
    if Path(path).suffix == ".onnx":
        return OnnxRunner.open(path, device)
    from stitching.network.runtime.torch_runtime import TorchRunner  # torch, seconds

    return TorchRunner.open(path, device)


@dataclass(frozen=True, eq=False)
class OnnxRunner:
    """An exported network in ONNX Runtime."""

    name: str  # path of the file
    facts: dict[str, str]  # what the file says about itself
    session: "InferenceSession"

    @classmethod
    def open(cls, path: AnyPath, device: Device = "auto") -> "OnnxRunner":
        """Read a file; see `open_runner`."""
        content = read_model(path)
        from onnxruntime import InferenceSession  # half a second

        try:
            session = InferenceSession(content, _options(), providers=_providers(device))
        except Exception as error:  # onnxruntime's errors have no base of their own
            said = f"ONNX Runtime cannot use it ({one_line(error)})"
            raise InputError(f"{path}: {said}; {how_to_get_back(path)}") from error
        if device == "cuda" and _CUDA not in session.get_providers():  # it falls back on the CPU by itself
            raise InputError("--device cuda: ONNX Runtime finds no GPU that it can use; use --device cpu")
        facts = dict(session.get_modelmeta().custom_metadata_map)
        found = facts.get("format"), facts.get("version")
        if found != (FORMAT, VERSION):
            raise InputError(
                f"{path}: format {found[0]}, version {found[1]}; this program reads {FORMAT}, version {VERSION}; "
                f"{how_to_get_back(path)}"
            )
        return cls(str(path), facts, session)

    @property
    def device(self) -> str:
        """As `Runner`."""
        return "cuda" if _CUDA in self.session.get_providers() else "cpu"

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        """As `Runner`."""
        planes = complete(outputs, inputs)
        asked = parts_of(outputs)
        switches = {part: np.array(part in asked) for part in PARTS}
        names = list(dict.fromkeys(outputs))
        try:
            found = self.session.run(names, {**planes, **switches}) if names else []
        except Exception as error:  # out of memory, mostly
            raise JobError(f"{self.name}: ONNX Runtime failed ({one_line(error)})") from error
        return {name: np.asarray(field, np.float32) for name, field in zip(names, found, strict=True)}


def parts_of(outputs: Collection[str]) -> set[str]:
    """The `PARTS` that must run for these outputs."""
    asked = [part for part, names in PARTS.items() if not set(names).isdisjoint(outputs)]
    return {needed for part in asked for needed in (part, *NEEDS[part])}


def complete(outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
    """All `INPUTS`, those left out as zeros. Raises InputError as `Runner`."""
    if unknown := [name for name in outputs if name not in OUTPUTS]:
        raise InputError(f"no output {unknown[0]!r}; known: {', '.join(OUTPUTS)}")
    if unknown := [name for name in inputs if name not in INPUTS]:
        raise InputError(f"no input {unknown[0]!r}; known: {', '.join(INPUTS)}")
    if not inputs:
        raise InputError(f"no input; expected some of {', '.join(INPUTS)}")
    name, plane = next(iter(inputs.items()))
    if plane.ndim != 4:
        raise InputError(f"input {name}: {plane.dtype} {plane.shape}; expected float32 (1, {INPUTS[name]}, h, w)")
    height, width = plane.shape[2:]
    check_size(height, width)
    planes = {}
    for name, channels in INPUTS.items():
        shape = 1, channels, height, width
        plane = inputs[name] if name in inputs else np.zeros(shape, np.float32)
        if plane.shape != shape or plane.dtype != np.float32:
            raise InputError(f"input {name}: {plane.dtype} {plane.shape}; expected float32 {shape}")
        planes[name] = np.ascontiguousarray(plane)
    return planes


def _options() -> Any:
    from onnxruntime import SessionOptions

    options = SessionOptions()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(asked) if asked.isdigit() and int(asked) else cv2.getNumThreads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the CPU to others
    options.log_severity_level = 4  # what fails is raised, too
    return options


def _providers(device: Device) -> list[str]:
    from onnxruntime import get_available_providers

    there = device != "cpu" and _CUDA in get_available_providers()
    if device == "cuda" and not there:
        raise InputError(
            "--device cuda: the installed ONNX Runtime has no CUDA; pip install onnxruntime-gpu in the place of "
            "onnxruntime, or use --device cpu"
        )
    return [_CUDA, "CPUExecutionProvider"] if there else ["CPUExecutionProvider"]


def one_line(error: Exception) -> str:
    """What a library says about an error, cut to 200 characters."""
    return " ".join(str(error).split())[:200]
