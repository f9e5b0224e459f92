from types import SimpleNamespace

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


def adjusted(graph, motion="auto", reference=0):
    sources = [SimpleNamespace(size=SIZE)] * graph.count
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
