"""Overview of a data set: a table of statistics, histograms, a contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datasets.arrays import Doubles, Pixels
from datasets.overview.charts import histogram, side_by_side
from datasets.storage.reading import read_records, read_samples
from datasets.storage.records import Record
from datasets.storage.samples import StoredSample
from stitching.errors import InputError
from stitching.io.file_conflicts import check_links
from stitching.io.picture_writer import write_picture

HISTOGRAMS, PREVIEW = "histograms.png", "preview.jpg"
SAMPLES = 40  # on the contact sheet
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)

_HEIGHT, _LINE, _GAP = 150, 18, 8  # px, of a picture, a line of text, the space between
_WIDTHS = (190, 190, 360)  # px at most: reference, target, stitched
_COLUMNS = 2  # samples a row
_MOST = 1e9  # figures beyond it are no figures
_GREEN, _ORANGE = (0, 220, 0), (0, 140, 255)  # BGR


@dataclass(frozen=True)
class Figure:
    """A number that every sample has, and how it is to agree with what was requested."""

    title: str
    unit: str
    path: tuple[str, ...]  # keys in the facts
    requested: tuple[str, ...] = ()  # keys of the requested value; (): none was requested
    absolute: float = 0.0  # tolerance: requested and achieved differ by at most this ...
    relative: float = 0.0  # ... or this share of the requested value


FIGURES = (
    Figure("overlap", "share", ("achieved", "overlap"), ("requested", "overlap"), absolute=0.05),
    Figure("parallax", "px at 512", ("achieved", "parallax"), ("requested", "parallax"), absolute=1.0, relative=0.2),
    Figure("parallax p90", "px at 512", ("achieved", "parallax_p90")),
    Figure("warp length", "px", ("achieved", "warp_median")),
    Figure("occluded", "share", ("achieved", "occluded")),
    Figure("behind", "share", ("achieved", "behind")),
    Figure("depth, median", "m", ("depth", "median")),
    Figure("baseline", "m", ("achieved", "baseline")),
    Figure("turn", "degrees", ("achieved", "turn")),
    Figure("field of view", "degrees", ("requested", "fov")),
    Figure("roll", "degrees", ("requested", "roll")),
)
CHARTS = ("overlap", "parallax", "depth, median", "warp length")


def table(records: Sequence[Record]) -> list[list[str]]:
    """Headings and a row for each figure: number of samples, quantiles, error against the requested values."""
    heading = ["", "unit", "samples", *(f"q{round(100 * q)}" for q in QUANTILES), "mean error", "within tolerance"]
    rows = [heading]
    for figure in FIGURES:
        values = _values(records, figure.path)
        if not len(values):
            continue
        quantiles = (f"{value:.3g}" for value in np.quantile(values, QUANTILES))
        row = [figure.title, figure.unit, str(len(values)), *quantiles]
        requested = _values(records, figure.requested) if figure.requested else values[:0]
        if len(requested) == len(values):
            error = np.abs(values - requested)
            within = error <= np.maximum(figure.absolute, figure.relative * np.abs(requested)) + 1e-9
            rows.append([*row, f"{error.mean():.3g}", f"{within.mean():.1%}"])
        else:
            rows.append([*row, "", ""])
    return rows


def write_overview(folder: Path) -> list[list[str]]:
    """Write `histograms.png` and `preview.jpg` into the folder of a data set; returns its `table`.

    Raises InputError where `folder` is no data set or holds no sample yet, its pictures cannot be read, or one of them
    would be overwritten through a link.
    """
    check_links(("data set", folder), (HISTOGRAMS, PREVIEW), [("data set", folder)])
    records = read_records(folder)
    if not records:
        raise InputError(f"{folder} holds no sample yet; generate some first")
    charts = [_chart(records, figure) for figure in FIGURES if figure.title in CHARTS]
    known = [chart for chart in charts if chart is not None]
    if known:
        write_picture(folder / HISTOGRAMS, side_by_side(known))
    evenly_spread = np.linspace(0, len(records) - 1, min(SAMPLES, len(records))).round().astype(int)
    samples = read_samples(folder, {records[i].index for i in evenly_spread})
    write_picture(folder / PREVIEW, contact_sheet(list(samples)))
    return table(records)


def contact_sheet(samples: Sequence[StoredSample]) -> Pixels:
    """BGR picture: reference, target and stitched canvas of each sample, with the outlines of both views."""
    return side_by_side([_cell(sample) for sample in samples], _COLUMNS)


def _values(records: Sequence[Record], path: Sequence[str]) -> Doubles:
    """(n,) the number at `path` in the facts of each record that has it."""
    values = []
    for record in records:
        value: object = record.facts
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float) and abs(value) <= _MOST:
            values.append(float(value))
    return np.array(values, np.float64)


def _chart(records: Sequence[Record], figure: Figure) -> Pixels | None:
    series = {"achieved" if figure.requested else figure.title: _values(records, figure.path)}
    if figure.requested:
        series["requested"] = _values(records, figure.requested)
    series = {name: values for name, values in series.items() if len(values)}
    return histogram(figure.title, f"{figure.title}, {figure.unit}", series) if series else None


def _cell(sample: StoredSample) -> Pixels:
    """The three pictures of a sample beside each other, a caption above."""
    arrays, record = sample.arrays, sample.record
    cell = np.full((_LINE + _HEIGHT + _GAP, sum(_WIDTHS) + len(_WIDTHS) * _GAP, 3), 255, np.uint8)
    left, pictures = 0, (arrays.reference.picture, arrays.target.picture, _with_outlines(sample))
    for pixels, width in zip(pictures, _WIDTHS, strict=True):
        picture = _fit(pixels, width)
        cell[_LINE : _LINE + picture.shape[0], left : left + picture.shape[1]] = picture
        left += width + _GAP
    figures = ((figure.title, _values([record], figure.path)) for figure in FIGURES[:2])
    numbers = (f"{title} {value[0]:.3g}" for title, value in figures if len(value))
    caption = "  ".join((record.name, str(record.facts.get("scene", "")), *numbers))
    cv2.putText(cell, caption, (0, _LINE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return cell


def _fit(pixels: Pixels, width: int) -> Pixels:
    """The picture scaled to at most _HEIGHT px high and `width` px wide."""
    h, w = pixels.shape[:2]
    factor = min(_HEIGHT / h, width / w)
    size = max(round(w * factor), 1), max(round(h * factor), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _with_outlines(sample: StoredSample) -> Pixels:
    """The stitched canvas; the outline of the reference in green, of what the target sees in orange."""
    picture = _fit(sample.arrays.stitched, _WIDTHS[2])
    for bit, colour in ((2, _ORANGE), (1, _GREEN)):
        inside = _fit(np.where(sample.arrays.stitched_mask & bit, 255, 0).astype(np.uint8), _WIDTHS[2]) > 127
        inner = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        picture[inside & ~inner] = colour
    return picture
