"""The recipes of random scenes, and the check that each scene has to pass.

A new recipe is a file beside this one with a function `build(rng, bank)`, an entry in RECIPES, and its name in
`datasets.options.SCENES`. It builds with `shapes` (boxes, bodies of revolution, ...) and `things` (furniture, ...).
"""

from collections.abc import Callable

import numpy as np

from datasets.scenes import clutter, landscape, room, street
from datasets.scenes.scene import Scene
from datasets.scenes.shapes.mesh_builder import SMALLEST_AREA
from datasets.scenes.shapes.vectors import areas
from datasets.textures.bank import TextureBank

Recipe = Callable[[np.random.Generator, TextureBank], Scene]

RECIPES: dict[str, Recipe] = {
    "room": room.build,
    "street": street.build,
    "landscape": landscape.build,
    "clutter": clutter.build,
}


def build_scene(name: str, rng: np.random.Generator, bank: TextureBank) -> Scene:
    """A new scene by the recipe `name`, a key of RECIPES; the same generator state gives the same bytes."""
    scene = RECIPES[name](rng, bank)
    check_scene(scene, len(bank.kinds))
    return scene


def check_scene(scene: Scene, textures: int) -> None:
    """Make sure that the renderer can use a scene with a bank of `textures` textures.

    Raises ValueError, which names the broken rules: all numbers finite, no degenerate triangle, unit normals,
    openness in 0 .. 1, textures in the bank, surface numbers from 1.
    """
    numbers = (scene.corners, scene.normals, scene.uv, scene.openness, scene.tint, scene.segments)
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
