"""Files of exported graphs, which are read only if their checksum is the one beside them."""

from pathlib import Path

from stitching.errors import InputError
from stitching.io.files import AnyPath, check_readable

SHIPPED = Path(__file__).parents[2] / "weights"  # folder of the exported graphs that come with the package
CHECKSUMS = "SHA256SUMS"  # in each folder of exported graphs; `sha256sum -c` takes it, too


def checksum_line(name: str, content: bytes) -> str:
    """The line of a file in `CHECKSUMS`."""
    import hashlib  # and with it OpenSSL: 10 ms, where a network is used

    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def read_checked(path: AnyPath) -> bytes:
    """The content of a file. Raises InputError where it cannot be read, or its checksum is not in `CHECKSUMS`."""
    path = Path(path)
    content = _read(path)
    if checksum_line(path.name, content).encode() not in _read(path.with_name(CHECKSUMS)):
        raise InputError(f"{path}: damaged, or not the file that belongs to its {CHECKSUMS}; {restore_advice(path)}")
    return content


def restore_advice(path: AnyPath) -> str:
    """What to do about a file that is missing or bad."""
    if Path(path).parent == SHIPPED:
        return "reinstall parastitch (in its source folder: pip install --force-reinstall --no-deps .)"
    return "write it again: parastitch export WEIGHTS.safetensors -o FOLDER"


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_dir():  # a pipe may never end; the others get the advice below
        check_readable(path, "a file that `parastitch export` wrote")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; {restore_advice(path)}") from error
