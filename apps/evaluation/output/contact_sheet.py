"""Contact sheets: a row per pair, the inputs and every method's panorama beside each other, numbers below."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.methods import StitchMethod
from apps.evaluation.output.folder import SHEETS
from apps.evaluation.output.result_tables import short_name
from apps.evaluation.scoring import Row, Value
from apps.pair_folders import PairFiles
from stitching.errors import InputError
from stitching.io.levels import find_levels
from stitching.io.picture import to_8_bit
from stitching.io.picture_reader import read_picture
from stitching.io.picture_writer import write_picture

PAIRS_PER_SHEET = 8

_WIDTH, _HEIGHT, _LINE, _GAP = 320, 240, 15, 10  # px, of a picture, a line of text, the space between
_CELL_HEIGHT = _HEIGHT + 5 * _LINE
_LINE_LENGTH = 42  # characters
_UNCOVERED = 200  # grey
_BLACK, _RED = (0, 0, 0), (0, 0, 200)

Sheet = NDArray[np.uint8]  # (h, w, 3) BGR


def write_sheets(
    pairs: Sequence[PairFiles], methods: Sequence[StitchMethod], rows: Sequence[Row], output: Path
) -> None:
    """Write `output`/sheets/NNN.jpg, and remove older ones; the panoramas are `output`/PAIR/METHOD/pano.png."""
    by_name = {(row["pair"], row["method"]): row for row in rows}
    headings = "reference", "target", *(short_name(method.name) for method in methods)
    (output / SHEETS).mkdir(exist_ok=True)
    for old in (output / SHEETS).glob("[0-9][0-9][0-9].jpg"):
        old.unlink()
    for number, start in enumerate(range(0, len(pairs), PAIRS_PER_SHEET), start=1):
        shown = pairs[start : start + PAIRS_PER_SHEET]
        height = _LINE + len(shown) * (_CELL_HEIGHT + _GAP)
        sheet = np.full((height, (2 + len(methods)) * (_WIDTH + _GAP), 3), 255, np.uint8)
        for column, heading in enumerate(headings):
            _write(sheet, heading, column * (_WIDTH + _GAP), _LINE - 3)
        for line, files in enumerate(shown):
            top = _LINE + line * (_CELL_HEIGHT + _GAP)
            _draw_cell(sheet, files.reference, [files.name], 0, top)
            _draw_cell(sheet, files.target, [], _WIDTH + _GAP, top)
            for column, method in enumerate(methods, start=2):
                row = by_name[files.name, method.name]
                path = output / files.name / method.folder / "pano.png"
                _draw_cell(sheet, path, _captions(row), column * (_WIDTH + _GAP), top, str(row["reason"]))
        write_picture(output / SHEETS / f"{number:03d}.jpg", sheet)


def _draw_cell(sheet: Sheet, path: Path, captions: Sequence[str], left: int, top: int, problem: str = "") -> None:
    picture = _thumbnail(path)
    if picture is not None:
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    below = top + _HEIGHT
    for number, caption in enumerate(captions, start=1):
        _write(sheet, caption, left, below + number * _LINE - 3)
    for number, line in enumerate(wrap(problem, _LINE_LENGTH)[:2], start=len(captions) + 1):
        _write(sheet, line, left, below + number * _LINE - 3, _RED)


def _thumbnail(path: Path) -> Sheet | None:
    """The picture at most as large as a cell, grey where it has no content; None where it cannot be read."""
    try:
        picture = read_picture(path)
    except InputError:
        return None
    pixels = to_8_bit(picture.pixels, find_levels(picture))
    if picture.valid is not None:
        pixels = np.where(picture.valid[..., None] > 0, pixels, np.uint8(_UNCOVERED))
    width, height = picture.size
    factor = min(_WIDTH / width, _HEIGHT / height)
    size = max(int(width * factor), 1), max(int(height * factor), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _captions(row: Row) -> list[str]:
    """Lines of numbers; those that were not measured are left out."""
    lines = (
        ("kept {kept_reference:.2f} {kept_target:.2f}", "new {kept_new:.2f}", "{seconds:.1f} s"),
        ("ghost {ghost:.3f}", "seam {seam:.3f}", "stretch {stretch_target:.2f}"),
        ("PSNR {psnr_fitted:.1f}", "SSIM {ssim_fitted:.2f}", "3 px {within_3:.2f}"),
    )
    known = {key: value for key, value in row.items() if value is not None}
    captions = ("   ".join(_filled(part, known) for part in line).strip() for line in lines)
    return [caption for caption in captions if caption]


def _filled(template: str, values: Mapping[str, Value]) -> str:
    try:
        return template.format_map(values)
    except KeyError:
        return ""


def _write(sheet: Sheet, text: str, left: int, baseline: int, colour: tuple[int, int, int] = _BLACK) -> None:
    plain = text.encode("ascii", "replace").decode()  # OpenCV's fonts have ASCII only
    cv2.putText(sheet, plain, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
