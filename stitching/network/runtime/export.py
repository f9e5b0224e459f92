"""Writing the graphs of a network as ONNX files, and checking that they compute what torch does."""

import json
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional

from stitching.errors import InputError, JobError
from stitching.io.files import AnyPath, atomic_write, check_folder, check_writable
from stitching.network.interface import GraphInterface, Planes
from stitching.network.runtime.onnx_runtime import FORMAT, VERSION, OnnxRuntime
from stitching.network.runtime.sealed_file import seal
from stitching.network.runtime.torch_graphs import TORCH_GRAPHS, TorchGraph
from stitching.network.runtime.torch_runtime import TorchRuntime
from stitching.network.stitching_network import StitchingNetwork

Precision = Literal["fp32", "fp16"]
Differences = dict[str, dict[str, float]]  # graph -> output -> largest difference, px or shares

OPSET = 18  # of ONNX
MAX_DIFFERENCE = 1e-3  # px, or shares, of a file from torch
_SMALL_TENSOR = 1024  # values; tensors of fewer stay in single precision
_TRACED_SIZE, _CHECKED_SIZE = (64, 96), (136, 104)  # (h, w) px; checked on odd numbers of cells


def export_network(
    network: StitchingNetwork, folder: AnyPath, facts: Mapping[str, Any], precision: Precision = "fp32"
) -> Differences:
    """Write each graph of a network into a folder, as `load_runtime` takes it: all of them, or none.

    Args:
        network: in evaluation mode afterwards.
        folder: created where there is none.
        facts: what the files say about the weights; anything that JSON holds.
        precision: fp16 stores large weights in half precision; it computes in float32 either way.

    Returns:
        How far each output is off from torch at most, on a random window.

    Raises:
        InputError: nothing can be written there, or the weights do not fit into fp16.
        JobError: writing failed, or a file does not compute what torch does.
    """
    folder = Path(folder)
    check_folder(folder)
    stored = _rounded_to_half(network) if precision == "fp16" else network
    metadata = {"format": FORMAT, "version": VERSION, "precision": precision, "architecture": json.dumps(dict(facts))}
    differences: Differences = {}
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:  # no file is replaced before all are checked
        for graph in TORCH_GRAPHS:
            name = graph.interface.name
            path = folder / f"{name}.onnx"
            check_writable(path)
            temporary = files.enter_context(atomic_write(path))
            _write(graph(stored), temporary, metadata | {"graph": name})
            _check(temporary, graph(stored), path)
            differences[name] = _differences(temporary, graph(network))
    return differences


def _rounded_to_half(network: StitchingNetwork) -> StitchingNetwork:
    """A copy with the weights that files of half precision hold."""
    rounded = deepcopy(network)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if weight.numel() > _SMALL_TENSOR:
                weight.copy_(weight.half())
                if not weight.isfinite().all():
                    raise InputError(f"{name} does not fit into half precision; use --precision fp32")
    return rounded


def _write(module: TorchGraph, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the graph of a module, for windows of any size, with metadata and seal."""
    _trace(module, path)
    model = onnx.load(path)
    if metadata["precision"] == "fp16":
        _halve_weights(model)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    path.write_bytes(seal(model.SerializeToString()))


def _trace(module: TorchGraph, path: Path) -> None:
    graph = module.interface
    axes = {name: {2: "height", 3: "width"} for name in graph.inputs}
    axes |= {name: {2: "output_height", 3: "output_width"} for name in graph.outputs}
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter warns that it is deprecated, and of sizes that may have become constants of the graph: the check
        # with another size finds those.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(torch.from_numpy(plane) for plane in _window(graph, _TRACED_SIZE).values()),
            path,
            dynamo=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            # Norms are not merged into convolutions, whose weights would then be other numbers than the rounded ones.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )


def _halve_weights(model: ModelProto) -> None:
    """Store large float32 weights as float16 and cast them in the graph, which ONNX Runtime does when it opens it."""
    nodes = list(model.graph.node)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= _SMALL_TENSOR:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def _check(temporary: Path, module: TorchGraph, path: Path) -> None:
    """Raise JobError where a file does not compute what a module does; `path` is for the message."""
    differences = _differences(temporary, module)
    if too_far := {name: error for name, error in differences.items() if not error <= MAX_DIFFERENCE}:
        reason = f"it would differ from torch by {too_far}; at most {MAX_DIFFERENCE} is expected"
        raise JobError(f"{path}: not written, {reason}")


def _differences(path: Path, module: TorchGraph) -> dict[str, float]:
    """The largest difference of each output between a file and torch, on a random window."""
    graph = module.interface
    planes = _window(graph, _CHECKED_SIZE)
    expected, found = TorchRuntime(module, "cpu")(planes), OnnxRuntime.open(graph, path, "cpu")(planes)
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in graph.outputs}


def _window(graph: GraphInterface, size: tuple[int, int]) -> Planes:
    """Inputs: a smooth random picture and the same moved, each valid in part; a start, trusted in part."""
    generator = torch.Generator().manual_seed(0)
    h, w = size

    def smooth(channels: int, scale: int) -> Tensor:
        small = torch.rand(1, channels, h // scale, w // scale, generator=generator)
        return functional.interpolate(small, size, mode="bilinear", align_corners=False)

    picture = 0.6 * smooth(3, 8) + 0.4 * smooth(3, 2)
    valid = torch.ones(2, 1, 1, h, w)
    valid[0, ..., 3 * w // 4 :], valid[1, ..., : w // 4] = 0, 0
    moved = 0.9 * torch.roll(picture, (3, -5), (2, 3))
    planes = {
        "reference": picture * valid[0], "target": moved * valid[1],
        "reference_valid": valid[0], "target_valid": valid[1],
        "start": 8 * smooth(2, 8) - 4, "trusted": (smooth(1, 4) > 0.5).float(),
    }  # fmt: skip
    return {name: planes[name].numpy() for name in graph.inputs}
