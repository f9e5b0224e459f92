import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_panoramas import SIZE, STEP, make_panorama

from stitching.geometry.rectangles import Rectangle
from stitching.match_graph.match_graph import MatchGraph
from stitching.mosaic.summary import summarize_mosaic


def bounds(outline):
    """Left, top, right, bottom of one polygon."""
    (polygon,) = outline
    return *np.min(polygon, axis=0), *np.max(polygon, axis=0)


def test_pictures_stand_in_the_order_of_the_caller():
    summary = summarize_mosaic(make_panorama())
    assert [(one.number, one.name) for one in summary.pictures] == [
        (1, "trip/row_2.jpg"), (2, "trip/row_1.jpg"), (3, "trip/row_0.jpg"),
    ]  # fmt: skip
    assert summary.reference == "trip/row_1.jpg"


def test_each_picture_says_what_joined_and_placed_it():
    first, second, third = summarize_mosaic(make_panorama()).pictures
    assert first.joined_to == {2: 41}
    assert second.joined_to == {1: 41, 3: 40}
    assert third.joined_to == {2: 40}
    assert (first.warp, first.verified) == ("classical", 0.8)
    assert (second.warp, second.verified) == (None, None)


def test_shares_of_the_panorama_sum_to_one():
    summary = summarize_mosaic(make_panorama())
    width = SIZE[0] + 2 * STEP
    assert [one.shown for one in summary.pictures] == pytest.approx(
        [SIZE[0] / width, STEP / width, STEP / width], abs=1e-3
    )


def test_outlines_lie_on_the_panorama_that_is_written():
    w, h = SIZE
    panorama = make_panorama()
    whole = summarize_mosaic(panorama).pictures[0]
    assert bounds(whole.outline) == pytest.approx((2 * STEP, 0, 2 * STEP + w - 1, h - 1), abs=2)
    cut = replace(panorama, output_scale=0.25, crop=Rectangle(10, 5, 110, 40))
    reduced = summarize_mosaic(cut).pictures[0]
    assert bounds(reduced.outline) == pytest.approx((60 - 10, -5, 60 + 50 - 1 - 10, 40 - 1 - 5), abs=1)


def test_a_picture_at_the_ends_of_a_whole_turn_has_two_outlines():
    panorama = make_panorama()
    last = next(placed for placed in panorama.placed if placed.picture == 2)
    moved = replace(last, window=last.window.translated(30, 0))  # 30 of its 100 columns go on at the left end
    others = tuple(placed for placed in panorama.placed if placed is not last)
    outline = summarize_mosaic(replace(panorama, placed=(*others, moved))).pictures[0].outline
    right, left = sorted(outline, key=lambda polygon: -max(x for x, _ in polygon))
    assert min(x for x, _ in left) == pytest.approx(0, abs=2)
    assert max(x for x, _ in left) == pytest.approx(60, abs=2)
    assert max(x for x, _ in right) == pytest.approx(2 * STEP + SIZE[0] - 1, abs=2)


def test_crumbs_are_no_part_of_an_outline():
    panorama = make_panorama()
    placed = panorama.placed[0]
    torn = placed.shown_map.copy()
    torn[:, 60:] = -1e5
    torn[40:44, 80:84] = 50
    (polygon,) = (
        summarize_mosaic(replace(panorama, placed=(replace(placed, shown_map=torn), *panorama.placed[1:])))
        .pictures[1]
        .outline
    )
    assert max(x for x, _ in polygon) == pytest.approx(STEP + 120, abs=2)


def test_what_was_left_out_is_named_with_the_reason():
    summary = summarize_mosaic(make_panorama())
    (left_out,) = summary.as_dict()["left_out"]
    assert left_out == {"name": "trip/cat.jpg", "reason": "shares too little with the others"}
    assert "3 of 4 pictures" in summary.in_words()
    assert "3 pictures in the view of row_1.jpg" in summarize_mosaic(make_panorama(left_out=False)).in_words()


def test_pairs_with_pictures_that_are_not_shown_are_not_told_of():
    panorama = make_panorama()
    without = tuple(placed for placed in panorama.placed if placed.picture != 0)
    (pair,) = summarize_mosaic(replace(panorama, placed=without)).joined
    assert (pair.first, pair.second, pair.matches, pair.alignment) == (1, 2, 41, "homography")


def test_it_is_ready_for_json_and_says_the_same_twice():
    once, twice = (json.dumps(summarize_mosaic(make_panorama()).as_dict()) for _ in range(2))
    assert once == twice
    assert json.loads(once)["panorama_size"] == [SIZE[0] + 2 * STEP, SIZE[1]]


def test_loaded_warps_have_no_matches_to_tell_of():
    summary = summarize_mosaic(make_panorama(graph=MatchGraph(3, ())))
    assert summary.joined == ()
    assert "matches" not in summary.in_words()


def test_the_documents_name_all_of_it():
    formats = (Path(__file__).parents[3] / "docs" / "stitching" / "formats.md").read_text()
    found = summarize_mosaic(make_panorama()).as_dict()
    names = {*found, *found["pictures"][0], *found["joined"][0], *found["left_out"][0]}
    assert not {name for name in names if f"`{name}`" not in formats}
