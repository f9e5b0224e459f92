"""One white balance for all RAW files that are stitched together, so that their colours join."""

import mmap
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from stitching.errors import InputError
from stitching.io.files import AnyPath, check_readable
from stitching.io.raw.develop import WhiteBalance, opened, white_balance_of
from stitching.io.raw.recognition import is_raw


def first_white_balance(pictures: Iterable[Any]) -> WhiteBalance | None:
    """That of the first RAW file of a pair; None where neither is one. Arrays and damaged files have none."""
    return next(iter(_found(pictures)), None)


def median_white_balance(pictures: Iterable[Any]) -> WhiteBalance | None:
    """The medians of the factors of all RAW files of a set: the order has no influence. None where none is one."""
    found = _found(pictures)
    if not found:
        return None
    return WhiteBalance(float(np.median([one.red for one in found])), float(np.median([one.blue for one in found])))


def _found(pictures: Iterable[Any]) -> list[WhiteBalance]:
    paths = (one for one in pictures if isinstance(one, str | PathLike))
    return [balance for balance in map(_of_file, paths) if balance]


def _of_file(path: AnyPath) -> WhiteBalance | None:
    """Whoever reads the picture says what is wrong with a file that cannot be read here."""
    try:
        check_readable(path, "a picture file")
        with (
            Path(path).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            if not is_raw(data):
                return None
        with opened(path, str(path)) as raw:
            return white_balance_of(raw)
    except (InputError, OSError, ValueError):  # ValueError: an empty file
        return None
