"""The pictures of a set as the stitcher takes them: opened one after the other, checked, of one bit depth."""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from stitching.alignment.known_focal import known_focal
from stitching.errors import InputError
from stitching.input_pair import PictureInput, check_contrast
from stitching.io.colours.common_profile import most_common_profile, with_profile
from stitching.io.levels import find_levels, levels_of, to_levels, value_range
from stitching.io.picture import Levels, Picture, as_picture
from stitching.io.picture_reader import read_picture
from stitching.io.picture_source import COPY_AREA, LeftOut, PictureSource
from stitching.io.raw.develop import WhiteBalance
from stitching.io.raw.white_balance import median_white_balance
from stitching.io.size_limit import DEFAULT_MAX_MEGAPIX, allowed_bytes
from stitching.io.small_copy import small_copy
from stitching.lens.lens_choice import NONE
from stitching.lens_correction import with_lens

_MOST_REASONS = 5  # that an error names

OpenedSet = tuple[tuple[PictureSource, ...], tuple[LeftOut, ...]]


def open_pictures(
    inputs: Sequence[PictureInput],
    *,
    lens: str = NONE,
    max_megapix: float = DEFAULT_MAX_MEGAPIX,
    report: Callable[[float], None] = lambda share: None,
) -> OpenedSet:
    """Look at each picture of a set once; one at a time is in memory, then only small copies.

    All get the colour profile that most of them have, RAW files one white balance, the median of theirs. Where one
    picture has 16 bits a channel, all have, with the same levels: those of 16 bits keep their values, those of 8 bits
    are brought to the levels of the others.

    Args:
        inputs: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order, which the caller leaves as they are.
        lens: that drew them, as `Options.lens`.
        max_megapix: the largest file that is read, Mpx; see stitching/io/size_limit.py.
        report: called with the share of pictures that are done, 0..1.

    Returns:
        The pictures, sorted by their keys, and those that cannot be used, in the caller's order: damaged ones, ones of
        one colour, the second of two equal ones.

    Raises:
        InputError: fewer than two are left, or one path is given in the place of a list.
    """
    if isinstance(inputs, str | bytes) or not isinstance(inputs, Sequence | np.ndarray):  # texts are sequences, too
        raise InputError(
            f"the pictures are one {type(inputs).__name__}, {str(inputs)[:80]!r}; expected a list of paths or arrays"
        )
    white_balance = median_white_balance(inputs)
    opened: dict[str, _Opened] = {}
    left_out: dict[int, LeftOut] = {}
    for position, given in enumerate(inputs):
        name = os.fspath(given) if isinstance(given, str | os.PathLike) else f"picture {position + 1}"
        try:
            one = _open(_Input(given, name, lens, max_megapix, white_balance), position)
        except InputError as error:
            left_out[position] = LeftOut(name, _clause(error, name))
        else:
            first = opened.setdefault(one.key, one)
            if first is not one:
                left_out[position] = LeftOut(name, f"is the same picture as {first.name}")
        report((position + 1) / len(inputs))
    form = _common_form(list(opened.values()))
    sources = []
    for key in sorted(opened):
        one = opened[key]
        try:
            sources.append(one.as_source(form))
        except InputError as error:
            left_out[one.position] = LeftOut(one.name, _clause(error, one.name))
    ordered = tuple(left_out[position] for position in sorted(left_out))
    _check_count(len(inputs), len(sources), ordered)
    return tuple(sources), ordered


@dataclass(frozen=True)
class _Input:
    """What the caller gave, and how it is read.

    `lens` as `Options.lens`, `max_megapix` the largest file, `white_balance` that of all RAW files of the set.
    """

    given: PictureInput
    name: str
    lens: str
    max_megapix: float
    white_balance: WhiteBalance | None

    def read(self) -> Picture:
        """All of the picture, with its lens; InputError where it cannot be read, or the lens does not fit."""
        if isinstance(self.given, str | os.PathLike):
            picture = read_picture(self.given, max_megapix=self.max_megapix, white_balance=self.white_balance)
        else:
            picture = as_picture(self.given, self.name)
        return with_lens(picture, self.lens)


@dataclass(frozen=True)
class _Form:
    """What all pictures of a set have in common.

    Attributes:
        profile: by which their colours are meant, None = sRGB.
        deep: they have 16 bits a channel.
        levels: of 16-bit pixels.
    """

    profile: bytes | None
    deep: bool
    levels: Levels | None

    def of(self, picture: Picture, max_megapix: float, *, in_place: bool) -> Picture:
        """A picture in this form; InputError where that takes too much memory, or its profile cannot be used.

        in_place: whether its pixels may be changed.
        """
        picture = with_profile(picture, self.profile, in_place=in_place)
        if not self.deep:
            return picture
        if picture.pixels.dtype == np.uint16:
            return replace(picture, levels=self.levels)
        taken = 3 * picture.pixels.nbytes  # its pixels with 16 bits, too
        if taken > (allowed := allowed_bytes(max_megapix)):
            raise InputError(
                f"{picture.name}: 8 bits beside others of 16 take {taken / 1e9:.2f} GB, {allowed / 1e9:.2f} GB are "
                "allowed; save all with 8 bits or raise --max-megapix"
            )
        return to_levels(picture, self.levels)


@dataclass(frozen=True)
class _Opened:
    """A picture that could be read, before the set's form is known; `copy` has the file's own bit depth.

    `range` are the lowest and the highest of its values, of 16 bits; see stitching/io/levels.py.
    """

    input: _Input
    position: int
    size: tuple[int, int]
    copy: Picture
    key: str
    range: tuple[float, float] | None
    lens: str | None
    focal: float | None

    @property
    def name(self) -> str:
        """Its path, or what the caller calls an array."""
        return self.input.name

    def as_source(self, form: _Form) -> PictureSource:
        """The picture in the set's form; InputError where it cannot have it, or has one colour in it."""
        copy = form.of(self.copy, self.input.max_megapix, in_place=False)
        check_contrast(copy)
        read = partial(_read_again, self.input, self.key, form)
        return PictureSource(
            self.name, self.position, self.size, copy, self.key, read, self.range is not None, self.lens, self.focal
        )


def _open(source: _Input, position: int) -> _Opened:
    picture = source.read()
    check_contrast(replace(picture, levels=find_levels(picture)))  # so that one of one colour sets no levels
    w, h = picture.size
    copy = small_copy(picture, math.sqrt(COPY_AREA / (w * h)))
    if copy is picture and isinstance(source.given, np.ndarray):
        copy = replace(picture, pixels=picture.pixels.copy())
    values = value_range(picture) if picture.pixels.dtype == np.uint16 else None
    lens = picture.lens.name if picture.lens else None
    return _Opened(source, position, picture.size, copy, _digest(picture), values, lens, known_focal(picture))


def _read_again(source: _Input, key: str, form: _Form) -> Picture:
    picture = source.read()
    if _digest(picture) != key:
        raise InputError(
            f"{source.name}: has changed since it was first read; leave the pictures alone while they are used"
        )
    return form.of(picture, source.max_megapix, in_place=not isinstance(source.given, np.ndarray))


def _digest(picture: Picture) -> str:
    """Hex digest of what a picture shows."""
    found = hashlib.blake2b(repr((picture.pixels.shape, picture.pixels.dtype.name)).encode(), digest_size=16)
    found.update(picture.pixels.data)
    if picture.valid is not None:
        found.update(picture.valid.data)
    return found.hexdigest()


def _common_form(opened: Sequence[_Opened]) -> _Form:
    ranges = [one.range for one in opened if one.range]
    profile = most_common_profile(one.copy.metadata.icc for one in opened) if opened else None
    return _Form(profile, bool(ranges), levels_of(ranges) if ranges else None)


def _clause(error: InputError, name: str) -> str:
    """What an error says of a picture, without its name in front."""
    message = str(error)
    if message.startswith(f"{name} "):
        return message.removeprefix(f"{name} ")
    return f"cannot be used ({message.removeprefix('cannot read ').removeprefix(f'{name}: ')})"


def _check_count(given: int, usable: int, left_out: Sequence[LeftOut]) -> None:
    """Raise InputError where fewer than two pictures are left."""
    if usable >= 2:
        return
    reasons = "; ".join(f"{one.name} {one.reason}" for one in left_out[:_MOST_REASONS])
    more = f"; and {len(left_out) - _MOST_REASONS} more" if len(left_out) > _MOST_REASONS else ""
    count = f"{usable} of {given} pictures can be used" if left_out else f"got {given} picture" + "s" * (given != 1)
    raise InputError(f"{count}; expected at least two that differ" + (f": {reasons}{more}" if reasons else ""))
