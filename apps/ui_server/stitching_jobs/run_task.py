"""Stitches a task of the page, in the process that does nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.ui_server.pictures.masks import load_mask
from apps.ui_server.stitching_jobs.stitch_task import Outcome, StitchTask, TaskPicture
from apps.ui_server.stitching_jobs.views import draw_pair_views, draw_panorama_view
from apps.ui_server.work_process import Report
from stitching.errors import InputError
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Levels, PixelArray
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture
from stitching.io.raw.develop import WhiteBalance
from stitching.io.raw.white_balance import median_white_balance
from stitching.mosaic.stitcher import stitch_many
from stitching.mosaic.summary import summarize_mosaic
from stitching.stitcher import stitch


def run_task(task: StitchTask, report: Report) -> Outcome:
    """Stitch, and write the results into the task's folder.

    Raises:
        InputError, JobError: as `stitch` and `stitch_many`; messages call pictures by their names.
    """
    try:
        return _stitch_pair(task, report) if task.is_pair else _stitch_set(task, report)
    except InputError as error:
        raise InputError(_named(str(error), task)) from error


def _stitch_pair(task: StitchTask, report: Report) -> Outcome:
    reference, target = task.pictures if task.reference in (None, 0) else reversed(task.pictures)
    stitched = stitch(
        reference.path, target.path, task.options,
        mask_reference=_used_part(reference), mask_target=_used_part(target),
        keep_reference=_kept_part(reference), keep_target=_kept_part(target), progress=report,
    )  # fmt: skip
    report("write", 0.0)
    metadata, levels = stitched.metadata, stitched.reference.levels
    _write_panorama(task.folder, stitched.panorama, stitched.alpha, metadata, levels)
    views = draw_pair_views(stitched, task.folder)
    summary = stitched.summary
    told = _named_in(summary.as_dict(), task)
    return Outcome(summary.panorama_size, told, told["warnings"], ["panorama", *views], metadata, levels)


def _stitch_set(task: StitchTask, report: Report) -> Outcome:
    white_balance = median_white_balance([picture.path for picture in task.pictures])
    paths = [_without_left_out(picture, task.folder, white_balance) for picture in task.pictures]
    reference = 0 if task.reference is None and len(paths) == 2 else task.reference
    panorama = stitch_many(paths, task.options, reference=reference, progress=report)
    report("write", 0.0)
    metadata, levels = panorama.metadata, panorama.sources[panorama.arrangement.reference].copy.levels
    _write_panorama(task.folder, panorama.panorama, panorama.alpha, metadata, levels)
    summary = summarize_mosaic(panorama)
    told = _named_in(summary.as_dict(), task)
    size = panorama.panorama.shape[1], panorama.panorama.shape[0]
    return Outcome(size, told, told["warnings"], ["panorama"], metadata, levels)


def _used_part(picture: TaskPicture) -> NDArray[np.uint8] | None:
    """(h, w), 0 where the user has painted that the picture is to be left out."""
    return None if picture.leave_out is None else 255 - load_mask(picture.leave_out, picture.size)


def _kept_part(picture: TaskPicture) -> NDArray[np.uint8] | None:
    """(h, w), 255 where the user has painted that the panorama must show the picture."""
    return None if picture.keep is None else load_mask(picture.keep, picture.size)


def _without_left_out(picture: TaskPicture, folder: Path, white_balance: WhiteBalance | None) -> Path:
    """The picture's file, or a copy that is transparent where it is left out: sets have no masks beside pictures."""
    used = _used_part(picture)
    if used is None:
        return picture.path
    read = read_picture(picture.path, white_balance=white_balance)
    valid = used if read.valid is None else np.minimum(used, read.valid)
    masked = folder / f"masked-{picture.number}.tif"
    write_picture(masked, read.pixels, valid, read.metadata)
    return masked


def _named(message: str, task: StitchTask) -> str:
    """A message that calls pictures by the names that the user knows."""
    for picture in task.pictures:
        masked = task.folder / f"masked-{picture.number}.tif"
        message = message.replace(str(picture.path), picture.name).replace(str(masked), picture.name)
    return message


def _named_in(summary: Any, task: StitchTask) -> Any:
    """The same for all texts in a summary."""
    if isinstance(summary, dict):
        return {key: _named_in(value, task) for key, value in summary.items()}
    if isinstance(summary, list | tuple):
        return [_named_in(value, task) for value in summary]
    return _named(summary, task) if isinstance(summary, str) else summary


def _write_panorama(
    folder: Path, pixels: PixelArray, alpha: NDArray[np.uint8], metadata: Metadata, levels: Levels | None
) -> None:
    """As arrays, from which a file of any format is made later, and as a view."""
    np.save(folder / "pixels.npy", pixels)
    np.save(folder / "alpha.npy", alpha)
    draw_panorama_view(pixels, alpha, metadata, levels, folder / "panorama.png")
