"""The scenes of the multi-task benchmark: one picture, four tasks."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from datasets.camera_request import CameraRequest
from datasets.labels import Arrays, Labels
from datasets.multitask.rendered_set import RenderedSet
from datasets.options import SampleOptions
from datasets.rendering.batch_renderer import render
from datasets.rendering.cameras import FREE_DISTANCE, Cameras, look_at
from datasets.rendering.ray_hits import cast_even_grid, near_points
from datasets.rendering.scene_batch import SceneBatch, batch_scenes
from datasets.rendering.shadow_maps import map_shadows
from datasets.rendering.surface_maps import geometry_of
from datasets.sample import Geometry
from datasets.scenes.scene import Kind

LABELS = MappingProxyType(
    {
        "segmentation": Labels("classes", len(Kind)),
        "depth": Labels("distance"),
        "normals": Labels("normals"),
        "edges": Labels("binary"),
    }
)
_COLUMNS = 32  # of rays, per candidate view


class MultiTaskScenes(RenderedSet):
    """A finite set of pictures of the generator's scenes, each with a label map for each of LABELS.

    Item i is (image, labels): the image (3, h, w) of the scene of sample i of `parastitch generate`, taken by one
    upright camera, and the labels

        "segmentation"  (h, w) int64, datasets.scenes.scene.Kind
        "depth"         (h, w) float32, 1 / depth along the optical axis, 1 / m; the sky is infinitely far: 0
        "normals"       (3, h, w) float32, unit, camera frame, towards the camera; the sky has none: (0, 0, 0)
        "edges"         (h, w) float32, 1 where the surface or, by a jump, depth or normal changes, else 0
    """

    labels = LABELS
    channels = 3

    def __init__(
        self,
        count: int,
        seed: int,
        options: SampleOptions = SampleOptions(size=(96, 96)),  # noqa: B008 - frozen
        corrupt: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """As RenderedSet; what the options say of pairs does not matter."""
        super().__init__(count, seed, options, corrupt)

    def render(self, index: int) -> Arrays:
        """As RenderedSet.render."""
        renderer, options = self._renderer, self._options
        sampled = renderer.sample_scene(index)
        batch = batch_scenes([sampled.scene], renderer.device)
        camera, points = _choose_camera(batch, sampled.request, options.size)
        shadows = map_shadows(batch, points, torch.zeros(len(points), dtype=torch.int64, device=batch.device))
        scene, supersampling = batch.scene[:1], options.supersampling
        film = render(batch, renderer.textures, shadows, camera, scene, (options.size,), supersampling)
        picture = film.pictures[0].permute(2, 0, 1).numpy()  # (h, w, 3) -> (3, h, w)
        return {"image": picture, **label_maps(geometry_of(batch, film, 0))}


def label_maps(geometry: Geometry) -> Arrays:
    """Those of LABELS, of what a camera sees."""
    return {
        "segmentation": geometry.kinds,
        "depth": 1 / geometry.depth,
        "normals": geometry.normals.transpose(2, 0, 1),
        "edges": geometry.edges > 0,
    }


def _choose_camera(batch: SceneBatch, request: CameraRequest, size: tuple[int, int]) -> tuple[Cameras, Tensor]:
    """Of the candidate views that nothing blocks, the one that shows most surfaces; and visible world points (k, 3)."""
    eyes, aims = (torch.from_numpy(points).to(batch.device) for points in (request.eyes, request.aims))
    fov = eyes.new_full((len(eyes),), request.fov)
    film = _COLUMNS, max(2, round(_COLUMNS * size[1] / size[0]))
    scenes = torch.zeros(len(eyes), dtype=torch.int64, device=batch.device)
    tiles, hits, nearness = cast_even_grid(batch, look_at(eyes, aims, fov, film), scenes, film)
    surfaces = torch.where(hits.pair < 0, 0, batch.surface[tiles.triangle[hits.pair.clamp_min(0)]])
    free = [bool((nearness[part] <= 1 / FREE_DISTANCE).all()) for part in hits.slices]
    shown = [len(surfaces[part].bincount().nonzero()) if free[k] else 0 for k, part in enumerate(hits.slices)]
    best = int(np.argmax(shown))
    return look_at(eyes[[best]], aims[[best]], fov[[best]], size), near_points(hits.film(best).points.T)
