"""Histograms, drawn with OpenCV."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from datasets.arrays import Doubles, Pixels

BINS = 24
WIDTH, HEIGHT = 620, 360  # px, of one chart

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 56  # px around the bars
_COLOURS = ((180, 119, 31), (14, 127, 255))  # BGR: blue, orange
_BLACK, _GREY = (0, 0, 0), (225, 225, 225)


def histogram(title: str, axis: str, series: Mapping[str, Doubles]) -> Pixels:
    """Histogram of one or two series (name -> finite values) in one chart, (HEIGHT, WIDTH, 3) BGR.

    The axis spans 99 % of the values; the last bar holds those beyond it, which the label of the axis says.
    """
    chart = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    all_values = np.concatenate(list(series.values()))
    low, high = float(all_values.min()), float(np.quantile(all_values, 0.99))
    step = _step(high - low)
    start = np.floor(low / step) * step
    end = max(np.ceil(high / step) * step, start + step)
    edges = np.linspace(start, end, BINS + 1)
    counts = {name: np.histogram(np.minimum(values, end), edges)[0] for name, values in series.items()}
    highest = max(int(count.max()) for count in counts.values())
    _draw_axes(chart, start, end, step, highest)
    for (name, count), colour, position in zip(counts.items(), _COLOURS, range(2), strict=False):
        _draw_bars(chart, count, highest, colour, hollow=position > 0)
        _write(chart, name, WIDTH - _RIGHT - 110, _TOP - 24 + 18 * position, colour)
    beyond = int((all_values > end).sum())
    _write(chart, title, _LEFT, 20, _BLACK, 0.55)
    note = f"   ({beyond} beyond {end:g} in the last bar)" if beyond else ""
    _write(chart, axis + note, _LEFT, HEIGHT - 12, _BLACK)
    return chart


def side_by_side(charts: Sequence[Pixels], columns: int = 2) -> Pixels:
    """Pictures of one size in rows of `columns`, the last row filled with white."""
    blank = np.full_like(charts[0], 255)
    padded = [*charts, *[blank] * (-len(charts) % columns)]
    return np.vstack([np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)])


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, of which about six fit into `span`."""
    rough = max(span, 1e-6) / 6
    power = 10.0 ** np.floor(np.log10(rough))
    return float(power * next(factor for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + 1e-9)))


def _draw_axes(chart: Pixels, start: float, end: float, step: float, highest: int) -> None:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for tick in np.arange(start, end + step / 2, step):
        x = round(_LEFT + (tick - start) / (end - start) * (right - _LEFT))
        cv2.line(chart, (x, _TOP), (x, bottom), _GREY)
        _write(chart, f"{tick + 0.0:.6g}", x - 10, bottom + 18, _BLACK)
    upward = max(round(_step(highest)), 1)
    for tick in range(0, highest + 1, upward):
        y = round(bottom - tick / highest * (bottom - _TOP))
        cv2.line(chart, (_LEFT, y), (right, y), _GREY)
        _write(chart, str(tick), 24, y + 4, _BLACK)
    _write(chart, "samples", 4, _TOP - 14, _BLACK)
    cv2.line(chart, (_LEFT, bottom), (right, bottom), _BLACK)


def _draw_bars(chart: Pixels, counts: Doubles, highest: int, colour: tuple[int, int, int], hollow: bool) -> None:
    bottom, width = HEIGHT - _BOTTOM, (WIDTH - _RIGHT - _LEFT) / BINS
    for number, count in enumerate(counts):
        if count:
            left, right = round(_LEFT + number * width) + 1, round(_LEFT + (number + 1) * width) - 1
            top = round(bottom - count / highest * (bottom - _TOP))
            cv2.rectangle(chart, (left, top), (right, bottom), colour, 2 if hollow else cv2.FILLED)


def _write(chart: Pixels, text: str, x: int, y: int, colour: tuple[int, int, int], size: float = 0.42) -> None:
    cv2.putText(chart, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
