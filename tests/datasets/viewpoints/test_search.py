"""Cameras fit their requests, stand upright and are never separated by a wall."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from banks import small_bank
from sample_views import three_of_every_recipe
from worlds import CPU, box, make_scene, square

from datasets.camera_request import draw_request
from datasets.options import SampleOptions
from datasets.rendering.cameras import fundamental_matrix
from datasets.rendering.scene_batch import batch_scenes
from datasets.scenes.recipes import build_scene
from datasets.scenes.scene import Standpoint
from datasets.viewpoints.search import choose_viewpoints, path_crosses_surface

SIZE = (128, 96)
OPTIONS = SampleOptions(size=SIZE, photometry=False)
STAND = Standpoint(np.float32([[-0.5, -0.2, -1], [0.5, 0.2, 0]]), np.float32([[-1, -0.3, 5], [1, 0.3, 5]]))


def hall():
    """A long hall with boxes to look at."""
    boxes = [box((x, y, z), (x + 0.7, 1.5, z + 0.7)) for x, y, z in ((-2, 0, 4), (0.4, 0.6, 3), (1.5, -0.4, 5))]
    return replace(make_scene(box((-4, -1.5, -3), (4, 1.5, 8)), *boxes), standpoint=STAND)


def choose(options, seeds):
    """Requests and viewpoints in the hall."""
    scene = hall()
    requests = [draw_request(options, scene.standpoint, np.random.default_rng(seed)) for seed in seeds]
    return requests, choose_viewpoints(batch_scenes([scene], CPU), requests, [0] * len(requests), SIZE)


def test_samples_have_the_overlap_and_parallax_that_was_asked_for():
    facts = [sample.facts for sample in three_of_every_recipe()]
    names = "overlap", "parallax"
    asked, got = ({k: np.array([f[of][k] for f in facts]) for k in names} for of in ("requested", "achieved"))
    overlap, parallax = (np.abs(got[k] - asked[k]) for k in names)
    assert (overlap < 0.07).mean() >= 0.8
    assert (parallax < np.maximum(1, 0.3 * asked["parallax"])).mean() >= 0.8
    assert got["overlap"].min() > 0.05
    assert np.corrcoef(asked["overlap"], got["overlap"])[0, 1] > 0.9


def test_the_reference_is_level_and_looks_where_it_should():
    requests, views = choose(OPTIONS, range(6))
    rotation = views.reference.rotation.numpy()
    np.testing.assert_allclose(rotation[:, 0, 1], 0, atol=1e-12)  # its x axis has no part downwards
    assert (rotation[:, 1, 1] > 0).all()  # not upside down
    for k, request in enumerate(requests):
        eye, forward = views.reference.centre[k].numpy(), rotation[k, 2]
        tries = np.linalg.norm(request.eyes - eye, axis=1)
        assert tries.min() < 1e-9
        look = request.aims[tries.argmin()] - eye
        np.testing.assert_allclose(forward, look / np.linalg.norm(look), atol=1e-9)


@pytest.mark.parametrize("cameras", ["reference", "target"])
def test_cameras_are_rigid_and_have_the_field_of_view_asked_for(cameras):
    requests, views = choose(OPTIONS, range(4))
    found = getattr(views, cameras)
    product = found.rotation @ found.rotation.transpose(1, 2)
    assert torch.allclose(product, torch.eye(3, dtype=torch.float64).expand(4, 3, 3), atol=1e-12)
    assert torch.allclose(torch.linalg.det(found.rotation), torch.ones(4, dtype=torch.float64))
    fov = 2 * np.degrees(np.arctan(SIZE[0] / 2 / found.intrinsics[:, 0, 0].numpy()))
    np.testing.assert_allclose(fov, [r.fov for r in requests], atol=1e-9)
    middle = np.tile((np.array(SIZE) - 1) / 2, (4, 1))
    np.testing.assert_allclose(found.intrinsics[:, :2, 2].numpy(), middle)


@pytest.mark.parametrize("roll", [-20.0, 0.0, 12.0])
def test_the_target_is_rolled_as_asked(roll):
    _, views = choose(replace(OPTIONS, roll=(roll, roll)), range(4))
    relative = (views.target.rotation @ views.reference.rotation.transpose(1, 2)).numpy()
    # The turn is about an axis in the film's plane; what is left is about the target's own axis.
    for matrix in relative:
        swing = np.cross([0, 0, 1], matrix.T @ [0, 0, 1])  # of the optical axis, in the reference's frame
        angle = np.arctan2(np.linalg.norm(swing), matrix[2, 2])
        axis = swing / max(np.linalg.norm(swing), 1e-12)
        skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        turned = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
        rest = matrix @ turned
        assert np.degrees(np.arctan2(rest[1, 0], rest[0, 0])) == pytest.approx(roll, abs=1e-6)


@pytest.mark.parametrize(
    ("baseline", "axes"), [((1.0, 0.0, 0.0), [0]), ((0.0, 1.0, 0.0), [1]), ((0.0, 1.0, 2.0), [1, 2])]
)
def test_the_camera_moves_in_the_directions_allowed(baseline, axes):
    _, views = choose(replace(OPTIONS, baseline=baseline, overlap=(0.6, 0.7), parallax=(2, 4)), range(4))
    moved = (views.reference.rotation @ (views.target.centre - views.reference.centre)[..., None])[..., 0].numpy()
    others = [axis for axis in range(3) if axis not in axes]
    assert (np.linalg.norm(moved, axis=1) > 1e-3).all()
    np.testing.assert_allclose(moved[:, others], 0, atol=1e-9)
    assert (np.abs(fundamental_matrix(views.target, views.reference).flatten(1).norm(dim=1).numpy() - 1) < 1e-9).all()


def test_directions_spread_as_asked():
    options = replace(OPTIONS, baseline=(1.0, 0.3, 0.4))
    directions = np.concatenate([draw_request(options, STAND, np.random.default_rng(s)).directions for s in range(300)])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.mean(0), 0, atol=0.06)
    right, down, forward = np.abs(directions).T
    # The median of |a / b| of two centred Gaussians is the ratio of their spreads.
    assert np.median(down / right) == pytest.approx(0.3, rel=0.15)
    assert np.median(forward / right) == pytest.approx(0.4, rel=0.15)


def test_requests_are_uniform_over_their_ranges():
    drawn = [draw_request(OPTIONS, STAND, np.random.default_rng(s)) for s in range(300)]
    for name in ("overlap", "parallax", "fov", "roll"):
        low, high = getattr(OPTIONS, name)
        values = (np.array([getattr(request, name) for request in drawn]) - low) / (high - low)
        assert 0 <= values.min() < 0.05
        assert 0.95 < values.max() <= 1
        np.testing.assert_allclose(np.quantile(values, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.1)


def test_cameras_do_not_move_through_walls():
    recipes = "room", "clutter", "street"
    scenes = [build_scene(name, np.random.default_rng(k), small_bank()) for k, name in enumerate(recipes)]
    options = replace(OPTIONS, overlap=(0.3, 0.4), parallax=(20, 20))
    requests = [draw_request(options, s.standpoint, np.random.default_rng(k)) for k, s in enumerate(scenes)]
    batch = batch_scenes(scenes, CPU)
    views = choose_viewpoints(batch, requests, range(len(requests)), SIZE)
    assert not path_crosses_surface(batch, torch.arange(3), views.reference.centre, views.target.centre).any()


def test_a_wall_beside_the_camera_is_avoided():
    curtain = square((0.1, 0, -0.2), (0, 0, 0.3), (0, 2, 0))  # beside the eye, out of the picture
    boxes = [box((x, y, z), (x + 0.7, 1.5, z + 0.7)) for x, y, z in ((-2, 0, 4), (0.4, 0.6, 3), (1.5, -0.4, 5))]
    scene = make_scene(box((-4, -1.5, -3), (4, 1.5, 8)), *boxes, curtain)
    stand = Standpoint(np.zeros((2, 3), np.float32), np.float32([[-0.2, 0, 5], [0.2, 0, 5]]))
    options = replace(OPTIONS, baseline=(1.0, 0.0, 0.0), parallax=(6, 10), fov=(50, 60))
    requests = [draw_request(options, stand, np.random.default_rng(seed)) for seed in range(6)]
    views = choose_viewpoints(batch_scenes([scene], CPU), requests, [0] * 6, SIZE)
    assert sum(request.directions[0, 0] > 0 for request in requests) > 1  # those that would go there at once
    assert all((request.directions[:, 0] < 0).any() for request in requests)
    assert (views.target.centre[:, 0] < 0.1).all()


def test_paths_that_cross_a_surface_are_found():
    near, far = (make_scene(square((0, 0, z), (1, 0, 0), (0, 1, 0))) for z in (2, 9))
    batch = batch_scenes([near, far], CPU)

    def crosses(start, end, scene=0):
        ends = (torch.tensor([v], dtype=torch.float64) for v in (start, end))
        return bool(path_crosses_surface(batch, torch.tensor([scene]), *ends)[0])

    assert crosses((0.3, 0.2, 0), (0.3, 0.2, 4))
    assert crosses((0.3, 0.2, 4), (0.3, 0.2, 0))  # from behind too
    assert crosses((0.9, 0.9, 1), (0.9, 0.95, 3))
    assert not crosses((1.1, 0, 0), (1.1, 0, 4))  # beside it
    assert not crosses((0.3, 0.2, 0), (0.3, 0.2, 1.5))  # ends before it
    assert not crosses((0.3, 0.2, 2.5), (0.3, 0.2, 4))  # begins behind it
    assert crosses((0.3, 0.2, 0), (0.3, 0.2, 1.9))  # so close that the camera would see nothing else
    assert not crosses((0.3, 0.2, 0), (0.3, 0.2, 4), scene=1)  # another scene's
    assert not crosses((-1, 0, 1), (1, 0, 1))  # along it
