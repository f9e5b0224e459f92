"""The benchmark of many pictures: its tables and its cut pictures."""

import numpy as np
from many_views import TILE, TILE_OVERLAP, Outcome, steps_away, table, tiles


def test_drift_is_the_last_picture_by_the_first() -> None:
    outcomes = [
        Outcome("row", "auto", number, view, abs(view - 2), places=[6.0, 2.0, 0.0, 4.0, 9.0][view])
        for number in (0, 1)
        for view in range(5)
    ]
    rows = table(outcomes)
    by_name = {row[1]: row for row in rows[1:]}
    assert by_name["1"][2:5] == ["4", "0", "3.00 (-)"]
    assert by_name["2"][4] == "7.50 (-)"
    assert by_name["drift"][4] == "2.50"
    assert by_name["worst"][4] == "9.00"


def test_pictures_that_are_gone_are_counted() -> None:
    outcomes = [Outcome("row", "auto", 0, 0, 0, places=0.0), Outcome("row", "auto", 0, 1, 1, gone=True)]
    assert [row[3] for row in table(outcomes)[1:3]] == ["0", "1"]


def test_a_ring_is_left_the_shorter_way_around() -> None:
    assert [steps_away(view, 1, 6, "ring") for view in range(6)] == [-1, 0, 1, 2, -3, -2]
    assert [steps_away(view, 1, 6, "row") for view in range(6)] == [-1, 0, 1, 2, 3, 4]


def test_cut_pictures_overlap_their_neighbours() -> None:
    cut = tiles(6)
    assert [picture.shape for picture in cut] == [(TILE[1], TILE[0], 3)] * 6
    step = [round(side * (1 - TILE_OVERLAP)) for side in TILE]
    assert np.array_equal(cut[0][:, step[0] :], cut[1][:, : -step[0]])  # three a row
    assert np.array_equal(cut[1][step[1] :], cut[4][: -step[1]])
    assert not np.array_equal(cut[0], cut[5])
