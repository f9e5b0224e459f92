"""Smaller copies of a picture, made once when it is first opened: for the screen, and for previews."""

import math
from pathlib import Path

import numpy as np

from apps.ui_server.limits import COPY_MEGAPIX, THUMBNAIL_SIDE, VIEW_SIDE
from stitching.io.metadata.contents import Metadata
from stitching.io.picture import Picture, shrink, to_8_bit
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

Size = tuple[int, int]  # (w, h) px


def make_copies(path: Path, folder: Path, max_megapix: float) -> tuple[Size, Size]:
    """Read a picture and write its copies into a folder: `view.jpg`, `thumbnail.jpg`, and that of `copy_path`.

    The copy for previews keeps bit depth, alpha and metadata, so that it is stitched as the picture is.

    Args:
        path: of the picture.
        folder: for the copies.
        max_megapix: the largest picture that is read, Mpx.

    Returns:
        The sizes of the upright picture and of its copy for previews.

    Raises:
        InputError: the picture cannot be read, or is too large.
    """
    picture = read_picture(path, max_megapix=max_megapix)
    w, h = picture.size
    for name, side in (("view.jpg", VIEW_SIDE), ("thumbnail.jpg", THUMBNAIL_SIDE)):
        _write_for_screen(shrink(picture, side / max(w, h)), folder / name)
    copy = shrink(picture, math.sqrt(COPY_MEGAPIX * 1e6 / (w * h)))
    written = folder / "copy.png"
    write_picture(written, copy.pixels, copy.valid, picture.metadata, levels=picture.levels)
    written.rename(copy_path(path, folder))
    return picture.size, copy.size


def copy_path(path: Path, folder: Path) -> Path:
    """Where the copy of a picture for previews is.

    A PNG with the picture's own extension: lenses of raw files are corrected, those of the camera's JPEG files are not.
    """
    return folder / f"copy{path.suffix}"


def _write_for_screen(picture: Picture, path: Path) -> None:
    pixels = to_8_bit(picture.pixels, picture.levels)
    if picture.valid is not None:
        pixels = np.where(picture.valid[..., None] > 127, pixels, np.uint8(0))
    write_picture(path, pixels, metadata=Metadata(icc=picture.metadata.icc))
