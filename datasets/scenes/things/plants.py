"""Trees, conifers and hedges of leaf clusters."""

import numpy as np
from numpy.typing import ArrayLike

from datasets.arrays import Doubles
from datasets.scenes.scene import Kind
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Paint, Palette
from datasets.scenes.shapes.round import lumps, revolve, tubes
from datasets.scenes.shapes.vectors import cross, leaning, turned, unit

_TRUNK = ((0.45, 1), (0.6, 0.6), (0.75, 0.15), (1.2, 0))


def tree(mesh: MeshBuilder, palette: Palette, at: ArrayLike, height: float, *, leaves: int = 170) -> None:
    """A broad-leaved tree of `height` m over `at` (3,): trunk, a few branches, a crown of `leaves` clusters."""
    rng, base = mesh.rng, np.asarray(at, np.float64)
    bark = palette.paint("rock", "wood", "soil", metres=0.7, bright=0.5)
    spread = height * rng.uniform(0.22, 0.36)
    stem = height * rng.uniform(0.28, 0.45)
    trunk = mesh.new_surfaces(1)
    revolve(mesh, _TRUNK, base, (height * 0.028 + 0.03, stem * 1.35), bark, Kind.PLANT, sides=7, surface=trunk)
    middle = base - [0, stem + (height - stem) * 0.5, 0]
    half = np.array([spread, (height - stem) * 0.52, spread])
    heads = middle + unit(rng.normal(size=(3 if leaves > 90 else 2, 3))) * half * 0.45
    foot = base - [0, stem, 0]
    lines = np.stack([np.broadcast_to(foot, heads.shape), (heads + foot) / 2 + [0, height * 0.02, 0], heads], axis=1)
    tubes(mesh, lines, height * 0.009 + 0.01, bark, Kind.PLANT, sides=3, surface=trunk)
    green = palette.paint("leaves", "grass", metres=0.5 + height * 0.06, colour=0.3, bright=1.3)
    crown(mesh, middle, half, heads, green, leaves)


def crown(mesh: MeshBuilder, middle: Doubles, half: Doubles, heads: Doubles, green: Paint, leaves: int) -> None:
    """Leaf clusters around the `heads` (h, 3) of branches, in an ellipsoid around `middle` with half axes `half`."""
    rng = mesh.rng
    lobes = len(heads)
    size = half * rng.uniform(0.5, 0.68, (lobes, 1))
    surface = mesh.new_surfaces(1)
    lumps(mesh, heads, size * 0.82, green.tinted(0.6), Kind.PLANT, roughness=0.22, surface=surface)
    of = rng.integers(lobes, size=leaves)
    away = unit(rng.normal(size=(leaves, 3)))
    centre = heads[of] + away * size[of] * rng.uniform(0.7, 0.95, (leaves, 1))
    # Clusters lie roughly on the crown and stick out of its outline.
    lean = unit(away + 0.7 * rng.normal(size=(leaves, 3)))
    first = unit(cross(lean, unit(rng.normal(size=(leaves, 3)))))
    second = cross(lean, first)
    width = half.mean() * rng.uniform(0.08, 0.17, (leaves, 1, 1))
    angle = np.array([0.0, 2.2, 4.1]) + rng.uniform(-0.5, 0.5, (leaves, 3))
    corners = centre[:, None] + width * (
        np.cos(angle)[..., None] * first[:, None] + np.sin(angle)[..., None] * second[:, None]
    )
    normals = unit(corners - middle)
    flat = np.stack((np.cos(angle), np.sin(angle)), axis=-1) * width / green.metres[0]
    tint = rng.uniform(0.55, 1.5, (leaves, 1)) * rng.uniform(0.85, 1.15, (leaves, 3))
    rows = np.zeros(leaves, np.int32)
    paint = Paint(green.texture[rows], green.metres[rows], (green.tint[rows] * tint).astype(np.float32))
    mesh.add(corners, normals, flat + rng.random((leaves, 1, 2)), paint, Kind.PLANT, surface)


def conifers(mesh: MeshBuilder, palette: Palette, at: ArrayLike, height: ArrayLike, *, tiers: int = 4) -> None:
    """k conifers of `height` (k,) m over `at` (k, 3): skirts of branches above each other."""
    base, tall = np.asarray(at, np.float64).reshape(-1, 3), np.asarray(height, np.float64).reshape(-1)
    k, rng = len(base), mesh.rng
    surface = mesh.new_surfaces(k)
    wide = tall * rng.uniform(0.16, 0.24, k)
    green = palette.same("leaves", "grass", n=k, metres=1.2, colour=0.3, bright=0.9)
    bark = palette.paint("wood", "soil", metres=0.7, bright=0.4)
    extent = np.stack((tall * 0.022, tall * 0.2), 1)
    revolve(mesh, ((1, 1), (1, 0)), base, extent, bark, Kind.PLANT, sides=4, surface=surface)
    for tier in range(tiers):
        low, high = 0.1 + 0.8 * tier / tiers, min(1.0, 0.1 + 0.8 * (tier + 1.9) / tiers)
        profile = ((0.02, 1), (1, 0))
        size = np.stack((wide * (1 - 0.8 * tier / tiers), tall * (high - low)), axis=1)
        start = base - np.stack((0 * tall, tall * low, 0 * tall), axis=1)
        lean = turned(rng.random(k) * 6) @ leaning(rng.normal(size=k) * 0.05)
        revolve(mesh, profile, start, size, green, Kind.PLANT, turn=lean, sides=12, ripple=0.38, surface=surface)


def grass(mesh: MeshBuilder, roots: ArrayLike, height: float, green: Paint) -> None:
    """Tufts of narrow blades at `roots` (k, 3), 5 triangles each."""
    at = np.asarray(roots, np.float64).reshape(-1, 1, 3)
    k, rng = len(at), mesh.rng
    angle = rng.random((k, 5)) * (2 * np.pi)
    out = np.stack((np.cos(angle), 0 * angle, np.sin(angle)), axis=-1)
    side = np.stack((-np.sin(angle), 0 * angle, np.cos(angle)), axis=-1) * height * 0.07
    tips = at + out * height * rng.uniform(0.2, 0.7, (k, 5, 1)) - [0, height, 0] * rng.uniform(0.5, 1.1, (k, 5, 1))
    corners = np.stack((at + out * height * 0.05 - side, at + out * height * 0.05 + side, tips), axis=2).reshape(
        -1, 3, 3
    )
    normals = np.broadcast_to(unit(out - [0, 1.2, 0]).reshape(-1, 1, 3), corners.shape)
    uv = np.broadcast_to([[0.0, 0.4], [0.1, 0.4], [0.05, 0.0]], (5 * k, 3, 2)) + rng.random((5 * k, 1, 2))
    tint = green.tint[:1] * rng.uniform(0.6, 1.4, (5 * k, 1))
    one = np.zeros(5 * k, np.int32)
    paint = Paint(green.texture[one], green.metres[one], tint.astype(np.float32))
    mesh.add(corners, normals, uv, paint, Kind.PLANT, mesh.new_surfaces(1))
