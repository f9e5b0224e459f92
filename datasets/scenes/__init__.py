"""Recipes of scenes: each draws a new world of its kind from random numbers and a texture bank."""

import numpy as np

from datasets.scenes import clutter, landscape, room, street
from datasets.scenes.build import SMALLEST_AREA
from datasets.scenes.scene import Scene
from datasets.scenes.vectors import areas
from datasets.textures.bank import TextureBank

_RECIPES = {"room": room.build, "street": street.build, "landscape": landscape.build, "clutter": clutter.build}

__all__ = ["build_scene", "check_scene"]


def build_scene(name: str, rng: np.random.Generator, bank: TextureBank) -> Scene:
    """A new world by one of the recipes in `datasets.options.SCENES`; the same generator state gives the same bytes."""
    scene = _RECIPES[name](rng, bank)
    check_scene(scene, len(bank.kinds))
    return scene


def check_scene(scene: Scene, textures: int) -> None:
    """Make sure that a renderer can use a scene with a bank of so many textures.

    Raises ValueError, which names the broken rule: all numbers finite, no degenerate triangle, unit normals,
    openness in 0 .. 1, textures in the bank, positive surface numbers.
    """
    numbers = (scene.corners, scene.normals, scene.texture_places, scene.openness, scene.tint, scene.segments)
    rules = {
        "finite numbers": all(bool(np.isfinite(array).all()) for array in numbers),
        "triangles": len(scene.corners) > 0,
        "no degenerate triangle": bool((areas(scene.corners) > SMALLEST_AREA).all()),
        "unit normals": bool((np.abs((scene.normals**2).sum(axis=-1) - 1) < 1e-3).all()),
        "openness in 0 .. 1": bool(((scene.openness >= 0) & (scene.openness <= 1)).all()),
        "textures in the bank": bool(((scene.texture >= 0) & (scene.texture < textures)).all()),
        "surface numbers from 1": bool((scene.surface >= 1).all()),
    }
    broken = [rule for rule, kept in rules.items() if not kept]
    if broken:
        raise ValueError(f"scene {scene.name!r}: expected {', '.join(broken)}")
