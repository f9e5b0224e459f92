import cv2
import numpy as np
import pytest
from picture_pieces import source, texture

from stitching.match_graph.build import build_graph


def turned(pixels, degrees, scale=1.0):
    h, w = pixels.shape[:2]
    motion = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, scale)
    return cv2.warpAffine(pixels, motion, (w, h), borderMode=cv2.BORDER_REFLECT)


WINDOWS = [(0, 0), (0, 170), (150, 0), (150, 170)]  # (top, left) of the pictures of the grid


@pytest.fixture(scope="module")
def grid_sources():
    """Four overlapping pieces of one picture, and one of another."""
    one, other = texture(1, 400, 460), texture(2, 240, 280)
    pieces = [one[top : top + 240, left : left + 280] for top, left in WINDOWS]
    pieces.append(other)
    return [source(piece) for piece in pieces]


@pytest.fixture(scope="module")
def grid(grid_sources):
    return build_graph(grid_sources, "auto", "cpu")


def test_edges_say_where_the_pictures_lie(grid):
    for edge in grid.edges:
        if edge.second < 4:
            (top, left), (other_top, other_left) = WINDOWS[edge.first], WINDOWS[edge.second]
            shift = edge.alignment.homography @ [140, 120, 1]
            true = [140 + other_left - left, 120 + other_top - top]
            assert np.allclose(shift[:2] / shift[2], true, atol=2), edge


def test_pictures_of_other_scenes_are_other_components(grid):
    assert grid.components() == ((0, 1, 2, 3), (4,))


def test_the_order_of_the_pictures_has_no_influence(grid_sources):
    order = [2, 0, 3, 1]
    grid, again = (
        build_graph(sources, "auto", "cpu") for sources in (grid_sources[:4], [grid_sources[i] for i in order])
    )
    assert {frozenset((order[e.first], order[e.second])) for e in again.edges} == {
        frozenset((e.first, e.second)) for e in grid.edges
    }


def test_building_twice_gives_the_same(grid_sources):
    one, other = (build_graph(grid_sources[:3], "auto", "cpu") for _ in range(2))
    for edge, again in zip(one.edges, other.edges, strict=True):
        assert np.array_equal(edge.alignment.homography, again.alignment.homography)


@pytest.mark.parametrize(("motion", "kinds"), [("translation", {"translation"}), ("affine", {"affine", "similarity"})])
def test_the_motion_restricts_the_alignments(grid_sources, motion, kinds):
    graph = build_graph(grid_sources[:4], motion, "cpu")
    assert len(graph.components()) == 1
    assert {edge.alignment.method for edge in graph.edges} <= kinds
    if motion == "translation":
        assert all(np.array_equal(edge.alignment.homography[:2, :2], np.eye(2)) for edge in graph.edges)


def test_a_resized_copy_is_one_more_picture_of_the_set(grid_sources):
    pixels = grid_sources[0].copy.pixels
    smaller = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    graph = build_graph([grid_sources[0], source(smaller), grid_sources[1]], "auto", "cpu")
    assert graph.components() == ((0, 1, 2),)
    corner = graph.edges[0].alignment.homography @ [0, 0, 1]
    assert np.allclose(corner[:2] / corner[2], 0, atol=1.5)


def test_edges_are_in_px_of_the_full_size_pictures():
    large = texture(3, 900, 1500)
    pieces = [large[:, :1000], large[:, 450:1450]]
    (edge,) = build_graph([source(piece, 0.5) for piece in pieces], "auto", "cpu").edges
    place = edge.alignment.homography @ [100, 400, 1]
    assert np.allclose(place[:2] / place[2], [550, 400], atol=1.5)


def test_turned_pictures_are_joined(grid_sources):
    pixels = grid_sources[0].copy.pixels
    graph = build_graph([source(pixels), source(turned(pixels, 25))], "auto", "cpu")
    assert len(graph.edges) == 1
