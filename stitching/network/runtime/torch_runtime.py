"""Graphs of weights in torch, run as exported ones are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stitching.errors import JobError, one_line
from stitching.io.files import AnyPath
from stitching.network.devices import require_device
from stitching.network.interface import Device, GraphInterface, Planes
from stitching.network.runtime.torch_graphs import TorchGraph, torch_graph
from stitching.network.weights import open_network


@dataclass(frozen=True, eq=False)
class TorchRuntime:
    """A `stitching.network.interface.Runtime` of a file that `parastitch train` wrote."""

    module: TorchGraph
    device: str  # cpu or cuda

    @classmethod
    def open(cls, graph: GraphInterface, path: AnyPath, device: Device = "auto") -> "TorchRuntime":
        """Read a file. Raises InputError as `open_network`, and where there is no such device."""
        require_device(device)
        chosen = "cuda" if torch.cuda.is_available() and device != "cpu" else "cpu"
        return cls(torch_graph(graph, open_network(path)).to(chosen), chosen)

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        """All outputs of the graph, by name. Raises InputError for wrong inputs, JobError where computing fails."""
        graph = self.module.interface
        graph.check(inputs)
        try:
            with torch.inference_mode():
                planes = [torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self.device) for name in graph.inputs]
                outputs = self.module(*planes)
                return {name: plane.cpu().numpy() for name, plane in zip(graph.outputs, outputs, strict=True)}
        except RuntimeError as error:  # out of memory, mostly
            raise JobError(f"the network failed on {self.device} ({one_line(error)})") from error
