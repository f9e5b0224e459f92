"""The networks in torch, used as the exported ones are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stitching.errors import InputError
from stitching.images import AnyPath
from stitching.network.exporting import ExportedNetwork
from stitching.network.weights import open_network
from stitching.running import Device, Fields, complete


@dataclass(frozen=True, eq=False)
class TorchRunner:
    """A `stitching.running.Runner` of weights that `parastitch train` wrote."""

    network: ExportedNetwork
    device: torch.device

    @classmethod
    def open(cls, path: AnyPath, device: Device = "auto") -> "TorchRunner":
        """Read a file; see `stitching.running.open_runner`."""
        there = torch.cuda.is_available()
        if device == "cuda" and not there:
            raise InputError("--device cuda: this machine has no such device; use --device cpu")
        chosen = torch.device("cuda" if there and device != "cpu" else "cpu")
        return cls(ExportedNetwork(open_network(path)).to(chosen), chosen)

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[np.float32]]) -> Fields:
        """As `Runner`."""
        planes = [torch.from_numpy(plane).to(self.device) for plane in complete(outputs, inputs).values()]
        with torch.inference_mode():
            found = self.network.fields(outputs, planes)
        return {name: found[name].cpu().numpy() for name in outputs}
