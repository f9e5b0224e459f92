"""Scenes with their mirror image behind the camera."""

import numpy as np
import pytest
from banks import small_bank

from datasets.options import SCENES
from datasets.scenes.mirrored import mirrored_behind
from datasets.scenes.recipes import build_scene, check_scene
from datasets.scenes.shapes.vectors import areas


@pytest.mark.parametrize("name", SCENES)
def test_every_recipe_goes_on_behind_the_camera(name: str) -> None:
    scene = build_scene(name, np.random.default_rng(3), small_bank())
    found = mirrored_behind(scene)
    check_scene(found, len(small_bank().kinds))
    plane = scene.standpoint.eye[:, 2].mean()
    z = found.corners[..., 2] - plane
    front, back = z.min(axis=1) >= -1e-3, z.max(axis=1) <= 1e-3
    assert (front | back).all()
    size = areas(found.corners)
    assert size[front].sum() == pytest.approx(size[back].sum(), rel=1e-3)
    assert set(found.surface[front & ~back]).isdisjoint(found.surface[back & ~front])


def test_what_lies_before_the_camera_stays_as_it_is() -> None:
    scene = build_scene("room", np.random.default_rng(3), small_bank())
    found = mirrored_behind(scene)
    plane = scene.standpoint.eye[:, 2].mean()
    before = scene.corners[(scene.corners[..., 2] >= plane).all(axis=1)]
    kept = {corners.tobytes() for corners in found.corners}
    assert all(corners.tobytes() in kept for corners in before)
    cut = (scene.corners[..., 2] > plane + 1).any(axis=1) & (scene.corners[..., 2] < plane - 1).any(axis=1)
    assert cut.any()  # some triangle reaches from one side to the other
