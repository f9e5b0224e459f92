import csv
import sys
from math import inf, nan

from apps.tables import aligned_text, markdown, mean_and_deviation, print_table, write_csv

ROWS = [["method", "pairs", "s"], ["classical", "12", "0.5"], ["h", "3", "10.25"]]


def test_aligned_text_has_the_names_left_and_the_numbers_right():
    assert aligned_text(ROWS).splitlines() == [
        "method     pairs      s",
        "classical     12    0.5",
        "h              3  10.25",
    ]


def test_markdown_has_a_rule_below_the_headings():
    assert markdown(ROWS).splitlines() == [
        "| method    | pairs | s     |",
        "|-----------|-------|-------|",
        "| classical | 12    | 0.5   |",
        "| h         | 3     | 10.25 |",
    ]


def test_a_terminal_gets_borders_and_a_pipe_gets_plain_text(monkeypatch, capsys):
    print_table(ROWS)
    assert capsys.readouterr().out == aligned_text(ROWS) + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(ROWS)
    printed = capsys.readouterr().out
    assert all(cell in printed for row in ROWS for cell in row)
    assert "━" in printed


def test_cells_stand_out_in_markdown_and_on_a_terminal(monkeypatch, capsys):
    assert markdown(ROWS, {(1, 2)}).splitlines()[2] == "| classical | 12    | **0.5** |"
    assert "**" not in markdown(ROWS)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(ROWS, {(2, 1)})
    bold = capsys.readouterr().out.split("\x1b[1m")[1:]
    assert [text.split("\x1b")[0].strip() for text in bold][-1] == "3"


def test_csv_has_every_column_that_a_row_has(tmp_path):
    path = tmp_path / "new" / "rows.csv"
    write_csv(path, [{"name": "a", "s": 1.5}, {"name": "b", "error": "too dark"}])
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"name": "a", "s": "1.5", "error": ""},
            {"name": "b", "s": "", "error": "too dark"},
        ]


def test_a_cell_shows_mean_and_standard_deviation():
    assert mean_and_deviation([], 2) == "-"
    assert mean_and_deviation([1.5], 2) == "1.50"
    assert mean_and_deviation([1.0, 3.0], 1, sign="+") == "+2.0 +- 1.4"
    assert mean_and_deviation([1.0, nan], 1) == mean_and_deviation([nan, nan], 1) == "nan +- nan"
    assert mean_and_deviation([1.0, inf], 1) == "inf +- nan"
