"""What training learns from photographs as safetensors files, so that it is made once."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from datasets.arrays import Floats, Pixels
from datasets.examples.example import Example
from datasets.pair_batch import PairArrays
from stitching.errors import InputError
from stitching.io.files import atomic_write


def save_example(path: Path, example: Example) -> None:
    """Write an example without truth; `start` as half-precision floats, with a relative error below 0.001."""
    parts = {part.name: getattr(example, part.name) for part in fields(Example) if part.name != "truth"}
    _save(path, parts | {"start": example.start.astype(np.float16)})


def load_example(path: Path) -> Example:
    """Read what `save_example` wrote. Raises InputError where the file is missing, damaged or something else."""
    try:
        parts = _load(path)
        return Example(**parts | {"start": parts["start"].astype(np.float32)}, truth=None)
    except (KeyError, TypeError) as error:  # parts are missing or unknown
        raise _unusable(path) from error


def labelled_pair(index: int, reference: Pixels, target: Pixels, warp: Floats, mask: Pixels) -> PairArrays:
    """A pair (h, w, 3) of which only the warp (h, w, 2) and the `Visibility` (h, w) of the target are known."""
    no_stitch, no_segments = np.zeros((8, 8, 3), np.uint8), np.zeros((0, 2, 2, 2), np.float32)
    return PairArrays(index, (reference, target), warp, mask, no_stitch, (0, 0), np.zeros((3, 3)), no_segments)


def save_labelled_pair(path: Path, pair: PairArrays) -> None:
    """Write a pair as `labelled_pair` makes it."""
    reference, target = pair.pictures
    _save(path, {"reference": reference, "target": target, "warp": pair.warp, "mask": pair.mask})


def load_labelled_pair(path: Path, index: int) -> PairArrays:
    """Read what `save_labelled_pair` wrote. Raises InputError as `load_example`."""
    parts = _load(path)
    try:
        return labelled_pair(index, parts["reference"], parts["target"], parts["warp"], parts["mask"])
    except KeyError as error:
        raise _unusable(path) from error


def _save(path: Path, parts: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    with atomic_write(path) as temporary:
        save_file({name: np.ascontiguousarray(part) for name, part in parts.items()}, temporary)


def _load(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; expected a prepared example") from error
    except SafetensorError as error:
        raise _unusable(path) from error


def _unusable(path: Path) -> InputError:
    return InputError(f"{path}: no prepared example, or a damaged one; delete it, it will be made again")
