"""Litter lies face up just above its level, inside its rectangle, and no piece on another."""

import numpy as np
from banks import small_bank

from datasets.scenes.scene import Light, Standpoint
from datasets.scenes.shapes.mesh_builder import MeshBuilder
from datasets.scenes.shapes.paint import Palette
from datasets.scenes.things.litter import litter


def test_pieces_lie_apart_on_their_level() -> None:
    mesh = MeshBuilder(np.random.default_rng(3))
    litter(mesh, Palette(small_bank(), mesh.rng), 40, (-2, 1), (2, 6), 0.5, (0.05, 0.25))
    white, box = np.ones(3, np.float32), np.array([[-1, -1, -1], [1, 1, 1]], np.float32)
    light = Light(np.array([0, -1, 0], np.float32), white, white, white, white, 0, 0.0)
    scene = mesh.finish("litter", light, Standpoint(box, box), 1.0, box)
    pieces = [scene.corners[scene.surface == number] for number in np.unique(scene.surface)]
    assert len(pieces) > 20
    assert np.all((scene.corners[..., 1] < 0.5) & (scene.corners[..., 1] > 0.49))
    assert np.allclose(scene.normals, [0, -1, 0], atol=1e-6)
    middles = np.array([piece.mean(axis=(0, 1)) for piece in pieces])
    assert np.all((middles[:, [0, 2]] > (-2.1, 0.9)) & (middles[:, [0, 2]] < (2.1, 6.1)))
    radius = np.array(
        [np.linalg.norm(p.reshape(-1, 3) - m, axis=1).max() for p, m in zip(pieces, middles, strict=True)]
    )
    assert 0.02 < radius.min() < radius.max() < 0.2
    gap = np.linalg.norm(middles[:, None] - middles, axis=2) - radius[:, None] - radius
    np.fill_diagonal(gap, 1)
    assert gap.min() > 0
