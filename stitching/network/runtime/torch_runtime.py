"""Graphs of weights in torch, run as exported ones are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from stitching.errors import JobError, one_line
from stitching.io.files import AnyPath
from stitching.network.devices import choose_device
from stitching.network.interface import Device, GraphInterface, Planes
from stitching.network.runtime.torch_graphs import TorchGraph, torch_graph
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import open_network


@dataclass(frozen=True, eq=False)
class TorchRuntime:
    """A `stitching.network.interface.Runtime` of a file that `parastitch train` wrote."""

    module: TorchGraph
    device: str  # cpu or cuda

    @classmethod
    def open(cls, graph: GraphInterface, path: AnyPath, device: Device = "auto") -> "TorchRuntime":
        """Read a file, once for all graphs. Raises InputError as `open_network`, and where there is no such device."""
        chosen = choose_device(device)
        modified = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
        return cls(torch_graph(graph, _opened(str(path), chosen, modified)), chosen)

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        """All outputs of the graph, by name. Raises InputError for wrong inputs, JobError where computing fails."""
        self.module.interface.check(inputs)
        try:
            with torch.inference_mode():
                tensors = {
                    name: torch.from_numpy(np.ascontiguousarray(plane)).to(self.device)
                    for name, plane in inputs.items()
                }
                found = {name: plane.cpu().numpy() for name, plane in self.module.compute(tensors).items()}
        except RuntimeError as error:  # out of memory, mostly
            raise JobError(f"the network failed on {self.device} ({one_line(error)})") from error
        self.module.interface.check_outputs(found)
        return found


@lru_cache(maxsize=2)  # an evaluation compares one network for the warp with one for the blend
def _opened(path: str, device: str, _modified: int) -> StitchingNetwork:
    return open_network(path).to(device)
