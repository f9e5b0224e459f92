"""The folder of a run: what is in it already stays, unless it is of the same run, and no input is overwritten."""

import os
from pathlib import Path

from apps.training.checkpoints import BEST, CURVE, LAST, STATE
from apps.training.options import TrainOptions
from stitching.errors import InputError
from stitching.io.file_conflicts import NamedPath, check_links, check_outputs, named_weights

_FILES = BEST, LAST, STATE, CURVE  # but for the events of TensorBoard, whose names are new each time


def check_run_folder(folder: Path, options: TrainOptions) -> None:
    """Raise InputError where a run in `folder` would overwrite one of its inputs, or files that are not of a run.

    A folder with a training state is a run that may go on; whether it is this one, `run.open_run` finds out.
    """
    given = {
        "--data": options.data, "--textures": options.textures, "--validation": options.validation,
        "--pairs": options.pairs, "--validate-matches": options.validate_matches,
    }  # fmt: skip
    folders: list[NamedPath] = [(name, path) for name, path in given.items() if path is not None]
    check_outputs([("OUTPUT", folder)], folders)
    check_links(("OUTPUT", folder), _FILES, folders)
    weights = named_weights("--flow", options.flow)
    if options.begin_from is not None:
        weights.append(("--begin-from", options.begin_from))
    check_outputs([("OUTPUT", folder / name) for name in _FILES], weights)
    if not (folder / STATE).exists():
        found = [name for name in _FILES if os.path.lexists(folder / name)]
        if found:
            raise InputError(f"{folder} holds {found[0]}, but no {STATE} of a run to go on with: choose another folder")
