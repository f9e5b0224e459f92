"""Tables of averages: which cells are the best, what is left out."""

from math import inf
from statistics import median

from apps.evaluation.output.photograph_tables import photograph_tables
from apps.evaluation.output.result_tables import PAIRS, Column, averages, by_class, of_key, short_name
from apps.evaluation.scoring import COLUMNS, Row

ROWS: list[Row] = [
    {"pair": "a", "method": "fast", "error": 1.0, "share": 0.25, "seconds": 1.0},
    {"pair": "b", "method": "fast", "error": 8.0, "share": None, "seconds": 1.0},
    {"pair": "a", "method": "good", "error": 1.0, "share": 0.5, "seconds": 9.0},
    {"pair": "b", "method": "good", "error": 2.0, "share": 0.7, "seconds": 9.0},
]


def test_the_best_of_each_column_is_marked_as_it_is_printed() -> None:
    columns = [
        PAIRS, Column("error", of_key("error"), 1, min), Column("share", of_key("share"), 1, max),
        Column("s", of_key("seconds"), 0), Column("median", of_key("error"), 1, min, median),
        Column("nothing", of_key("nothing")), Column("same", lambda row: 2, 0, max),
    ]  # fmt: skip
    table = averages(ROWS, ["method"], columns)
    assert table.rows == [
        ["method", "pairs", "error", "share", "s", "median", "same"],
        ["fast", "2", "4.5", "0.2", "1", "4.5", "2"],
        ["good", "2", "1.5", "0.6", "9", "1.5", "2"],
    ]
    assert table.best == {(2, 2), (2, 3), (2, 5), (1, 6), (2, 6)}


def test_one_method_is_not_the_best() -> None:
    assert not averages(ROWS[:2], ["method"], [Column("error", of_key("error"), 1, min)]).best


def test_classes_have_their_limits_and_their_number_of_pairs() -> None:
    columns = by_class(Column("", of_key("seconds"), 0), "error", (0, 2, 5, 7, inf), ROWS)
    assert averages(ROWS, ["method"], columns).rows == [
        ["method", "0 to 2 (1)", "2 to 5 (1)", "7 or more (1)"],
        ["fast", "1", "-", "1"],
        ["good", "9", "9", "-"],
    ]


def test_names_of_weights_are_cut_to_two_parts_of_their_path() -> None:
    assert short_name("pwm:/home/me/runs/flow/best.safetensors") == "pwm:flow/best.safetensors"
    assert short_name("ptlflow:raft:/home/me/runs/flow/best.safetensors") == "ptlflow:raft:flow/best.safetensors"
    assert short_name("ptlflow:raft+dis") == "ptlflow:raft+dis"
    assert [short_name("classical"), short_name(None)] == ["classical", "-"]


def photograph_row(method: str, pair: str, **known: float | bool) -> Row:
    row: Row = dict.fromkeys((*COLUMNS, "true_parallax", "true_overlap"))
    return row | {"method": method, "pair": pair, "ok": True, "good": True, "blown_up": False} | known


def test_warps_of_photographs_have_tables_only_where_a_truth_is_known() -> None:
    rows = [photograph_row("auto", "a"), photograph_row("auto", "b", ok=False, good=False)]
    (panoramas,) = photograph_tables(rows).values()
    assert panoramas.rows == [["method", "pairs", "failed", "good"], ["auto", "2", "1", "1"]]
    rows[0] = photograph_row("auto", "a", within_3=0.4, true_parallax=30.0, true_overlap=0.7)
    _, warps, by_parallax, by_overlap = photograph_tables(rows).values()
    assert warps.rows == [["method", "pairs", "3 px", "below half"], ["auto", "1", "0.400", "1"]]
    assert by_parallax.rows == [["method", "25 to 60 (1)"], ["auto", "0.400"]]
    assert by_overlap.rows == [["method", "0.6 to 0.8 (1)"], ["auto", "0.400"]]
