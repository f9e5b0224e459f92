"""The networks in torch, used as the exported ones are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stitching.errors import InputError, JobError
from stitching.io.files import AnyPath
from stitching.network.runtime.export import ExportedNetwork
from stitching.network.runtime.onnx_runtime import Device, Fields, complete, one_line
from stitching.network.weights import open_network


@dataclass(frozen=True, eq=False)
class TorchRunner:
    """A `stitching.network.runtime.onnx_runtime.Runner` of weights that `parastitch train` wrote."""

    network: ExportedNetwork
    place: torch.device

    @classmethod
    def open(cls, path: AnyPath, device: Device = "auto") -> "TorchRunner":
        """Read a file; see `open_runner`."""
        there = torch.cuda.is_available()
        if device == "cuda" and not there:
            raise InputError("--device cuda: this machine has no such device; use --device cpu")
        chosen = torch.device("cuda" if there and device != "cpu" else "cpu")
        return cls(ExportedNetwork(open_network(path)).to(chosen), chosen)

    @property
    def device(self) -> str:
        """As `Runner`."""
        return self.place.type

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        """As `Runner`."""
        given = complete(outputs, inputs)
        try:
            with torch.inference_mode():
                planes = [torch.from_numpy(plane).to(self.place) for plane in given.values()]
                found = self.network.fields(outputs, planes)
                return {name: found[name].cpu().numpy() for name in outputs}
        except RuntimeError as error:  # out of memory, mostly
            raise JobError(f"the network failed on {self.device} ({one_line(error)})") from error
