"""Tables of averages over the rows of an evaluation, a line for each method; the best of a column stands out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import fmean

from apps.evaluation.scoring import Row, Value
from apps.tables import MISSING, Cells, Rows
from stitching.errors import printable

Best = Callable[[Iterable[float]], float]  # max where high values are good, min where low ones are


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        heading: printed above it.
        value: of a row of the results; None = not measured, and left out of the average.
        decimals: printed.
        best: None = no value is better than another.
        average: of the values that are there.
    """

    heading: str
    value: Callable[[Row], Value]
    decimals: int = 2
    best: Best | None = None
    average: Callable[[list[float]], float] = fmean


PAIRS = Column("pairs", lambda _: 1, 0, average=sum)


@dataclass(frozen=True)
class ResultTable:
    """A table to print: `rows` begin with the headings; `best` are cells of the best values."""

    rows: Rows
    best: Cells


def averages(rows: Sequence[Row], by: Sequence[str], columns: Sequence[Column]) -> ResultTable:
    """A line for each group of rows; columns that no row has are left out.

    by: columns of the results that are equal in a group, methods mostly.
    """
    keys = dict.fromkeys(tuple(row.get(name) for name in by) for row in rows)
    groups = {key: [row for row in rows if tuple(row.get(name) for name in by) == key] for key in keys}
    columns = [column for column in columns if any(column.value(row) is not None for row in rows)]
    table = [[*by, *(column.heading for column in columns)]]
    table += [[*map(short_name, key)] for key in groups]
    best: set[tuple[int, int]] = set()
    for column in columns:
        means = [_average(column, group) for group in groups.values()]
        cells = [MISSING if mean is None else f"{mean:.{column.decimals}f}" for mean in means]
        known = [mean for mean in means if mean is not None]
        if column.best and len(known) > 1:
            found = f"{column.best(known):.{column.decimals}f}"
            best |= {(number, len(table[1])) for number, cell in enumerate(cells, start=1) if cell == found}
        for line, cell in zip(table[1:], cells, strict=True):
            line.append(cell)
    return ResultTable(table, frozenset(best))


def by_class(column: Column, key: str, limits: Sequence[float], rows: Sequence[Row]) -> list[Column]:
    """The column once for each class of rows: those whose value of `key` is at least one limit and below the next.

    Only classes that `rows` have. The last limit may be infinite. Headings: the limits (number of pairs).
    """
    columns = []
    for low, high in pairwise(limits):
        pairs = {row.get("pair", row.get("sample")) for row in in_class(rows, key, low, high)}
        if pairs:
            heading = f"{class_name(low, high)} ({len(pairs)})"
            columns.append(replace(column, heading=heading, value=_of_class(column, key, low, high)))
    return columns


def class_name(low: float, high: float) -> str:
    """Of the values from `low` to `high`, which may be infinite."""
    return f"{low:g} to {high:g}" if high < inf else f"{low:g} or more"


def in_class(rows: Sequence[Row], key: str, low: float, high: float) -> list[Row]:
    """The rows whose value of `key` is at least `low` and below `high`."""
    return [row for row in rows if _is_between(row, key, low, high)]


def of_key(key: str) -> Callable[[Row], Value]:
    """The value of a column of the results."""
    return lambda row: row.get(key)


def short_name(name: Value) -> str:
    """A method as it may be printed, with only the last two parts of its file's path, behind the last colon."""
    kind, colon, path = printable(str(name or MISSING)).rpartition(":")
    return kind + colon + "/".join(Path(path).parts[-2:]) if colon else path


def _of_class(column: Column, key: str, low: float, high: float) -> Callable[[Row], Value]:
    return lambda row: column.value(row) if _is_between(row, key, low, high) else None


def _is_between(row: Row, key: str, low: float, high: float) -> bool:
    value = row.get(key)
    return value is not None and low <= float(value) < high


def _average(column: Column, rows: Sequence[Row]) -> float | None:
    values = [float(value) for row in rows if (value := column.value(row)) is not None]
    return column.average(values) if values else None
