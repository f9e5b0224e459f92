"""Shapes: closed bodies face outwards, textures keep their size, outlines are triangulated completely."""

import numpy as np
import pytest
from banks import small_bank
from worlds import flat_normals

from datasets.scenes.scene import Kind, Light, Scene, Standpoint
from datasets.scenes.shapes.flat import CLOSED, bars, boxes, panels, wall
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.outlines import animal, blob, bush, cutouts, person, prisms, triangulated
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.round import BALL, lumps, revolve, tubes
from datasets.scenes.shapes.terrain import Ground, Relief
from datasets.scenes.shapes.vectors import areas, leaning, turned

KIND = Kind.BOX


def paint(metres: float = 1.0, n: int = 1, is_photo: bool = False) -> Paint:
    return Paint(np.zeros(n, np.int32), np.full(n, metres, np.float32), np.ones((n, 3), np.float32), is_photo)


def new_mesh(seed: int = 0) -> MeshBuilder:
    return MeshBuilder(np.random.default_rng(seed))


def finished(mesh: MeshBuilder, voxel: float = 0.5, half: float = 6.0) -> Scene:
    white = np.ones(3, np.float32)
    light = Light(np.array([0, -1, 0], np.float32), white, white, white, white, 0, 0.0)
    box = np.array([[-1, -1, -1], [1, 1, 1]], np.float32)
    return mesh.finish("shapes", light, Standpoint(box, box), voxel, box * half)


def volume(scene: Scene) -> float:
    """Enclosed volume of a closed body, positive where its triangles run clockwise as seen from inside."""
    a, b, c = np.moveaxis(scene.corners.astype(float), 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


def assert_outward(scene: Scene, centre: tuple[float, float, float]) -> None:
    away = scene.corners.mean(axis=1) - centre
    assert ((flat_normals(scene.corners)[:, 0] * away).sum(axis=1) > 0).all()
    assert ((scene.normals.mean(axis=1) * away).sum(axis=1) > 0).all()


def test_box_is_closed_and_faces_outwards() -> None:
    mesh = new_mesh()
    boxes(mesh, (1, 0, 5), (2, 3, 1), paint(), KIND, turn=turned(0.4) @ leaning(0.2), faces=CLOSED)
    scene = finished(mesh)
    assert len(scene.corners) == 12
    assert volume(scene) == pytest.approx(6, rel=1e-5)
    assert_outward(scene, scene.corners.mean(axis=(0, 1)))
    assert len(scene.segments) == 12
    assert np.linalg.norm(np.diff(scene.segments, axis=1), axis=2).sum() == pytest.approx(4 * (2 + 3 + 1), rel=1e-5)


def test_box_stands_on_its_base() -> None:
    mesh = new_mesh()
    boxes(mesh, (1, -2, 5), (2, 3, 1), paint(), KIND)
    corners = finished(mesh).corners
    assert np.allclose(corners.min(axis=(0, 1)), (0, -5, 4.5))
    assert np.allclose(corners.max(axis=(0, 1)), (2, -2, 5.5))


@pytest.mark.parametrize("metres", [0.5, 5.0])
def test_textures_keep_their_size_on_all_faces(metres: float) -> None:
    mesh = new_mesh()
    boxes(mesh, (0, 0, 5), (2, 3, 1), paint(metres), KIND, faces=CLOSED)
    scene = finished(mesh)
    in_world = np.linalg.norm(scene.corners - np.roll(scene.corners, 1, axis=1), axis=2)
    in_texture = np.linalg.norm(scene.uv - np.roll(scene.uv, 1, axis=1), axis=2)
    assert np.allclose(in_texture * metres, in_world, rtol=1e-4, atol=1e-6)


def test_photographs_are_not_repeated_on_small_things() -> None:
    mesh = new_mesh()
    boxes(mesh, np.zeros((40, 3)), (0.9, 0.4, 0.7), paint(0.5, is_photo=True), KIND)
    uv = finished(mesh).uv
    assert uv.min() >= 0
    assert uv.max() <= 1 + 1e-6


def test_a_viewer_sees_a_picture_upright() -> None:
    mesh = new_mesh()
    panels(mesh, (-1, -2, 5), (2, 0, 0), (0, 2, 0), paint(), Kind.SIGN, cells=(3, 2), fit=True)
    scene = finished(mesh)
    assert len(scene.corners) == 12
    assert np.allclose(scene.normals, (0, 0, -1))
    assert np.allclose(flat_normals(scene.corners), (0, 0, -1), atol=1e-6)
    assert np.allclose(scene.uv[..., 0], (scene.corners[..., 0] + 1) / 2, atol=1e-6)
    assert np.allclose(scene.uv[..., 1], (scene.corners[..., 1] + 2) / 2, atol=1e-6)


def test_a_wall_has_the_openings_asked_for() -> None:
    holes = np.zeros((3, 3), bool)
    holes[1, 1] = True
    mesh = new_mesh()
    wall(mesh, (0, -3, 4), (5, 0, 0), 3.0, [0, 1, 4, 5], [0, 1, 2.5, 3], holes, paint(), Kind.WALL)
    scene = finished(mesh)
    assert areas(scene.corners).sum() == pytest.approx(5 * 3 - 3 * 1.5, rel=1e-5)
    assert np.allclose(scene.normals, (0, 0, -1))


def test_bars_reach_from_end_to_end() -> None:
    mesh = new_mesh()
    starts, ends = np.array([[0.0, 0, 3], [1, 0, 3]]), np.array([[0.0, -2, 3], [2, -1, 5]])
    bars(mesh, starts, ends, 0.1, paint(), Kind.POLE)
    scene = finished(mesh)
    length = np.linalg.norm(ends - starts, axis=1).sum()
    assert volume(scene) == pytest.approx(0.01 * length, rel=1e-4)


def test_round_bodies_face_outwards_and_shade_smoothly() -> None:
    mesh = new_mesh()
    revolve(mesh, BALL, (1, 2, 4), (0.5, 0.5), paint(), KIND, sides=24)
    scene = finished(mesh)
    assert_outward(scene, (1, 1.5, 4))
    exact = scene.corners - np.array([1, 1.5, 4], np.float32)
    assert ((scene.normals * exact).sum(axis=2) / np.linalg.norm(exact, axis=2)).min() > 0.95


@pytest.mark.parametrize("fine", [0, 1, 2])
def test_lumps_are_closed_and_face_outwards(fine: int) -> None:
    mesh = new_mesh()
    lumps(mesh, (0, 0, 5), (0.4, 0.3, 0.5), paint(), Kind.ROCK, roughness=0.1, fine=fine)
    scene = finished(mesh)
    assert len(scene.corners) == 20 * 4**fine
    assert_outward(scene, (0, 0, 5))
    assert (np.ptp(scene.uv[..., 0], axis=1) < 1.01 * np.ceil(2 * np.pi * 0.45)).all()


def test_tubes_face_outwards() -> None:
    t = np.linspace(0, 3, 9)
    line = np.stack((np.cos(t), np.sin(t), t), axis=1)
    mesh = new_mesh()
    tubes(mesh, line[None], 0.05, paint(), Kind.POLE, sides=6)
    scene = finished(mesh)
    middle = scene.corners.mean(axis=1)
    nearest = line[np.linalg.norm(middle[:, None] - line, axis=2).argmin(axis=1)]
    along = np.gradient(line, axis=0)[np.linalg.norm(middle[:, None] - line, axis=2).argmin(axis=1)]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    out = middle - nearest
    out -= (out * along).sum(axis=1, keepdims=True) * along
    assert ((scene.normals.mean(axis=1) * out).sum(axis=1) > 0).all()


@pytest.mark.parametrize("draw", [person, animal, bush, blob])
def test_outlines_are_triangulated_completely(draw) -> None:
    for seed in range(15):
        outline = draw(np.random.default_rng(seed))
        assert outline[:, 1].max() == pytest.approx(0, abs=1e-9)  # stands on the ground
        after = np.roll(outline, -1, axis=0)
        enclosed = abs((outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum()) / 2
        a, b, c = np.moveaxis(outline[triangulated(outline)], 1, 0)
        signed = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
        assert (signed >= 0).all()
        assert signed.sum() == pytest.approx(enclosed, rel=1e-6)


def test_cards_face_where_they_are_turned() -> None:
    mesh = new_mesh()
    shape = blob(np.random.default_rng(0))
    cutouts(mesh, [shape, shape], [(0, 0, 4), (2, 0, 4)], turned([0.0, np.pi / 2]), paint(), Kind.CUTOUT)
    scene = finished(mesh)
    first, second = (scene.normals[scene.surface == number].reshape(-1, 3) for number in (1, 2))
    assert np.allclose(first, (0, 0, -1), atol=1e-6)
    assert np.allclose(second, (-1, 0, 0), atol=1e-6)
    assert scene.uv.min() >= -1e-6
    assert scene.uv.max() <= 1 + 1e-6


def test_prisms_are_closed() -> None:
    mesh = new_mesh()
    step = np.array([(0, 0), (2, 0), (2, -1), (1, -1), (1, -2), (0, -2)], float)  # 3 m^2
    prisms(mesh, step, (0, 0, 5), 0.5, turned(0.7), paint(), paint(), KIND)
    scene = finished(mesh)
    assert volume(scene) == pytest.approx(1.5, rel=1e-5)
    assert len(scene.segments) == 12


def doubled_area(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Of triangles in the plane, signed."""
    return (q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]


def test_points_on_the_ground_lie_on_its_triangles() -> None:
    rng = np.random.default_rng(0)
    land = Ground(rng, Relief(rng, 3.0, 30.0), 150.0, 2.0)
    x, z = rng.uniform(-5, 5, 200), rng.uniform(2, 60, 200)
    points = land.on(x, z)
    mesh = new_mesh()
    land.add(mesh, paint(), paint())
    corners = finished(mesh).corners.astype(float)
    a, b, c = np.moveaxis(corners[..., [0, 2]], 1, 0)  # from above
    for point in points:
        spot = point[[0, 2]]
        u, v, w = (doubled_area(p, q, spot) for p, q in ((a, b), (b, c), (c, a)))
        under = np.nonzero(((u <= 1e-9) & (v <= 1e-9) & (w <= 1e-9)) | ((u >= -1e-9) & (v >= -1e-9) & (w >= -1e-9)))[0]
        weights = np.array([v[under[0]], w[under[0]], u[under[0]]])
        height = (corners[under[0], :, 1] * weights).sum() / weights.sum()
        assert height == pytest.approx(point[1], abs=1e-3)


def test_corners_and_undersides_are_darker() -> None:
    mesh = new_mesh()
    panels(mesh, (-4, 0, 8), (8, 0, 0), (0, 0, -8), paint(), Kind.GROUND, cells=(16, 16))
    boxes(mesh, (0, 0, 4), (2, 2, 2), paint(), KIND)
    scene = finished(mesh, voxel=0.25, half=9)
    ground = scene.kind == Kind.GROUND
    beside = np.abs(scene.corners - np.array([1.25, 0, 4], np.float32)).max(axis=2) < 0.3
    far = np.linalg.norm(scene.corners - np.array([0, 0, 4], np.float32), axis=2) > 3
    assert scene.openness[ground[:, None] & far].min() > 0.99
    assert scene.openness[ground[:, None] & beside].max() < 0.85
    assert (scene.openness > 0).all()


def test_missing_patterns_become_photographs() -> None:
    palette = Palette(small_bank("wood"), np.random.default_rng(0))
    kinds = small_bank("wood").kinds
    assert {kinds[i] for i in palette.paint("wood", n=20).texture} == {"wood"}
    missing = palette.paint("brick", n=20)
    assert {kinds[i] for i in missing.texture} == {"photo"}
    assert missing.is_photo


def test_tints_are_around_their_brightness_and_rarely_green_or_purple() -> None:
    palette = Palette(small_bank(), np.random.default_rng(2))
    blue, green, red = palette.tints(2000, colour=0.9, bright=0.8).T
    assert (blue + green + red).mean() / 3 == pytest.approx(0.8, abs=0.02)
    assert (green > 1.1 * np.maximum(red, blue)).mean() < 0.1
    assert ((red > 1.1 * green) & (blue > 1.1 * green)).mean() < 0.1
