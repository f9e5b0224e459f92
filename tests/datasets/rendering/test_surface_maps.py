"""Depth, normals, edges and labels of pictures of known things, and what lies behind a camera."""

import cv2
import numpy as np
import pytest
from worlds import ball, bank_of, box, camera, make_pair, make_scene, plain, square

from datasets.options import SampleOptions
from datasets.sample import Visibility
from datasets.scenes.scene import Kind

SIZE = (96, 64)
OPTIONS = SampleOptions(size=SIZE, photometry=False, geometry=True, supersampling=1)
TARGET = camera(size=SIZE)


def look_at(scene, reference=TARGET, target=TARGET):
    """The sample that two cameras make of a scene."""
    return make_pair(scene, reference, target, bank_of(plain()), OPTIONS)[1]


def rays_of(view):
    """(h, w, 3) of depth 1, camera frame, through the pixels of a camera."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack([x, y, np.ones_like(x)], 2) @ np.linalg.inv(view.intrinsics[0].numpy()).T


def test_a_slanted_plane_has_the_depth_and_normals_of_its_equation():
    view = camera((0.3, -1, 0.2), (1, 0.5, 5), 70, SIZE, roll=25)
    corners = square((1, 0.5, 5), (40, 3, -9), (-2, 30, 15))
    geometry = look_at(make_scene(corners), target=view).target.geometry
    rotation, centre = view.rotation[0].numpy(), view.centre[0].numpy()
    normal = np.cross(corners[0, 1] - corners[0, 0], corners[0, 2] - corners[0, 0])
    normal /= np.linalg.norm(normal)
    expected = normal @ (corners[0, 0] - centre) / (rays_of(view) @ rotation @ normal)
    np.testing.assert_allclose(geometry.depth, expected, rtol=1e-5)
    towards = rotation @ normal * -np.sign(normal @ (corners[0, 0] - centre))
    np.testing.assert_allclose(geometry.normals, np.broadcast_to(towards, geometry.normals.shape), atol=1e-5)
    assert (geometry.edges == 0).all()
    assert (geometry.surfaces == 1).all()
    assert (geometry.kinds == Kind.WALL).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_normals_face_the_camera_whichever_side_is_stored(sign):
    corners, centre = ball((0.5, 0.2, 4), 1.5), np.array([0.5, 0.2, 4])
    outwards = (corners - centre) / np.linalg.norm(corners - centre, axis=2, keepdims=True)
    view = camera((0, 0.1, 0), (0.5, 0.2, 4), 60, SIZE, roll=-30)
    geometry = look_at(make_scene(corners, normals=(sign * outwards).astype(np.float32)), target=view).target.geometry
    shown = np.isfinite(geometry.depth)
    rays = rays_of(view)
    points = rays * np.where(shown, geometry.depth, 0)[..., None]
    middle = view.rotation[0].numpy() @ centre + view.translation[0].numpy()
    expected = (points - middle) / np.linalg.norm(points - middle, axis=2, keepdims=True)
    angle = np.degrees(np.arccos(np.clip((geometry.normals * expected).sum(2), -1, 1)))
    rim = (expected * rays).sum(2) / np.linalg.norm(rays, axis=2) > -0.3  # where triangles show themselves as such
    assert shown.mean() > 0.2
    assert angle[shown & ~rim].max() < 1
    np.testing.assert_allclose(np.linalg.norm(geometry.normals[shown], axis=1), 1, atol=1e-5)
    assert ((geometry.normals * rays).sum(2)[shown & ~rim] < 0).all()


def test_the_sky_is_infinitely_far_and_has_no_label():
    geometry = look_at(make_scene(square((0, 0, 4), (1, 0, 0), (0, 1, 0)))).target.geometry
    sky = geometry.surfaces == 0
    assert 0.3 < sky.mean() < 0.95
    np.testing.assert_array_equal(np.isinf(geometry.depth), sky)
    np.testing.assert_array_equal(geometry.kinds == Kind.SKY, sky)
    assert (geometry.normals[sky] == 0).all()


def ring(labels):
    """Both pixels of every change between neighbours."""
    found = np.zeros(labels.shape, bool)
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found


def test_edges_are_at_changes_of_surface():
    wall, board = square((0, 0, 6), (20, 0, 0), (0, 20, 0)), square((0.4, -0.1, 4), (1, 0, 0), (0, 0.8, 0))
    poster = square((-1.8, 0.3, 6), (0.5, 0, 0), (0, 0.7, 0)) - [0, 0, 1e-3]  # as good as in the wall
    geometry = look_at(make_scene(wall, board, poster)).target.geometry
    assert set(np.unique(geometry.surfaces)) == {1, 2, 3}
    np.testing.assert_array_equal(geometry.edges > 0, ring(geometry.surfaces))
    assert set(np.unique(geometry.edges)) == {0, 255}


def test_edges_of_one_body_are_its_creases_and_jumps_of_depth():
    inside = look_at(make_scene(box((-2, -1, -1), (2, 1, 5)))).target.geometry
    side = np.abs(inside.normals).argmax(2) * 2 + (inside.normals.sum(2) > 0)
    assert len(np.unique(side)) == 5
    np.testing.assert_array_equal(inside.edges > 0, ring(side))
    wall, board = square((0, 0, 6), (20, 0, 0), (0, 20, 0)), square((0.4, -0.1, 4), (1, 0, 0), (0, 0.8, 0))
    steps = look_at(make_scene(np.concatenate([wall, board]))).target.geometry
    jump = ring(steps.depth < 5)
    assert (steps.edges[jump] == 255).all()
    # A jump is told from a slope by the pixels on either side of it.
    assert (steps.edges[cv2.dilate(jump.astype(np.uint8), np.ones((3, 3))) == 0] == 0).all()


def test_the_ground_up_to_the_horizon_has_no_edge():
    ground = look_at(make_scene(square((0, 1.6, 0), (9000, 0, 0), (0, 0, 9000)))).target.geometry
    horizon = ring(ground.surfaces)
    assert horizon.any()
    np.testing.assert_array_equal(ground.edges > 0, horizon)


@pytest.mark.parametrize(("turn", "fov", "roll"), [(80, 75, 5), (150, 60, -20), (60, 110, 40)])
def test_what_lies_behind_the_reference_is_marked(turn, fov, roll):
    look = np.sin(np.radians(turn)), 0.1, np.cos(np.radians(turn))
    reference = camera((0, 0, 0), (0, 0, 1), 60, SIZE)
    target = camera((0.2, -0.1, 0.3), np.add((0.2, -0.1, 0.3), look), fov, SIZE, roll)
    scene = make_scene(square((0, 1.5, 0), (30, 0, 0), (0, 0, 30)), box((-2, -1, -8), (3, 1, -5)))
    sample = look_at(scene, reference, target)
    depth = sample.target.geometry.depth.astype(float)[..., None]
    rays = rays_of(target) @ target.rotation[0].numpy()  # world
    sky = np.isinf(depth[..., 0])
    points = np.where(np.isinf(depth), rays, rays * np.where(np.isinf(depth), 0, depth) + target.centre[0].numpy())
    ahead = points[..., 2]  # the reference looks along z; for the sky a slope
    assert 0.1 < (ahead < 0).mean() <= 1
    assert sky.any()
    assert (sample.target.mask[ahead < 0.049] == Visibility.BEHIND).all()
    assert (sample.target.mask[ahead > 0.051] != Visibility.BEHIND).all()
    assert np.isfinite(sample.target.warp).all()
    assert np.abs(sample.target.warp).max() <= 4 * np.hypot(*SIZE) + 1
    assert sample.facts["achieved"]["behind"] == pytest.approx(
        (sample.target.mask == Visibility.BEHIND).mean(), abs=1e-6
    )


def test_a_target_that_sees_only_the_sky():
    scene = make_scene(square((0, 0, -5), (1, 0, 0), (0, 1, 0)), segments=[[[0, 0, -5], [1, 0, -5]]])
    sample = look_at(scene, camera((0, 0, 0), (0.1, 0, 1), 60, SIZE))
    assert np.isinf(sample.target.geometry.depth).all()
    assert (sample.target.geometry.surfaces == 0).all()
    assert (sample.target.geometry.edges == 0).all()
    assert set(np.unique(sample.target.mask)) == {Visibility.OUTSIDE, Visibility.VISIBLE}
    assert len(sample.segments) == 0
