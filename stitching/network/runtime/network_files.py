"""Trained networks by name: the one that ships, or a file."""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from stitching.errors import InputError
from stitching.network.runtime.exported_file import SHIPPED, how_to_get_back
from stitching.network.runtime.onnx_runtime import Device, Runner, open_runner


def find_network(name: str, file: str, device: Device) -> Callable[[], Runner]:
    """What opens the network of a file, once, when it is needed; without a file, the one that ships.

    Args:
        name: what the user wrote, for messages.
        file: an .onnx or .safetensors file; "" = the one that ships.
        device: as for `open_runner`.

    Raises:
        InputError: the file is missing, or a package that it needs.
    """
    path = Path(file).expanduser() if file else SHIPPED  # behind a colon no shell does it
    if not path.is_file():
        wanted = "expected a file that `parastitch train` or `parastitch export` wrote"
        raise InputError(f"no weights at {path}: {how_to_get_back(path) if path == SHIPPED else wanted}")
    if path.suffix != ".onnx" and find_spec("torch") is None:
        raise InputError(f"{name} needs the package torch: pip install 'parastitch[train]'")
    return lambda: _opened(path, device, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)  # a stitch may use one for the warp and another for the blend, an evaluation more
def _opened(path: Path, device: Device, _: int) -> Runner:
    return open_runner(path, device)
