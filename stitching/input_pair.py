"""The pictures of a pair as the stitcher takes them: read, masked, checked, of one bit depth."""

from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, require
from stitching.io.colours.common_profile import with_profile
from stitching.io.levels import pair_levels, to_levels
from stitching.io.picture import Picture, as_picture, white_of
from stitching.io.picture_reader import read_mask, read_picture
from stitching.io.raw.develop import WhiteBalance
from stitching.io.raw.white_balance import first_white_balance
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX, allowed_bytes
from stitching.lens.lens_choice import NONE
from stitching.lens_correction import with_lens
from stitching.warping.kept_parts import KeepMask, KeepMasks

PictureInput = str | PathLike[str] | NDArray[Any]

MIN_CONTRAST = 4  # grey levels of 255; a picture with less has nothing to match


def read_pair(
    reference: PictureInput,
    target: PictureInput,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
    *,
    lens: str = NONE,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
) -> tuple[Picture, Picture]:
    """Read reference and target, ready to be stitched.

    Args:
        reference, target: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order.
        mask_reference, mask_target: paths or (h, w) arrays, of the photographs' sizes; where zero they are not valid.
        lens: that drew both, as `Options.lens`.
        max_megapix: the largest file that is read, Mpx; see stitching/io/size_limit.py.

    Returns:
        Both pictures, the target with the colour profile of the reference, and RAW files with its white balance. Where
        one has 16 bits a channel, the other has, too, and both have the same `levels`. Two pictures of 16 bits keep
        their values; beside one of 8 bits the target is brought to the reference's levels.

    Raises:
        InputError: a picture cannot be read, is too long or has one colour, or a mask or the lens does not fit.
    """
    read = partial(_read, max_megapix=max_megapix, white_balance=first_white_balance((reference, target)))
    first = with_lens(read(reference, mask_reference, "reference", held=0), lens)
    second = with_lens(read(target, mask_target, "target", held=_bytes_of(first)), lens)
    second = with_profile(second, first.metadata.icc, in_place=not isinstance(target, np.ndarray))
    pair = _with_levels(first, second, max_megapix)
    for picture in pair:
        check_contrast(picture)
    return pair


def read_keep_masks(
    pictures: tuple[Picture, Picture],
    keep_reference: PictureInput | None,
    keep_target: PictureInput | None,
    *,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
) -> KeepMasks | None:
    """What must be shown of reference and target; None where nothing is asked for.

    Args:
        pictures: reference and target.
        keep_reference, keep_target: paths or (h, w) arrays; not zero where the picture must be shown.
        max_megapix: the largest file that is read, Mpx.

    Raises:
        InputError: a mask cannot be read, or does not have its picture's size.
    """
    if keep_reference is None and keep_target is None:
        return None
    held = sum(map(_bytes_of, pictures))
    masks = [
        None if wanted is None else KeepMask.of(picture, _read_keep_mask(wanted, picture, max_megapix, held))
        for picture, wanted in zip(pictures, (keep_reference, keep_target), strict=True)
    ]
    return KeepMasks(*masks)


def _read_keep_mask(mask: PictureInput, picture: Picture, max_megapix: float, held: int) -> NDArray[np.uint8]:
    return read_mask(mask, picture.pixel_size, max_megapix=max_megapix, held=held, may_be_empty=True)


def _with_levels(first: Picture, second: Picture, max_megapix: float) -> tuple[Picture, Picture]:
    """Reference and target, of one bit depth and with the same levels."""
    levels = pair_levels(first, second)
    first, second = replace(first, levels=levels[0]), replace(second, levels=levels[1])
    if first.pixels.dtype == second.pixels.dtype:
        return first, second
    plain, allowed = first if first.pixels.dtype == np.uint8 else second, allowed_bytes(max_megapix)
    taken = _bytes_of(first) + _bytes_of(second) + 2 * plain.pixels.nbytes  # its pixels with 16 bits, too
    if second.levels:
        taken += second.pixels.nbytes  # stretched, too
    require(
        taken <= allowed,
        f"{first.name} and {second.name}: one of 8 bits, one of 16, {taken / 1e9:.2f} GB",
        f"at most {allowed / 1e9:.2f} GB; save both with 8 bits or raise --max-megapix",
    )
    return to_levels(first, first.levels), to_levels(second, first.levels)


def _read(
    source: PictureInput,
    mask: PictureInput | None,
    name: str,
    *,
    max_megapix: float,
    held: int,
    white_balance: WhiteBalance | None,
) -> Picture:
    if isinstance(source, str | PathLike):
        picture = read_picture(source, max_megapix=max_megapix, held=held, white_balance=white_balance)
    else:
        picture = as_picture(source, name)
    if mask is None:
        return picture
    return _masked(picture, read_mask(mask, picture.size, max_megapix=max_megapix, held=held + _bytes_of(picture)))


def check_contrast(picture: Picture) -> None:
    """Raise InputError where a picture has one colour, as it looks with 8 bits."""
    black, white = picture.levels or (0, white_of(picture.pixels))
    small = cv2.resize(picture.pixels, (64, 64), interpolation=cv2.INTER_AREA)
    contrast = np.ptp(small.astype(np.float32), axis=(0, 1)).max()
    if contrast < MIN_CONTRAST * (white - black) / 255:
        raise InputError(f"{picture.name} shows nothing: all of it has one colour; expected a photograph")


def _bytes_of(picture: Picture) -> int:
    return picture.pixels.nbytes + (0 if picture.valid is None else picture.valid.nbytes)


def _masked(picture: Picture, wanted: NDArray[np.uint8]) -> Picture:
    valid = wanted if picture.valid is None else np.minimum(wanted, picture.valid)
    if not valid.any():
        raise InputError(f"the mask of {picture.name} leaves nothing of it; 0 = ignore, 255 = use")
    return replace(picture, valid=valid)
