from itertools import combinations
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from turned_pictures import FOCAL, SIZE, picture_points, rotation

from stitching.adjustment.adjust import adjust
from stitching.adjustment.links import normalisation
from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.features import Matches
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import inside
from stitching.match_graph.match_graph import Edge, MatchGraph

CAMERA = np.array([[FOCAL, 0, (SIZE[0] - 1) / 2], [0, FOCAL, (SIZE[1] - 1) / 2], [0, 0, 1]])
MIN_SHARED = 60  # points of an edge


def graph_of(matrices, noise=0.0, outliers=0.0, seed=0):
    """The match graph of pictures with the given matrices, frame -> picture; Gaussian noise px, share of outliers."""
    random, edges = np.random.default_rng(seed), []
    points = random.uniform((0, 0), SIZE, (800, 2))
    for first in range(len(matrices)):
        for second in range(first + 1, len(matrices)):
            homography = matrices[first] @ np.linalg.inv(matrices[second])
            moved = project(homography, points)
            seen = inside(moved, SIZE)
            if seen.sum() < MIN_SHARED:
                continue
            target, reference = (p[seen] + random.normal(0, noise, (seen.sum(), 2)) for p in (points, moved))
            wrong = random.random(len(target)) < outliers
            reference[wrong] = random.uniform((0, 0), SIZE, (wrong.sum(), 2))
            edges.append(Edge(first, second, Alignment(homography, Matches(target, reference), "homography", 1, 1.0)))
    return MatchGraph(len(matrices), tuple(edges))


def graph_of_cameras(turns, places, points):
    """The match graph of cameras that see points (n, 3) from their places; a tenth of the matches are wrong."""
    random, views, edges = np.random.default_rng(0), [], []
    for turn, place in zip(turns, places, strict=True):
        seen = (points - place) @ (CAMERA @ turn).T
        views.append(
            np.where(seen[:, 2:] > 0, seen[:, :2] / seen[:, 2:], np.nan) + random.normal(0, 0.5, (len(seen), 2))
        )
    for first in range(len(turns)):
        for second in range(first + 1, len(turns)):
            both = np.flatnonzero(inside(views[first], SIZE) & inside(views[second], SIZE))[:300]
            if len(both) < MIN_SHARED:
                continue
            target, reference = views[second][both], views[first][both]
            homography, _ = cv2.findHomography(target, reference, cv2.RANSAC, 8)
            wrong = random.random(len(both)) < 0.1
            reference[wrong] = random.uniform((0, 0), SIZE, (wrong.sum(), 2))
            edges.append(Edge(first, second, Alignment(homography, Matches(target, reference), "homography", 1, 1.0)))
    return MatchGraph(len(turns), tuple(edges))


def adjusted(graph, motion="auto", reference=0, focal=None):
    sources = [SimpleNamespace(size=SIZE, focal=focal)] * graph.count
    return adjust(sources, graph, tuple(range(graph.count)), reference, motion)


def turned(*angles):
    return [CAMERA @ rotation(*angle) @ np.linalg.inv(CAMERA) for angle in angles]


def errors(arrangement, matrices, reference=0):
    """RMS distance, px of the reference's neighbours, of each picture's places from the truth, picture by picture."""
    found = []
    for number, matrix in enumerate(matrices):
        truth = matrix @ np.linalg.inv(matrices[reference])
        place = arrangement.to_picture[number] @ np.linalg.inv(arrangement.to_picture[reference])
        back = project(place @ np.linalg.inv(truth), picture_points())
        found.append(float(np.sqrt(((back - picture_points()) ** 2).sum(axis=1).mean())))
    return np.array(found)


def rotation_of(arrangement, number):
    """Directions of the frame -> those of a camera."""
    camera = np.linalg.inv(normalisation(SIZE, 1.0)) @ np.diag([arrangement.focal, arrangement.focal, 1])
    return np.linalg.inv(camera) @ arrangement.to_picture[number] @ camera


@pytest.mark.parametrize("motion", ["auto", "translation", "affine"])
def test_a_grid_of_tiles_is_found_exactly(motion):
    tiles = [np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]]) for x in (0, 480, 955) for y in (0, 360)]
    arrangement = adjusted(graph_of(tiles), motion)
    assert errors(arrangement, tiles).max() < 1e-3
    assert arrangement.residual < 1e-3
    if motion == "auto":
        assert arrangement.motion == "translation"


@pytest.mark.parametrize("small", [[0], [0, 4, 5, 6, 7]])
@pytest.mark.parametrize("motion", ["auto", "translation"])
@pytest.mark.parametrize("reference", range(4))
def test_tiles_of_unequal_sizes_are_found_exactly_from_each_of_them(small, motion, reference):
    """Three large tiles in a row, and small ones, the first over two corners of large ones."""
    corners = np.array([(1500, 1300), (0, 0), (1700, 100), (3400, 0), *((x, 100) for x in range(100, 1000, 250))])
    used = [0, 1, 2, 3, *small[1:]]
    sizes = {n: (300, 200) if used[n] in small else (2000, 1500) for n in range(len(used))}
    corners, random, edges = corners[used], np.random.default_rng(0), []
    for first, second in combinations(range(len(used)), 2):
        move = corners[second] - corners[first]
        low, high = np.maximum(0, -move), np.minimum(sizes[second], sizes[first] - move)
        if (high - low > 30).all():
            points = random.uniform(low, high, (100, 2))
            homography = np.array([[1, 0, move[0]], [0, 1, move[1]], [0, 0, 1.0]])
            edges.append(
                Edge(first, second, Alignment(homography, Matches(points, points + move), "translation", 0, 1.0))
            )
    sources = [SimpleNamespace(size=size, focal=None) for size in sizes.values()]
    found = adjust(sources, MatchGraph(len(used), tuple(edges)), tuple(sizes), reference, motion)
    assert found.motion == "translation"
    places = [-found.to_picture[number][:2, 2] for number in sizes]
    np.testing.assert_allclose(places, corners - corners[reference], atol=1e-3)


@pytest.mark.parametrize("motion", ["auto", "affine"])
def test_turned_and_scaled_scans_are_found_exactly(motion):
    scans = [np.eye(3)]
    for angle, scale, x, y in ((5, 1.1, 300, 20), (-90, 0.9, 200, 250), (178, 1.0, -320, -30)):
        c, s = scale * np.cos(np.deg2rad(angle)), scale * np.sin(np.deg2rad(angle))
        about_centre = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        centre = normalisation(SIZE, 1.0)
        scans.append(np.linalg.inv(centre) @ about_centre @ centre @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]]))
    arrangement = adjusted(graph_of(scans), motion)
    assert arrangement.motion == "affine"
    assert errors(arrangement, scans).max() < 1e-3
    np.testing.assert_allclose(arrangement.to_picture[0], np.eye(3), atol=1e-9)


def test_a_ring_closes():
    ring = turned(*((yaw, 0) for yaw in range(0, 360, 30)))
    arrangement = adjusted(graph_of(ring, noise=0.7, outliers=0.1))
    assert arrangement.motion == "perspective"
    assert arrangement.focal == pytest.approx(FOCAL, rel=0.01)
    assert errors(arrangement, ring).max() < 2


def test_a_row_does_not_drift():
    row = turned(*((yaw, 3 * np.sin(yaw), 2 * np.cos(yaw)) for yaw in np.linspace(0, 140, 8)))
    found = errors(adjusted(graph_of(row, noise=0.7, outliers=0.1)), row)
    assert found.max() < 1
    assert found[-1] < 1.5 * found[1:].min() + 0.5


def test_the_horizon_is_level():
    """Cameras that look 15 degrees down and lean a little: the frame is level."""
    angles = [(yaw, -15, lean) for yaw, lean in zip(range(-60, 61, 20), (1, -1, 0, 2, -2, 1, -1), strict=True)]
    arrangement = adjusted(graph_of(turned(*angles)), reference=3)
    turn = rotation_of(arrangement, 3) @ rotation(*angles[3]).T
    assert np.rad2deg(np.arccos((np.trace(turn) - 1) / 2)) < 2


def test_equal_input_gives_equal_output():
    ring = turned(*((yaw, 0) for yaw in range(0, 120, 30)))
    first, second = (adjusted(graph_of(ring, noise=0.7)) for _ in range(2))
    assert all((first.to_picture[i] == second.to_picture[i]).all() for i in range(4))


def test_cameras_held_on_their_side_do_not_turn_the_panorama_over():
    """Landscape and portrait pictures mixed: the frame's down is that of the reference, to a few degrees."""
    angles = [(yaw, 0, roll) for yaw, roll in zip(range(-60, 61, 20), (0, 90, 0, 0, -90, 90, 0), strict=True)]
    upright = rotation_of(adjusted(graph_of(turned(*angles)), reference=3), 3)
    np.testing.assert_allclose(upright, np.eye(3), atol=0.03)


def test_a_narrow_pan_that_seems_to_look_at_the_ground_stays_in_the_view_of_the_reference():
    """So do turns come out that are a walk around a thing."""
    arrangement = adjusted(graph_of(turned(*((0, 0, roll) for roll in (-20, 0, 20)))), "perspective", reference=1)
    np.testing.assert_allclose(rotation_of(arrangement, 1), np.eye(3), atol=1e-9)


def test_a_pan_up_and_down_stays_in_the_view_of_the_reference():
    arrangement = adjusted(graph_of(turned(*((0, pitch, 1) for pitch in (-40, -20, 0, 20, 40)))), reference=1)
    np.testing.assert_allclose(rotation_of(arrangement, 1), np.eye(3), atol=1e-9)


def test_parallax_does_not_open_a_ring():
    """Cameras beside each other: the errors of a row that goes all around do not add up."""
    random = np.random.default_rng(0)
    turns = [rotation(yaw) for yaw in range(0, 360, 30)]
    points = random.normal(size=(5000, 3)) * (1, 0.5, 1)
    points *= random.uniform(8, 40, (5000, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    graph = graph_of_cameras(turns, 0.1 * random.normal(size=(12, 3)), points)
    arrangement = adjusted(graph)
    assert arrangement.focal == pytest.approx(FOCAL, rel=0.05)
    assert errors(arrangement, [CAMERA @ turn @ np.linalg.inv(CAMERA) for turn in turns]).max() < 20


def test_a_camera_that_moves_over_a_plane_gives_homographies():
    """A row of oblique pictures of the ground: the camera moves, and leans each time in another direction."""
    random = np.random.default_rng(1)
    turns = [rotation(*random.normal(0, 8, 3)) for _ in range(5)]
    places = np.column_stack([np.arange(5) * 2.0, np.zeros(5), np.zeros(5)])
    points = np.column_stack([random.uniform(-6, 14, 4000), random.uniform(-6, 6, 4000), np.full(4000, 6.0)])
    graph = graph_of_cameras(turns, places, points)
    arrangement = adjusted(graph, reference=2)
    assert (arrangement.motion, arrangement.focal) == ("perspective", None)
    normal = np.array([0, 0, 1 / 6])
    truth = [
        CAMERA @ (turn - np.outer(turn @ place, normal)) @ np.linalg.inv(CAMERA)
        for turn, place in zip(turns, places, strict=True)
    ]
    assert errors(arrangement, truth, 2).max() < 3


def test_cameras_around_a_near_thing_do_not_become_fisheyes():
    """No turn explains them, and turns with a focal length of a tenth explain their middle best."""
    turns = [rotation(yaw) for yaw in (-40, -20, 0, 20, 40)]
    places = np.array([[0, 0, 4] - turn.T @ [0, 0, 4] for turn in turns])
    points = np.random.default_rng(1).uniform([-1, -1, 3.7], [1, 1, 4.3], (600, 3))
    arrangement = adjusted(graph_of_cameras(turns, places, points), reference=2)
    assert (arrangement.motion, arrangement.focal) == ("perspective", None)


@pytest.mark.parametrize(("farthest", "motion"), [(8.0, "translation"), (40.0, "perspective")])
@pytest.mark.parametrize("count", [2, 3])
def test_a_camera_that_moves_sideways_gives_translations_of_a_plane_only(count, farthest, motion):
    """Things at 8 to 40 steps of the camera move by 69 to 14 px: no motion of a plane explains that."""
    random = np.random.default_rng(2)
    depth = random.uniform(8, farthest, 6000)
    points = np.column_stack([random.uniform(-1, 1.5, 6000) * depth, random.uniform(-0.5, 0.5, 6000) * depth, depth])
    places = np.column_stack([np.arange(count), np.zeros(count), np.zeros(count)])
    graph = graph_of_cameras([np.eye(3)] * count, places, points)
    assert adjusted(graph).motion == motion


def test_a_pair_that_contradicts_all_others_has_no_influence():
    row = turned(*((yaw, 0) for yaw in range(0, 101, 20)))
    graph = graph_of(row, noise=0.5)
    wrong = next(edge for edge in graph.edges if (edge.first, edge.second) == (0, 2))
    moved = Matches(wrong.alignment.matches.target, wrong.alignment.matches.reference + np.array([-150, 60]))
    bad = Edge(0, 2, Alignment(wrong.alignment.homography, moved.select(np.arange(30)), "homography", 1, 0.6))
    arrangement = adjusted(MatchGraph(graph.count, tuple(bad if edge is wrong else edge for edge in graph.edges)))
    assert errors(arrangement, row).max() < 2


def test_pairs_without_matches_count_by_their_alignment():
    """Pairs that correlation found have no matches."""
    tiles = [np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]]) for x in (0, 480) for y in (0, 360)]
    nothing = Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    edges = tuple(
        Edge(edge.first, edge.second, Alignment(edge.alignment.homography, nothing, "translation", 0, 0.3))
        for edge in graph_of(tiles).edges
    )
    arrangement = adjusted(MatchGraph(4, edges))
    assert arrangement.motion == "translation"
    assert errors(arrangement, tiles).max() < 1e-6


def test_cameras_that_also_move_are_turned_as_they_were():
    """A row of cameras that walk past near and far things: their movement is not taken for turns."""
    random = np.random.default_rng(2)
    turns = [rotation(yaw) for yaw in range(-50, 51, 25)]
    places = np.column_stack([np.arange(-2, 3) * 1.2, np.zeros(5), np.zeros(5)])
    points = random.normal(size=(6000, 3)) * (1, 0.5, 1)
    points *= random.uniform(6, 60, (6000, 1)) / np.linalg.norm(points, axis=1, keepdims=True)
    arrangement = adjusted(graph_of_cameras(turns, places, points), reference=2)
    assert arrangement.focal == pytest.approx(FOCAL, rel=0.05)
    for number, turn in enumerate(turns):
        found = rotation_of(arrangement, number) @ rotation_of(arrangement, 2).T @ turns[2]
        assert np.rad2deg(np.linalg.norm(cv2.Rodrigues(found @ turn.T)[0])) < 1


def test_cameras_around_something_near_are_not_told_apart_by_turns():
    """What a walk around a statue shows would lie far apart by the true turns: a panorama joins it all the same."""
    random = np.random.default_rng(3)
    yaws = np.deg2rad([-40, -20, 0, 20, 40])
    turns = [rotation(-np.rad2deg(yaw)) for yaw in yaws]
    places = np.column_stack([6 * np.sin(yaws), np.zeros(5), 6 - 6 * np.cos(yaws)])
    points = random.normal(size=(3000, 3)) * (1, 1, 0.3) + (0, 0, 6)
    arrangement = adjusted(graph_of_cameras(turns, places, points), reference=2)
    centre = np.array([[(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2]])
    for number in range(5):  # the statue is in the middle of each picture
        assert np.linalg.norm(project(arrangement.homography(number, 2), centre) - centre) < 60


@pytest.mark.parametrize("wrong", [0.5, 1.0, 2.0])
def test_turning_cameras_tell_their_focal_length_whatever_metadata_say(wrong):
    cameras = turned((0, 0), (20, 2), (40, -3))
    found = adjusted(graph_of(cameras, noise=0.5), focal=wrong * FOCAL / (np.hypot(*SIZE) / 2))
    assert found.focal == pytest.approx(FOCAL, rel=0.02)


def test_a_known_focal_length_decides_where_parallax_hides_it():
    """Cameras side by side: matches alone are explained by other focal lengths as well."""
    random = np.random.default_rng(3)
    points = np.column_stack([random.uniform(-6, 6, 4000), random.uniform(-3, 3, 4000), random.uniform(3, 12, 4000)])
    turns = [rotation(angle, 0) for angle in (-16, 0, 16)]
    places = [np.array([x, 0, 0]) for x in (-0.9, 0, 0.9)]
    graph = graph_of_cameras(turns, places, points)
    alone, known = (adjusted(graph, "perspective", 1, focal) for focal in (None, FOCAL / (np.hypot(*SIZE) / 2)))
    assert known.focal == pytest.approx(FOCAL, rel=0.15)
    assert abs(np.log(known.focal / FOCAL)) < abs(np.log((alone.focal or 10 * FOCAL) / FOCAL))
