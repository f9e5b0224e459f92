"""Trained weights by name: those that ship, an exported folder, or a file of a training."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import expand_home
from stitching.network.interface import Device, GraphInterface, Runtime
from stitching.network.runtime.checked_file import SHIPPED, restore_advice


def graph_file(graph: GraphInterface, weights: str = "") -> Path:
    """The file that holds a graph.

    Args:
        graph: one of `stitching.network.interface.GRAPHS`.
        weights: a folder that `parastitch export` wrote, a .safetensors file that `parastitch train` wrote, or "": the
            weights that ship.

    Raises:
        InputError: there is no such file, or it needs a package that is not installed.
    """
    path = expand_home(weights) if weights else SHIPPED  # the shell leaves a ~ behind a colon as it is
    if path.suffix == ".safetensors" and path.is_file():
        if missing := [package for package in ("torch", "safetensors") if find_spec(package) is None]:
            raise InputError(f"{path} needs {' and '.join(missing)}: pip install 'parastitch[train]'")
        return path
    file = path / f"{graph.name}.onnx"
    if file.is_file():
        return file
    if path == SHIPPED:
        raise InputError(f"no weights at {file}: {restore_advice(file)}")
    if path.suffix == ".onnx" and path.is_file():
        raise InputError(
            f"{path} is a single file: expected the folder that `parastitch export` wrote, with {file.name}"
        )
    raise InputError(
        f"no weights at {path}: expected a .safetensors file that `parastitch train` wrote, or a folder with "
        f"{file.name} that `parastitch export` wrote"
    )


def load_runtime(graph: GraphInterface, weights: str = "", device: Device = "auto") -> Runtime:
    """A graph ready to compute; opened once, then kept.

    Args:
        graph, weights: as for `graph_file`.
        device: auto: a GPU where there is one that the installed packages can use.

    Raises:
        InputError: as `graph_file`; the file is damaged, or holds something else; the device cannot be used.
    """
    path = graph_file(graph, weights)
    return _opened(graph, path, device, path.stat().st_mtime_ns)


@lru_cache(maxsize=6)  # three graphs of two networks: an evaluation compares one for the warp with one for the blend
def _opened(graph: GraphInterface, path: Path, device: Device, _modified: int) -> Runtime:
    if path.suffix == ".onnx":
        from stitching.network.runtime.onnx_runtime import OnnxRuntime

        return OnnxRuntime.open(graph, path, device)
    from stitching.network.runtime.torch_runtime import TorchRuntime  # torch, seconds

    return TorchRuntime.open(graph, path, device)
