"""Picture files and masks: reading them upright with all their depth, writing them whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.errors import InputError, JobError
from stitching.io.files import AnyPath, check_writable, replacing
from stitching.io.metadata import Metadata, kind_of, put_in, take_apart

MIN_SIDE = 32  # px; below this there is nothing to match

Pixels = NDArray[Any]  # uint8 or uint16

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WebP"}
_LONGEST = {"JPEG": 65500, "WebP": 16383}  # px a side, limits of the formats


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright photograph. `name` is its path, or how the caller calls an array."""

    pixels: Pixels  # (h, w, 3) BGR, uint8 or uint16
    valid: NDArray[np.uint8] | None = None  # (h, w), 255 where it shows something, else 0; None: everywhere
    metadata: Metadata = field(default_factory=Metadata)
    name: str = "array"

    @property
    def size(self) -> tuple[int, int]:
        """(w, h) in px."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_picture(path: AnyPath) -> Picture:
    """Read a JPEG, PNG, TIFF or WebP file; its content decides, not its extension.

    Grey becomes BGR, 16 bits stay 16 bits, EXIF orientation is applied, alpha of at least half becomes
    `valid`. Of several pages or frames the first is read. CMYK is converted without its colour profile.
    Raises InputError where the file cannot be read, is damaged or cut short, is smaller than MIN_SIDE px on
    one side, is transparent everywhere, or holds neither 8 nor 16 bits a channel.
    """
    name = os.fspath(path)
    array, metadata = _read(path)
    return _picture(array, name, metadata)


def as_picture(array: Any, name: str = "array") -> Picture:
    """Take an array (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA, uint8 or uint16, as a picture.

    Contiguous BGR pixels are not copied. Raises InputError for other types and shapes, for a side below
    MIN_SIDE px and where all is transparent.
    """
    return _picture(_checked(array, name), name, Metadata())


def read_mask(mask: AnyPath | NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A mask (h, w), 255 = use, 0 = ignore, from a picture file or an array of bool, uint8 or uint16.

    Used is what is at least half bright (in its brightest channel) and at least half opaque.
    Raises InputError where the mask cannot be read, differs from `size` (w, h) or ignores every pixel.
    """
    if isinstance(mask, np.ndarray):
        name = "mask"
        array = _checked(mask.astype(np.uint8) * 255 if mask.dtype == np.bool_ else mask, name)
    else:
        name = os.fspath(mask)
        array, _ = _read(mask)
    height, width = array.shape[:2]
    if (width, height) != tuple(size):
        raise InputError(
            f"{name}: {width} x {height} px; expected a mask of the picture's size, {size[0]} x {size[1]} px"
        )
    half = _full(array) // 2 + 1
    bright = array if array.ndim == 2 else array[..., :3].max(axis=2)
    used = bright >= half
    if array.ndim == 3 and array.shape[2] == 4:
        used &= array[..., 3] >= half
    if not used.any():
        raise InputError(
            f"{name}: ignores every pixel, its largest value is {bright.max()}; "
            f"expected {_full(array)} where the picture is to be used, 0 where not"
        )
    return used.astype(np.uint8) * np.uint8(255)


def to_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) BGR -> (h, w)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def to_8_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """The upper eight bits of uint16 pixels; uint8 pixels as they are."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)


def shrink(picture: Picture, scale: float) -> Picture:
    """A copy `scale` times as wide and high, averaged over the pixels it covers; the picture itself from scale 1 on."""
    if scale >= 1:
        return picture
    size = max(1, round(picture.size[0] * scale)), max(1, round(picture.size[1] * scale))
    pixels = cv2.resize(picture.pixels, size, interpolation=cv2.INTER_AREA)
    valid = picture.valid
    if valid is not None:
        valid = np.asarray(cv2.resize(valid, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(pixels, valid, picture.metadata, picture.name)


def check_output(path: AnyPath, size: tuple[int, int] | None = None) -> None:
    """Raise InputError where no picture of `size` (w, h) can be written at `path`; ask before the work."""
    format_ = _format(path)
    limit = _LONGEST.get(format_)
    if size is not None and limit is not None and max(size) > limit:
        raise InputError(
            f"cannot write {os.fspath(path)}: {size[0]} x {size[1]} px; "
            f"{format_} holds at most {limit} px a side, use .png or .tif"
        )
    check_writable(path)


def write_picture(
    path: AnyPath,
    pixels: Pixels,
    alpha: NDArray[np.uint8] | None = None,
    metadata: Metadata | None = None,
    background: tuple[int, int, int] = (0, 0, 0),
) -> None:
    """Write BGR (h, w, 3) or grey (h, w) pixels, uint8 or uint16, in the format that the extension names.

    alpha: (h, w) uint8, 255 = opaque. Where all is opaque no alpha channel is written. JPEG has none: its
    pixels are blended with `background`, BGR in 0..255. PNG and TIFF are exact and keep 16 bits. JPEG
    (quality 95, full colour resolution) and WebP (quality 95) hold 8 bits and lose a little. The same input
    gives the same bytes.
    metadata: put into every format; the colour profile, which is RGB, not beside grey pixels.
    Raises InputError as `check_output` does and where the arrays do not fit together, JobError where writing
    fails; then no file is left, and an older one stays as it was.
    """
    array = _checked(pixels, "pixels to write")
    if array.ndim == 3 and array.shape[2] == 4:
        raise InputError("pixels to write: 4 channels; expected BGR, pass the fourth as alpha")
    size = array.shape[1], array.shape[0]
    check_output(path, size)
    metadata = metadata or Metadata()
    if array.ndim == 2:
        metadata = Metadata(exif=metadata.exif, xmp=metadata.xmp)
    array = _with_alpha(array, alpha, background, _format(path))
    try:
        encoded = _encoded(array, _format(path))
    except cv2.error as error:
        raise JobError(f"cannot write {os.fspath(path)}: encoding failed ({error.err})") from error
    parts = put_in(encoded, metadata, size, alpha=array.ndim == 3 and array.shape[2] == 4)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(parts)


# --- reading ---


def _read(path: AnyPath) -> tuple[Pixels, Metadata]:
    """The upright pixels of a file with all their channels, and its metadata."""
    name = os.fspath(path)
    contents = take_apart(_read_bytes(path), name)
    try:
        with _quiet():
            decoded = cv2.imdecode(np.frombuffer(contents.encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f"{name}: cannot be decoded ({error.err}); save it as a plain JPEG or PNG") from error
    if decoded is None:
        raise InputError(f"{name}: damaged, cut short or of a rare kind; copy it again or save it as PNG")
    array = _checked(decoded, name)
    if contents.premultiplied and array.ndim == 3 and array.shape[2] == 4:
        _divide_by_alpha(array)
    return _upright(array, contents.orientation), contents.metadata


def _read_bytes(path: AnyPath) -> bytes:
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            head = file.peek(12)[:12]
            if not head:
                raise InputError(f"{name}: the file is empty; copy or download it again")
            kind_of(head, name)  # before reading what may be a film
            return file.read()
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}; expected a picture file") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from logging about a bad file: the caller gets one error, or none."""
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _upright(array: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation, 1..8 (CIPA DC-008, tag 274); anything else means upright."""
    if orientation in (5, 7):
        array = cv2.transpose(array)
    half, right, left = cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE
    turns = {3: half, 6: right, 7: half, 8: left}
    if orientation in turns:
        return cv2.rotate(array, turns[orientation])
    return cv2.flip(array, {2: 1, 4: 0}[orientation]) if orientation in (2, 4) else array


def _divide_by_alpha(array: Pixels) -> None:
    """Restore, in place, colours that come multiplied by alpha."""
    full = _full(array)
    soft = (array[..., 3] > full // 2) & (array[..., 3] < full)
    if soft.any():
        pixels = array[soft].astype(np.float32)
        array[soft, :3] = np.minimum(pixels[:, :3] * full / pixels[:, 3:] + 0.5, full)


def _full(array: Pixels) -> int:
    return 255 if array.dtype == np.uint8 else 65535


def _checked(array: Any, name: str) -> Pixels:
    """The array, contiguous and without a lone channel axis; InputError for wrong types and shapes."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: got {type(array).__name__}; expected a path or a numpy array (h, w, 3), BGR")
    if array.dtype.name not in ("uint8", "uint16"):
        hint = ", for values in 0..1 (255 * array).round().astype(np.uint8)" if array.dtype.kind == "f" else ""
        raise InputError(f"{name}: {array.dtype.name} pixels; expected uint8 or uint16{hint}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InputError(f"{name}: shape {array.shape}; expected (h, w), (h, w, 3) BGR or (h, w, 4) BGRA")
    return np.ascontiguousarray(array, dtype=array.dtype.name)  # native byte order


def _picture(array: Pixels, name: str, metadata: Metadata) -> Picture:
    height, width = array.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{name}: {width} x {height} px; both sides must be at least {MIN_SIDE} px")
    if array.ndim == 2:
        return Picture(cv2.cvtColor(array, cv2.COLOR_GRAY2BGR), None, metadata, name)
    if array.shape[2] == 3:
        return Picture(array, None, metadata, name)
    opaque = array[..., 3] > _full(array) // 2
    if not opaque.any():
        raise InputError(f"{name}: transparent everywhere; expected an opaque picture, or one opaque in part")
    valid = None if opaque.all() else opaque.astype(np.uint8) * np.uint8(255)
    return Picture(cv2.cvtColor(array, cv2.COLOR_BGRA2BGR), valid, metadata, name)


# --- writing ---


def _format(path: AnyPath) -> str:
    suffix = Path(path).suffix
    if suffix.lower() not in _FORMATS:
        raise InputError(f"cannot write {os.fspath(path)}: extension {suffix!r}; expected {' '.join(_FORMATS)}")
    return _FORMATS[suffix.lower()]


def _with_alpha(
    array: Pixels, alpha: NDArray[np.uint8] | None, background: tuple[int, int, int], format_: str
) -> Pixels:
    """The array for the encoder: 8 bits where the format holds no more, alpha as a channel or blended."""
    if format_ in ("JPEG", "WebP") and array.dtype == np.uint16:
        array = cv2.convertScaleAbs(array, alpha=1 / 257)  # 65535 -> 255, rounded
    if alpha is None:
        return array
    if alpha.shape != array.shape[:2] or alpha.dtype != np.uint8:
        raise InputError(f"alpha: {alpha.shape} {alpha.dtype}; expected {array.shape[:2]} uint8, as the pixels")
    if alpha.min() == 255:
        return array
    colour = cv2.cvtColor(array, cv2.COLOR_GRAY2BGR) if array.ndim == 2 else array
    if format_ != "JPEG":
        with_alpha = cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA)
        with_alpha[..., 3] = alpha if array.dtype == np.uint8 else alpha.astype(np.uint16) * np.uint16(257)
        return with_alpha
    blended = colour.copy()
    soft = alpha < 255
    share = alpha[soft, None] / np.float32(255)
    blended[soft] = (colour[soft] * share + np.asarray(background, np.float32) * (1 - share)).round()
    return blended


def _encoded(array: Pixels, format_: str) -> memoryview:
    sharp = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # colour, too
    # On photographs as small as zlib level 1 with all filters, in two thirds of the time.
    paeth = [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH]
    run_lengths = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    extension, settings = {
        "JPEG": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 95, *sharp]),
        "PNG": (".png", paeth + run_lengths),
        "TIFF": (".tif", []),  # LZW of differences
        "WebP": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 95]),
    }[format_]
    with _quiet():
        _, encoded = cv2.imencode(extension, array, settings)
    return encoded.reshape(-1).data  # (bytes,)
