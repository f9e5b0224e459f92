"""Training examples of photographs as safetensors files, so that they are made once."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from datasets.examples.example import Example
from stitching.errors import InputError
from stitching.io.files import atomic_write


def save_example(path: Path, example: Example) -> None:
    """Write an example without truth; `start` as half-precision floats, with a relative error below 0.001."""
    from safetensors.numpy import save_file

    parts = {part.name: getattr(example, part.name) for part in fields(Example) if part.name != "truth"}
    packed = {name: np.ascontiguousarray(a, np.float16 if name == "start" else a.dtype) for name, a in parts.items()}
    with atomic_write(path) as temporary:
        save_file(packed, temporary)


def load_example(path: Path) -> Example:
    """Read what `save_example` wrote. Raises InputError where the file is missing, damaged or something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        parts: dict[str, Any] = load_file(path)
        return Example(**parts | {"start": parts["start"].astype(np.float32)}, truth=None)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; expected a prepared example") from error
    except (SafetensorError, KeyError, TypeError) as error:  # the last two: parts are missing or unknown
        raise InputError(f"{path}: no prepared example, or a damaged one; delete it, it will be made again") from error
