"""Panoramas as files: to download, or in the user's folder."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fastapi import HTTPException

from apps.ui_server.file_names import safe_name
from apps.ui_server.stitching_jobs.jobs import Job
from apps.ui_server.stitching_jobs.stitch_task import Outcome
from stitching.io.file_conflicts import check_outputs
from stitching.io.files import make_folder
from stitching.io.picture_writer import write_picture

SAVED = "panoramas"  # the folder below the user's: what lies in the user's own is a picture at the next start
FORMATS = {"png": "image/png", "jpg": "image/jpeg", "tif": "image/tiff", "webp": "image/webp"}


def panorama_file(job: Job, outcome: Outcome, extension: str) -> Path:
    """The panorama at its full size as a file of a format, made when it is first asked for.

    Raises:
        InputError: the format holds no picture as large as this.
        JobError: there is no space for it.
    """
    path = job.task.folder / f"file.{extension}"
    with job.writing:
        if not path.exists():
            write_panorama(job, outcome, path)
    return path


def write_panorama(job: Job, outcome: Outcome, path: Path) -> None:
    """Write the panorama at its full size, in the format that the extension names. Errors: as `write_picture`."""
    pixels = np.load(job.task.folder / "pixels.npy", mmap_mode="r")
    alpha = np.load(job.task.folder / "alpha.npy", mmap_mode="r")
    write_picture(path, pixels, alpha, outcome.metadata, levels=outcome.levels)


def path_to_save(folder: Path, name: str, overwrite: bool, inputs: Iterable[Path]) -> Path:
    """Where a panorama is saved: in a folder below the user's, which is made.

    Args:
        folder: the user's.
        name: as it was typed; folders in it are dropped.
        overwrite: a file that is there may be replaced; no input and no link.
        inputs: files that the page works on.

    Raises:
        HTTPException: a file is there, 409; the name has no known extension, 422.
        InputError: it is one of the inputs, or there can be no such folder.
    """
    path = folder / SAVED / safe_name(name, "panorama.png")
    extensions = [f".{extension}" for extension in FORMATS]
    if path.suffix.lower() not in (*extensions, ".jpeg", ".tiff"):
        raise HTTPException(422, f"{path.name}: expected a name that ends in {', '.join(extensions)}")
    make_folder(path.parent)
    check_outputs([("the panorama", path)], [("a picture of the page", picture) for picture in inputs])
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise HTTPException(409, f"{path.name} is there and is no plain file; choose another name")
    if path.exists() and not overwrite:
        raise HTTPException(409, f"{path.name} is there already; choose another name, or overwrite it")
    return path
