"""Pairs of pictures of the multi-task benchmark: eight tasks, some of which need one picture, some both."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from datasets.labels import Arrays, Labels
from datasets.multitask import scenes
from datasets.multitask.rendered_set import RenderedSet
from datasets.options import SampleOptions
from datasets.rendering.batch_renderer import Rendering, render
from datasets.rendering.cameras import NEAR_DEPTH, concatenate
from datasets.rendering.ray_hits import project
from datasets.rendering.scene_batch import batch_scenes
from datasets.rendering.shadow_maps import map_shadows
from datasets.rendering.surface_maps import geometry_of, silhouettes
from datasets.viewpoints.search import choose_viewpoints

LABELS = MappingProxyType(
    {
        **scenes.LABELS,
        "albedo": Labels("colour"),
        "shading": Labels("distance"),
        "silhouettes": Labels("binary"),
        "motion": Labels("motion"),
    }
)
# Most of the first picture is seen by the other one, and near things move further than what is behind them.
OPTIONS = SampleOptions(size=(64, 64), overlap=(0.8, 0.95), parallax=(5.0, 25.0))
_LOOSE = 10.0  # misfit of viewpoints that are taken: the tasks need no exact overlap


class MultiTaskViews(RenderedSet):
    """A finite set of pairs of pictures of the generator's scenes, each with a label map for each of LABELS.

    Item i is (image, labels): the image (6, h, w), first and other picture of the scene of sample i of `parastitch
    generate`, and labels of the first picture. Its camera is upright. The first four are those of MultiTaskScenes, and

        "albedo"       (3, h, w) float32, BGR in 0 .. 1 of the surface in white light; the sky has none: NaN
        "shading"      (h, w) float32, root of the light's luminance: in grey light, albedo times shading is the
                       picture; the sky has none: NaN
        "silhouettes"  (h, w) float32, 1 at the outermost pixels of what stands before another surface, else 0
        "motion"       (2, h, w) float32, x and y of where the point is in the other picture minus where it is here,
                       px, even if something hides it there; NaN for the sky, for points behind the other camera, and
                       where it is longer than the picture is wide
    """

    labels = LABELS
    channels = 6

    def __init__(
        self,
        count: int,
        seed: int,
        options: SampleOptions = OPTIONS,
        corrupt: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        """As RenderedSet."""
        super().__init__(count, seed, options, corrupt)

    def render(self, index: int) -> Arrays:
        """As RenderedSet.render."""
        renderer, size = self._renderer, self._options.size
        sampled = renderer.sample_scene(index)
        batch = batch_scenes([sampled.scene], renderer.device)
        found = choose_viewpoints(batch, [sampled.request], [0], size, _LOOSE)
        shadows = map_shadows(batch, found.points, found.point_scene)
        cameras, shown = concatenate(found.reference, found.target), found.scenes.repeat(2)
        supersampling = self._options.supersampling
        films = render(batch, renderer.textures, shadows, cameras, shown, (size, size), supersampling, True)
        geometry = geometry_of(batch, films, 0)
        depth, surfaces = torch.from_numpy(geometry.depth), torch.from_numpy(geometry.surfaces)
        intrinsics = torch.where(surfaces[..., None] > 0, films.intrinsics[0], torch.nan).permute(2, 0, 1)
        return {
            "image": torch.cat(films.pictures, 2).permute(2, 0, 1).numpy(),  # (h, w, 6) -> (6, h, w)
            **scenes.label_maps(geometry),
            "albedo": intrinsics[:3].half().numpy(),
            "shading": intrinsics[3].numpy(),
            "silhouettes": silhouettes(depth, surfaces).numpy(),
            "motion": _motion(films, size).numpy(),
        }


def _motion(films: Rendering, size: tuple[int, int]) -> Tensor:
    """(2, h, w) float32 from film 0 to film 1."""
    hits = films.hits.film(0)
    pixels, depth = project(films.cameras.projection[1:], hits.points, hits.slices)
    motion, weight = pixels - hits.pixels, hits.points[3]
    known = (weight > 0) & (depth > NEAR_DEPTH * weight) & (motion.norm(dim=0) <= size[0])
    return torch.where(known, motion, torch.nan).float().view(2, size[1], size[0])  # (2, h w) -> (2, h, w)
