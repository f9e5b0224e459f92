"""Small scenes, cameras and texture banks whose pictures a test can predict, and brute-force ray casting."""

from collections.abc import Sequence

import numpy as np
import torch
from banks import small_bank

from datasets.camera_request import draw_request
from datasets.options import SampleOptions
from datasets.rendering.cameras import Cameras, make_intrinsics
from datasets.rendering.ground_truth import assemble_sample, find_correspondences
from datasets.rendering.pair_renderer import render_pairs
from datasets.rendering.scene_batch import SceneBatch, batch_scenes
from datasets.rendering.shadow_maps import ShadowMaps, map_shadows
from datasets.rendering.texture_sampling import Textures
from datasets.scene_sampler import SampledScene
from datasets.scenes.scene import Kind, Light, Scene, Standpoint
from datasets.textures.bank import TextureBank, make_bank

CPU = torch.device("cpu")
FIRST = torch.zeros(1, dtype=torch.int64)  # the scene that one camera sees
EDGE = 1e-4  # of a triangle: nearer to its border, rounding decides whether a ray meets it
DARK = (0.0, 0.0, 0.0)
WHITE = (1.0, 1.0, 1.0)


def square(centre, right, down, parts=1):
    """(2 parts^2, 3, 3) triangles of a parallelogram; `right` and `down` are half its sides."""
    centre, right, down = (np.array(v, float) for v in (centre, right, down))
    steps = np.linspace(-1, 1, parts + 1)
    grid = centre + steps[None, :, None] * right + steps[:, None, None] * down
    a, b, c, d = (grid[i : parts + i, j : parts + j].reshape(-1, 3) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0)))
    return np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1).reshape(-1, 3, 3)


def box(low, high, parts=1):
    """The six sides of an axis-parallel box."""
    centre, half = (np.add(low, high) / 2, np.subtract(high, low) / 2)
    sides = []
    for axis in range(3):
        step, right, down = (np.eye(3)[(axis + k) % 3] * half for k in range(3))
        sides += [square(centre + sign * step, right, down, parts) for sign in (-1, 1)]
    return np.concatenate(sides)


def ball(centre, radius, rings=24):
    """A sphere of triangles."""
    up, around = np.linspace(0, np.pi, rings + 1)[:, None], np.linspace(0, 2 * np.pi, 2 * rings + 1)[None]
    grid = np.stack([np.sin(up) * np.cos(around), np.cos(up) + 0 * around, np.sin(up) * np.sin(around)], 2)
    grid = np.array(centre) + radius * grid
    a, b, c, d = (grid[i : rings + i, j : 2 * rings + j].reshape(-1, 3) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0)))
    first = 2 * rings  # quads at each pole, where one of their two triangles is none
    return np.concatenate([np.stack([b, c, d], 1)[:-first], np.stack([a, b, d], 1)[first:]])


def flat_normals(corners):
    """(n, 3, 3) of every triangle by itself."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.repeat((normals / np.linalg.norm(normals, axis=1, keepdims=True))[:, None], 3, axis=1)


def make_scene(*bodies, to_sun=(0, -1, 0), sun=DARK, ambient=WHITE, segments=(), repeats=1.0, **rows):
    """A scene of bodies (n, 3, 3), numbered from 1, textured along the axes; rows: arrays, one row a triangle."""
    corners = np.concatenate(bodies).astype(np.float32)
    n = len(corners)
    normals = flat_normals(corners.astype(float))
    along = np.array([(2, 1), (0, 2), (0, 1)])[np.abs(normals[:, 0]).argmax(1)]  # the axes across the normal
    to_sun = np.array(to_sun, np.float32) / np.linalg.norm(to_sun)
    light = Light(to_sun, *(np.array(c, np.float32) for c in (sun, ambient, WHITE, WHITE)), cloud=0, cloudiness=0.0)
    values = {
        "corners": corners,
        "normals": normals.astype(np.float32),
        "uv": repeats * np.take_along_axis(corners, along[:, None].repeat(3, 1), 2),
        "openness": np.ones((n, 3), np.float32),
        "texture": np.zeros(n, np.int32),
        "tint": np.ones((n, 3), np.float32),
        "surface": np.repeat(np.arange(1, len(bodies) + 1, dtype=np.int32), [len(b) for b in bodies]),
        "kind": np.full(n, Kind.WALL, np.int32),
        "casts_shadow": np.ones(n, bool),
        "segments": np.array(segments, np.float32).reshape(-1, 2, 3),
        "standpoint": Standpoint(np.zeros((2, 3), np.float32), np.array([[0, 0, 5], [0, 0, 5]], np.float32)),
    }
    return Scene(name="test", light=light, **values | rows)


def camera(eye=(0, 0, 0), look=(0, 0, 1), fov=60.0, size=(64, 48), roll=0.0):
    """One camera that looks at a point, level but for the roll in degrees."""
    eye, look = np.array(eye, float), np.array(look, float)
    forward = (look - eye) / np.linalg.norm(look - eye)
    right = np.cross([0, 1, 0], forward)
    right /= np.linalg.norm(right)
    upright = np.stack([right, np.cross(forward, right), forward])
    sine, cosine = np.sin(np.radians(roll)), np.cos(np.radians(roll))
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]) @ upright
    return Cameras(
        make_intrinsics(torch.tensor([fov], dtype=torch.float64), size),
        torch.from_numpy(rotation)[None],
        torch.from_numpy(-rotation @ eye)[None],
    )


def bank_of(*pictures):
    """A texture bank of square BGR pictures whose sides are powers of two."""
    return make_bank(list(pictures), ("photo",) * len(pictures))


def gentle_bank():
    """Six photographs and a pattern of each kind, all soft waves that resampling hardly changes."""
    kinds = small_bank().kinds
    return make_bank([soft(32, 1, seed) for seed in range(len(kinds))], kinds)


def plain(colour=(255, 255, 255), side=4):
    """A texture of one colour."""
    return np.tile(np.array(colour, np.uint8), (side, side, 1))


def soft(side=64, waves=3, seed=0):
    """A smooth texture without seams: up to so many waves a side in every direction, dark to bright."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(2 * np.pi * np.arange(side) / side,) * 2)
    picture = np.full((side, side, 3), 128.0)
    for i in range(-waves, waves + 1):
        for j in range(waves + 1):
            picture += 40 / (waves + 1) * rng.normal(size=3) * np.sin(i * x + j * y + rng.uniform(0, 7))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def load(scenes: Scene | Sequence[Scene], bank: TextureBank) -> tuple[SceneBatch, Textures, ShadowMaps]:
    """What `render` needs of scenes; shadow maps cover all of their corners."""
    scenes = [scenes] if isinstance(scenes, Scene) else list(scenes)
    batch = batch_scenes(scenes, CPU)
    shadows = map_shadows(batch, batch.corners.flatten(0, 1), batch.scene.repeat_interleave(3))
    return batch, Textures.load(bank, CPU), shadows


def make_pair(scene, reference, target, bank, options):
    """Rendered pair and sample of a scene from two known cameras."""
    pairs = render_pairs(*load(scene, bank), reference, target, FIRST, options.size, options.supersampling)
    request = draw_request(options, scene.standpoint, np.random.default_rng(0))
    sampled = SampledScene(0, scene, request, np.random.default_rng(0))
    return pairs, assemble_sample(pairs, find_correspondences(pairs), 0, sampled, options.geometry)


def meet_all(corners, origins, rays):
    """(r, n) distance along rays, inf where missed, and whether rounding decides because a border is so near.

    corners (n, 3, 3), rays (r, 3), origins (r, 3) or (1, 3).
    Moeller & Trumbore 1997, "Fast, minimum storage ray/triangle intersection".
    """
    a, b, c = (corners[None, :, k] for k in range(3))
    rays, away = rays[:, None], origins[:, None] - a
    p = np.cross(rays, c - a)
    volume = (p * (b - a)).sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (p * away).sum(2) / volume
        q = np.cross(away, b - a)
        v = (q * rays).sum(2) / volume
        distance = (q * (c - a)).sum(2) / volume
    least = np.minimum(np.minimum(u, v), 1 - u - v)
    front = np.isfinite(distance) & (distance > 0)
    return np.where(front & (least >= 0), distance, np.inf), front & (np.abs(least) < EDGE)


def hall_with_a_box(size):
    """A softly painted hall seen from two places, with a box that hides a part of it from the reference."""
    scene = make_scene(box((-3, -1.5, -2), (3, 1.5, 6)), box((-0.6, -0.2, 2.5), (0.1, 1.5, 3)), repeats=0.2)
    cameras = camera((-0.4, 0, 0), (-0.8, 0.1, 6), 70, size), camera((0.5, 0.2, -0.3), (1.6, 0, 6), 70, size, roll=5)
    options = SampleOptions(size=size, photometry=False)
    return make_pair(scene, *cameras, bank_of(soft(64, 2)), options)[1]
