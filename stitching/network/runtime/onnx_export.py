"""Writing the graphs of a network as ONNX files, and checking that they compute what torch does."""

import json
import tempfile
import warnings
from collections.abc import Mapping
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
from stitching.network.runtime.checked_file import CHECKSUMS, checksum_line
from stitching.network.runtime.onnx_runtime import FORMAT, VERSION, OnnxRuntime
from stitching.network.runtime.torch_graphs import TORCH_GRAPHS, TorchGraph
from stitching.network.runtime.torch_runtime import TorchRuntime
from stitching.network.stitching_network import StitchingNetwork

Precision = Literal["fp32", "fp16"]
Differences = dict[str, dict[str, float]]  # graph -> output -> largest difference, px or shares

EXPORTED_FILES = (*(f"{graph.interface.name}.onnx" for graph in TORCH_GRAPHS), CHECKSUMS)
OPSET = 18  # of ONNX
MAX_DIFFERENCE = 1e-3  # px, or shares, of a file from torch
_SMALL_TENSOR = 1024  # values; tensors of fewer stay in single precision
_TRACED_SIZE, _CHECKED_SIZE = (64, 96), (136, 104)  # (h, w) px; checked on odd numbers of cells


def export_network(
    network: StitchingNetwork, folder: AnyPath, facts: Mapping[str, Any], precision: Precision = "fp32"
) -> Differences:
    """Write the graphs of a network into a folder, as `load_runtime` takes it, after all of them were checked.

    Args:
        network: in evaluation mode afterwards.
        folder: created where there is none.
        facts: what the files say about the weights; anything that JSON holds.
        precision: fp16 stores large weights in half precision; it computes in float32 either way.

    Returns:
        How far each output is off from torch with the stored weights at most, on a random window.

    Raises:
        InputError: nothing can be written there, it has checksums of other files, or the weights do not fit into fp16.
        JobError: writing failed, or a file does not compute what torch does.
    """
    folder = Path(folder)
    check_folder(folder)
    _check_checksums(folder / CHECKSUMS)
    stored = _rounded_to_half(network.eval()) if precision == "fp16" else network
    metadata = {"format": FORMAT, "version": VERSION, "precision": precision, "architecture": json.dumps(dict(facts))}
    contents: dict[str, bytes] = {}
    differences: Differences = {}
    for graph, file in zip(TORCH_GRAPHS, EXPORTED_FILES, strict=False):
        name = graph.interface.name
        content = _encode(graph(stored), metadata | {"graph": name})
        contents[file], differences[name] = content, _check(content, graph(stored))
    contents[CHECKSUMS] = "".join(checksum_line(name, content) for name, content in contents.items()).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        check_writable(folder / name)
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
    return differences


def _check_checksums(path: Path) -> None:
    """Raise InputError where a file of checksums has lines of other files than ours: it is somebody's."""
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        name = line.partition("  ")[2]
        if name not in EXPORTED_FILES:
            raise InputError(f"{path} has a line {line[:99]!r}, which is of no exported file; choose another folder")


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


def _encode(module: TorchGraph, metadata: Mapping[str, str]) -> bytes:
    """The graph of a module as ONNX, for windows of any size."""
    model = _trace(module)
    if metadata["precision"] == "fp16":
        _halve_weights(model)
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _trace(module: TorchGraph) -> ModelProto:
    graph = module.interface
    axes = {name: {2: "height", 3: "width"} for name in graph.inputs}
    axes |= {name: {2: "output_height", 3: "output_width"} for name in graph.outputs}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        path = Path(folder) / "graph.onnx"
        # torch's older exporter: deprecated, works up to torch 2.13 at least; the newer one is 35 to 50 times slower.
        # It also warns of sizes that may have become constants of the graph; the check with another size finds those.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(torch.from_numpy(plane) for plane in random_inputs(graph, *_TRACED_SIZE).values()),
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
        return onnx.load(path)


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


def _check(content: bytes, module: TorchGraph) -> dict[str, float]:
    """The largest difference of each output between a file and torch; JobError where one is too large."""
    differences = _differences(content, module)
    if too_far := {name: error for name, error in differences.items() if not error <= MAX_DIFFERENCE}:
        reason = f"it would differ from torch by {too_far}; at most {MAX_DIFFERENCE} is expected"
        raise JobError(f"{module.interface.name}.onnx: not written, {reason}")
    return differences


def _differences(content: bytes, module: TorchGraph) -> dict[str, float]:
    """The largest difference of each output between a file and torch, on a random window."""
    graph = module.interface
    planes = random_inputs(graph, *_CHECKED_SIZE)
    expected, found = TorchRuntime(module, "cpu")(planes), OnnxRuntime.of(graph, content, graph.name, "cpu")(planes)
    return {name: float(np.abs(found[name] - expected[name]).max()) for name in graph.outputs}


def random_inputs(graph: GraphInterface, h: int, w: int, seed: int = 0) -> Planes:
    """A smooth random picture and the same moved, each valid in part; a smooth start, trusted in spots."""
    generator = torch.Generator().manual_seed(seed)

    def smooth(channels: int, scale: int) -> Tensor:
        small = torch.rand(1, channels, h // scale, w // scale, generator=generator)
        return functional.interpolate(small, (h, w), mode="bilinear", align_corners=False)

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
