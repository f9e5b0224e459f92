"""What decides a result, as short hashes: a result is used again only where all of it is the same."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from datasets.digests import digest, file_digest
from stitching.network.runtime.checked_file import CHECKSUMS, SHIPPED

Facts = dict[str, str]  # what decides a result, by name -> its hash

_ROOT = Path(__file__).parents[2]  # of the installed packages
_HERE, _STITCHING = _ROOT / "apps" / "evaluation", _ROOT / "stitching"
PROGRAMS = _HERE / "programs"
STITCHER = (  # code of a stitch
    *sorted(_ROOT.glob("apps/*.py")), _ROOT / "apps" / "command", _ROOT / "apps" / "stitching_command", PROGRAMS,
    _HERE / "warp_methods.py", _STITCHING,
)  # fmt: skip
MEASURING = (
    _HERE / "measures", _HERE / "scoring.py", _HERE / "true_places.py",
    _STITCHING / "geometry", _STITCHING / "io", _STITCHING / "lens",
)  # fmt: skip

_LIBRARIES = (
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "onnxruntime",
    "onnxruntime-gpu",
    "pillow",
    "simplejpeg",
    "pi-heif",
    "rawpy",
    "tifffile",
    "lensfunpy",
)
_NETWORK_LIBRARIES = ("torch", "safetensors", "ptlflow")  # of weights that are not exported
_VARIABLES = ("CUDA_", "MKL_", "OMP_", "OPENBLAS_", "OPENCV_", "ORT_", "PYTORCH_", "TORCH_")  # how names begin


def library_digest(*, networks: bool = False) -> str:
    """A hash of the versions of Python and of the libraries; networks: those that run what is not exported, too."""
    names = (*_LIBRARIES, *_NETWORK_LIBRARIES) if networks else _LIBRARIES
    return digest(platform.python_version(), *(f"{name} {_version(name)}" for name in names))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def weights_digest(path: Path | None) -> str:
    """A hash of the weights that ship, which every stitch may use, and of a file or exported folder beside them."""
    files = [*_exported(SHIPPED)]
    if path is not None:
        files += _exported(path) if path.is_dir() else [path] if path.is_file() else []
    return digest(*map(file_digest, files))


def _exported(folder: Path) -> list[Path]:
    return [file for file in (*sorted(folder.glob("*.onnx")), folder / CHECKSUMS) if file.is_file()]


def environment_digest(environment: Mapping[str, str]) -> str:
    """A hash of the environment variables that libraries for computing read."""
    return digest(*(f"{name}={value}" for name, value in sorted(environment.items()) if name.startswith(_VARIABLES)))
