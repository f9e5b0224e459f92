"""Tables of results: aligned text, Markdown, a box on a terminal, CSV."""

import csv
import sys
from collections.abc import Collection, Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stitching.io.files import atomic_write

Rows = Sequence[Sequence[str]]  # the headings first; every row has the same number of cells
Cells = Collection[tuple[int, int]]  # (row, column), the headings are row 0
MISSING = "-"


def aligned_text(rows: Rows) -> str:
    """Columns two spaces apart; the first one is aligned left, the others right."""
    first, *others = _widths(rows)
    lines = []
    for row in rows:
        cells = [row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Rows, bold: Cells = ()) -> str:
    """A Markdown table, all columns aligned left."""
    rows = [
        [f"**{cell}**" if (line, column) in bold else cell for column, cell in enumerate(row)]
        for line, row in enumerate(rows)
    ]
    widths = _widths(rows)
    headings, *body = (
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )
    return "\n".join([headings, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *body])


def print_table(rows: Rows, bold: Cells = ()) -> None:
    """Print a table with borders on a terminal, where some cells are bold; `aligned_text` elsewhere."""
    if not sys.stdout.isatty():
        print(aligned_text(rows))
        return
    table = Table()
    for column, heading in enumerate(rows[0]):
        table.add_column(heading, justify="right" if column else "left")
    for line, row in enumerate(rows[1:], start=1):
        table.add_row(*(Text(cell, "bold" if (line, column) in bold else "") for column, cell in enumerate(row)))
    Console().print(table)


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows that map column names to values; a column that a row lacks stays empty. Raises JobError.

    UTF-8; bytes of a file's name that are none are written as Python spells them.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_write(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)


def mean_and_deviation(values: Sequence[float], decimals: int, sign: str = "") -> str:
    """`mean +- standard deviation` for a cell, the mean alone of one value, "-" of none.

    sign: "+" also marks positive means.
    """
    if not values:
        return MISSING
    deviation = f" +- {deviation_of(values):.{decimals}f}" if len(values) > 1 else ""
    return f"{fmean(values):{sign}.{decimals}f}{deviation}"


def _widths(rows: Rows) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def deviation_of(values: Sequence[float]) -> float:
    """The standard deviation, 0 of a single value; NaN where one is not finite, for which `stdev` has no answer."""
    if not all(map(isfinite, values)):
        return nan
    return stdev(values) if len(values) > 1 else 0.0
