"""Training examples as safetensors files, so that they are made once."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from datasets.examples.example import Example
from datasets.examples.windows import WindowTruth
from stitching.errors import InputError
from stitching.io.files import atomic_write


def save_example(path: Path, example: Example) -> None:
    """Write an example; residuals as half-precision floats, with a relative error below 0.001."""
    from safetensors.numpy import save_file

    truth = example.truth
    parts = {part.name: getattr(example, part.name) for part in fields(Example) if part.name != "truth"}
    parts |= {} if truth is None else {f"truth.{part.name}": getattr(truth, part.name) for part in fields(WindowTruth)}
    half = ("start", "truth.residual")
    packed = {name: np.ascontiguousarray(a, np.float16 if name in half else a.dtype) for name, a in parts.items()}
    with atomic_write(path) as temporary:
        save_file(packed, temporary)


def load_example(path: Path) -> Example:
    """Read what `save_example` wrote. Raises InputError where the file is missing, damaged or something else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        parts: dict[str, Any] = {
            name: a.astype(np.float32) if a.dtype == np.float16 else a for name, a in load_file(path).items()
        }
        of_truth = {name.removeprefix("truth."): parts.pop(name) for name in list(parts) if name.startswith("truth.")}
        return Example(**parts, truth=WindowTruth(**of_truth) if of_truth else None)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; expected a prepared example") from error
    except (SafetensorError, TypeError) as error:  # a TypeError: parts are missing or unknown
        raise InputError(f"{path}: no prepared example, or a damaged one; delete it, it will be made again") from error
