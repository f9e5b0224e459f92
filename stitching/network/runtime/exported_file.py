"""Files of exported networks: ONNX that ends in the checksum of all that lies before."""

import hashlib
from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import AnyPath

FORMAT, VERSION = "parastitch-onnx", "1"
SHIPPED = Path(__file__).parents[2] / "weights" / "network.onnx"  # beside it network.sha256, of the whole file

_KEY = b"sha256"
_DIGITS = 64
# Protocol buffers may be continued by appending: one more entry (key 1, value 2) of ModelProto.metadata_props (14).
_BEFORE = bytes([14 << 3 | 2, 2 + len(_KEY) + 2 + _DIGITS, 1 << 3 | 2, len(_KEY)]) + _KEY + bytes([2 << 3 | 2, _DIGITS])
_SEAL = len(_BEFORE) + _DIGITS  # bytes


def sealed(model: bytes) -> bytes:
    """An ONNX model with its SHA-256 as one more entry of its metadata, at the end."""
    return model + _BEFORE + _digest(model)


def read_model(path: AnyPath) -> bytes:
    """The content of a file that `parastitch export` wrote.

    Raises InputError where it cannot be read, was damaged or cut short, or is another's; where it is the one that
    ships, also where its hash is not the one that ships beside it.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        expected = SHIPPED.with_suffix(".sha256").read_text().split() if path == SHIPPED else []
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "damaged"
        name = getattr(error, "filename", None) or path
        raise InputError(f"cannot read {name}: {said}; {how_to_get_back(path)}") from error
    model, seal = content[:-_SEAL], content[-_SEAL:]
    if not seal.startswith(_BEFORE):
        raise InputError(
            f"{path}: no network that `parastitch export` wrote, or damaged or cut short; {how_to_get_back(path)}"
        )
    if seal != _BEFORE + _digest(model):
        raise InputError(f"{path}: damaged, its content has changed since it was written; {how_to_get_back(path)}")
    if path == SHIPPED and expected[:1] != [hashlib.sha256(content).hexdigest()]:
        raise InputError(f"{path}: not the file that belongs to this version; {how_to_get_back(path)}")
    return content


def how_to_get_back(path: AnyPath) -> str:
    """What to do about a file that is missing or bad."""
    if Path(path) == SHIPPED:
        return "reinstall parastitch (in its source folder: pip install --force-reinstall --no-deps .)"
    return "write it again: parastitch export WEIGHTS.safetensors -o FILE.onnx"


def _digest(model: bytes) -> bytes:
    return hashlib.sha256(model).hexdigest().encode()
