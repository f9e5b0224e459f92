from itertools import combinations

import numpy as np
import pytest
from picture_pieces import source, texture

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.match_graph.candidates import CANDIDATES, candidate_pairs, neighbours_of_neighbours
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.matched_picture import MatchedPicture

PLACES = [(top, left) for top in range(0, 481, 80) for left in range(0, 721, 120)]  # 7 x 7 pieces of 160 x 120 px


@pytest.fixture(scope="module")
def pieces():
    large = texture(5, 600, 880)
    return [MatchedPicture.of(source(large[y : y + 120, x : x + 160]).copy, 0.2e6) for y, x in PLACES]


def test_pictures_that_share_a_quarter_are_candidates(pieces):
    pairs = set(candidate_pairs(pieces))
    beside = [
        (i, j) for i, j in combinations(range(49), 2) if np.abs(np.subtract(PLACES[i], PLACES[j])).sum() in (80, 120)
    ]
    assert len(beside) == 84
    assert len(pairs & set(beside)) >= 80


def test_the_number_of_candidates_grows_with_the_number_of_pictures_only(pieces):
    assert len(candidate_pairs(pieces)) <= CANDIDATES * len(pieces)


def test_pictures_without_features_have_no_candidates():
    blank = [MatchedPicture.of(source(np.full((80, 100, 3), 90, np.uint8)).copy, 0.2e6) for _ in range(3)]
    assert candidate_pairs(blank) == []


def shifted(first, second, x, y):
    none = np.zeros((0, 2))
    homography = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)
    return Edge(first, second, Alignment(homography, Matches(none, none), "homography", 1, 1.0))


def test_pictures_that_both_overlap_a_third_are_neighbours_where_they_overlap_each_other():
    sizes = [(100, 80)] * 4
    edges = (shifted(0, 1, 60, 0), shifted(0, 2, 0, 50), shifted(0, 3, -80, 0))
    assert neighbours_of_neighbours(MatchGraph(4, edges), sizes, []) == [(1, 2)]
    assert neighbours_of_neighbours(MatchGraph(4, edges), sizes, [(1, 2)]) == []


def test_the_neighbours_of_neighbours_of_pictures_of_one_view_are_few():
    count = 40
    edges = tuple(shifted(0, other, other, 0) for other in range(1, count))
    pairs = neighbours_of_neighbours(MatchGraph(count, edges), [(100, 80)] * count, [])
    assert len(pairs) <= CANDIDATES * count
    assert {(i, i + 1) for i in range(1, count - 1)} <= set(pairs)
