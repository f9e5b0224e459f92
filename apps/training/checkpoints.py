"""The training state of a run as a file without pickled objects, and the names of a run's files.

A run folder holds BEST and LAST, the averaged weights for users, STATE, all that resuming needs, and CURVE, a table of
all validations.
"""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from stitching.errors import InputError
from stitching.io.files import AnyPath, atomic_write, check_readable, check_writable
from stitching.network.weights import check_format

BEST = "best.safetensors"
LAST = "last.safetensors"
STATE = "state.pt"
CURVE = "curve.csv"

_FORMAT, _VERSION = "parastitch-training-state", 3


def save_state(path: AnyPath, state: Mapping[str, Any]) -> None:
    """Write a training state atomically: a crash leaves the old file.

    state: tensors, numbers, strings, None, and dicts, lists and tuples of them, as the state_dicts of torch are.
    Raises TypeError where it holds anything else, which could not be loaded; InputError where no file can be written
    at `path`, JobError where writing fails.
    """
    check_writable(path)
    encoded = io.BytesIO()
    torch.save({"format": _FORMAT, "version": _VERSION, "state": dict(state)}, encoded)
    encoded.seek(0)
    try:
        torch.load(encoded, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise TypeError(f"the training state holds what cannot be loaded safely: {error}") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def load_state(path: AnyPath) -> dict[str, Any]:
    """Read what save_state wrote, all tensors on the CPU; nothing in the file can run code.

    Raises InputError where the file cannot be read, is damaged or cut short, is of another format or version, or
    holds pickled objects.
    """
    name = str(path)
    check_readable(path, "the training state of a run")
    try:
        encoded = io.BytesIO(Path(path).read_bytes())
        with ZipFile(encoded) as archive:
            if archive.testzip() is not None:  # torch leaves the checksums alone
                raise BadZipFile
        encoded.seek(0)
        loaded = torch.load(encoded, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; expected the training state of a run") from error
    except pickle.UnpicklingError as error:
        raise InputError(f"{name}: holds pickled objects, which could run code; start the run again") from error
    except Exception as error:  # neither library has one error for damage
        raise InputError(f"{name}: no training state, or damaged or cut short; start the run again") from error
    found = loaded if isinstance(loaded, dict) else {}
    check_format(name, found.get("format"), found.get("version"), _FORMAT, _VERSION)
    return dict(found["state"])
