"""The recipes: what a renderer and the ground truth rely on, over many seeds."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from banks import small_bank
from worlds import meet_all

from datasets.options import SCENES
from datasets.scenes.recipes import RECIPES, build_scene, check_scene
from datasets.scenes.scene import Kind, Scene

SEEDS = range(8)
recipes = pytest.mark.parametrize("name", SCENES)


@cache
def scene_of(name: str, seed: int = 0) -> Scene:
    """Built once; do not change it."""
    return build_scene(name, np.random.default_rng(seed), small_bank())


@cache
def view_of(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """15 x 12 unit rays of a level 60 degree camera at the standpoint; distance and triangle that each hits first."""
    scene, rng = scene_of(name, seed), np.random.default_rng(seed)
    eye = rng.uniform(*scene.standpoint.eye).astype(float)
    ahead = rng.uniform(*scene.standpoint.look_at) - eye
    ahead /= np.linalg.norm(ahead)
    right = np.cross([0, 1, 0], ahead)
    right /= np.linalg.norm(right)
    x, y = np.meshgrid(np.linspace(-0.58, 0.58, 15), np.linspace(-0.46, 0.46, 12))
    rays = ahead + x.reshape(-1, 1) * right + y.reshape(-1, 1) * np.cross(ahead, right)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    distances, _ = meet_all(scene.corners.astype(float), eye[None], rays)
    return rays, distances.min(axis=1), distances.argmin(axis=1)


def test_options_name_every_recipe() -> None:
    assert set(SCENES) == set(RECIPES)


@recipes
def test_scenes_pass_the_checks_of_the_renderer(name: str) -> None:
    for seed in SEEDS:
        scene = scene_of(name, seed)
        check_scene(scene, len(small_bank().kinds))
        assert scene.name == name
        assert {field.name for field in fields(Scene)} == set(vars(scene))
        n = len(scene.corners)
        assert 400 < n < 8000
        assert len(scene.texture) == len(scene.tint) == len(scene.surface) == len(scene.kind) == n
        assert scene.corners.dtype == scene.openness.dtype == scene.tint.dtype == np.float32
        assert scene.texture.dtype == scene.surface.dtype == scene.kind.dtype == np.int32
        assert (scene.tint >= 0).all()
        assert set(scene.kind.tolist()) <= set(Kind) - {Kind.SKY}
        assert np.linalg.norm(scene.light.to_sun) == pytest.approx(1, abs=1e-5)
        assert scene.light.to_sun[1] < 0  # above the horizon
        assert (scene.standpoint.eye[0] < scene.standpoint.eye[1]).all()


@recipes
def test_a_surface_has_one_kind(name: str) -> None:
    scene = scene_of(name)
    for surface in np.unique(scene.surface):
        assert len(np.unique(scene.kind[scene.surface == surface])) == 1


@recipes
def test_same_seed_same_bytes(name: str) -> None:
    first, other = scene_of(name, 5), scene_of(name, 6)
    again = build_scene(name, np.random.default_rng(5), small_bank())
    for part in ("corners", "normals", "uv", "openness", "texture", "tint", "surface", "kind", "segments"):
        assert getattr(first, part).tobytes() == getattr(again, part).tobytes()
    assert first.light.to_sun.tobytes() == again.light.to_sun.tobytes()
    assert first.corners.tobytes() != other.corners.tobytes()


@recipes
def test_a_bank_without_patterns_is_enough(name: str) -> None:
    bank = small_bank(kinds="")
    scene = build_scene(name, np.random.default_rng(1), bank)
    check_scene(scene, len(bank.kinds))


@recipes
def test_cameras_stand_free_and_see_near_and_far(name: str) -> None:
    nearest = {"clutter": 0.12, "room": 0.25, "street": 0.4, "landscape": 0.4}[name]
    spreads = []
    for seed in SEEDS:
        _, far, _ = view_of(name, seed)
        assert far.min() > nearest, seed
        assert np.isfinite(far).mean() > 0.3, seed
        spreads.append(np.quantile(far[np.isfinite(far)], 0.9) / far.min())
    assert np.median(spreads) > 2


def test_rooms_are_closed() -> None:
    for seed in SEEDS:
        _, far, _ = view_of("room", seed)
        assert np.isfinite(far).mean() > 0.9, seed  # all but some sky through the windows


@recipes
def test_visible_surfaces_face_the_camera(name: str) -> None:
    """Otherwise surfaces would be black in the sun."""
    shares = []
    for seed in SEEDS:
        scene = scene_of(name, seed)
        rays, far, triangle = view_of(name, seed)
        hit = np.isfinite(far) & (scene.kind[triangle] != Kind.PLANT)  # leaves show both sides
        facing = (scene.normals[triangle].mean(axis=1) * rays).sum(axis=1) < 0.05
        shares.append(facing[hit].mean())
    assert np.median(shares) > 0.98
    assert min(shares) > 0.85


@recipes
def test_straight_edges_lie_on_surfaces(name: str) -> None:
    scene = scene_of(name, 3)
    assert len(scene.segments) > 50
    chosen = scene.segments[np.random.default_rng(0).permutation(len(scene.segments))[:60]]
    share = np.linspace(0.2, 0.8, 4)[:, None]
    points = (chosen[:, :1] * (1 - share) + chosen[:, 1:] * share).reshape(-1, 3)
    assert np.quantile(distances(points, scene.corners), 0.97) < 0.02


def distances(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """From points (p, 3) to the nearest edge of triangles (n, 3, 3) or to their planes above their insides."""
    corners = corners.astype(float)
    found = np.full(len(points), np.inf)
    for i in range(3):
        start, along = corners[:, i], corners[:, (i + 1) % 3] - corners[:, i]
        share = np.clip(((points[:, None] - start) * along).sum(2) / (along**2).sum(1), 0, 1)
        found = np.minimum(found, np.linalg.norm(points[:, None] - start - share[..., None] * along, axis=2).min(1))
    return found


@recipes
def test_no_two_bodies_overlap_in_one_plane(name: str) -> None:
    """Which of two such faces is in front would change from view to view."""
    for seed in (0, 1):
        scene = scene_of(name, seed)
        assert overlapping_area(scene) < 0.02, seed


def overlapping_area(scene: Scene) -> float:
    """Area, m^2, of triangles whose middle lies in a triangle of another body within 1 mm, near the camera."""
    corners = scene.corners.astype(float)
    middle = corners.mean(axis=1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    normal /= 2 * area[:, None]
    near = np.nonzero(np.linalg.norm(middle - scene.standpoint.eye.mean(axis=0), axis=1) < 12)[0]
    offset = (normal * corners[:, 0]).sum(axis=1)
    overlapping = np.zeros(len(corners), bool)
    for block in np.array_split(near, 8):
        level = np.abs(middle[block] @ normal.T - offset) < 1e-3
        level &= np.abs(normal[block] @ normal.T) > 1 - 1e-6
        level &= scene.surface[block, None] != scene.surface
        rows, j = np.nonzero(level)
        i = block[rows]
        sides = [
            (np.cross(corners[j, k] - corners[j, k - 1], middle[i] - corners[j, k - 1]) * normal[j]).sum(axis=1)
            for k in range(3)
        ]
        overlapping[i[(np.min(sides, axis=0) > 0) | (np.max(sides, axis=0) < 0)]] = True
    return float(area[overlapping].sum())


def test_the_broken_rule_is_named() -> None:
    scene = scene_of("room")
    flat = scene.corners.copy()
    flat[7, 1] = flat[7, 0]
    broken = {
        "no degenerate triangle": replace(scene, corners=flat),
        "finite numbers": replace(scene, tint=scene.tint * np.float32(np.nan)),
        "unit normals": replace(scene, normals=scene.normals * 2),
        "textures in the bank": replace(scene, texture=scene.texture + 1000),
    }
    for rule, bad in broken.items():
        with pytest.raises(ValueError, match=rule):
            check_scene(bad, 26)
