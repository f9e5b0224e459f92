"""Files of exported graphs: ONNX that ends in the checksum of all that lies before."""

import hashlib
from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import AnyPath

SHIPPED = Path(__file__).parents[2] / "weights"  # folder of the exported graphs that come with the package
CHECKSUMS = "SHA256SUMS"  # in that folder: the hash of each whole file, as `sha256sum` writes it

_KEY = b"sha256"
_DIGITS = 64
# Protocol buffers may be continued by appending: one more entry (key 1, value 2) of ModelProto.metadata_props (14).
_PREFIX = bytes([14 << 3 | 2, 2 + len(_KEY) + 2 + _DIGITS, 1 << 3 | 2, len(_KEY)]) + _KEY + bytes([2 << 3 | 2, _DIGITS])
_SEAL_SIZE = len(_PREFIX) + _DIGITS  # bytes


def seal(model: bytes) -> bytes:
    """An ONNX model with its SHA-256 as one more entry of its metadata, at the end."""
    return model + _PREFIX + _digest(model)


def read_sealed(path: AnyPath) -> bytes:
    """The content of a file that `parastitch export` wrote.

    Raises InputError where it cannot be read, is damaged or cut short, or was written by something else; of the files
    that ship, also where the hash is not the one in `CHECKSUMS`.
    """
    path = Path(path)
    content = _read(path)
    model, found = content[:-_SEAL_SIZE], content[-_SEAL_SIZE:]
    if not found.startswith(_PREFIX):
        raise InputError(
            f"{path}: not a file that `parastitch export` wrote, or damaged or cut short; {restore_advice(path)}"
        )
    if found != _PREFIX + _digest(model):
        raise InputError(f"{path}: damaged, its content has changed since it was written; {restore_advice(path)}")
    if path.parent == SHIPPED and f"{hashlib.sha256(content).hexdigest()}  {path.name}" not in _checksums():
        raise InputError(f"{path}: not the file that belongs to this version; {restore_advice(path)}")
    return content


def restore_advice(path: AnyPath) -> str:
    """What to do about a file that is missing or bad."""
    if Path(path).parent == SHIPPED:
        return "reinstall parastitch (in its source folder: pip install --force-reinstall --no-deps .)"
    return "write it again: parastitch export WEIGHTS.safetensors -o FOLDER"


def _checksums() -> list[str]:
    return _read(SHIPPED / CHECKSUMS).decode(errors="replace").splitlines()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; {restore_advice(path)}") from error


def _digest(model: bytes) -> bytes:
    return hashlib.sha256(model).hexdigest().encode()
