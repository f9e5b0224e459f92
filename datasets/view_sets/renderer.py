"""Rendering sets of pictures: scene, cameras, pictures, ground truth, photometry, one stage after the other."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from datasets.arrays import Pixels
from datasets.options import SampleOptions
from datasets.photometry.pictures import apply_look, draw_look
from datasets.rendering.batch_renderer import Rendering, render
from datasets.rendering.ray_hits import reproject
from datasets.rendering.scene_batch import SceneBatch, batch_scenes
from datasets.rendering.shadow_maps import map_shadows
from datasets.sample import Visibility
from datasets.sample_renderer import SampleRenderer, open_renderer
from datasets.scenes.mirrored import mirrored_behind
from datasets.storage.paths import MAX_COUNT
from datasets.view_sets.options import ViewOptions
from datasets.view_sets.view_set import ViewSet
from datasets.viewpoints.rows import MAX_VIEW_MISFIT, Views, choose_ring, choose_row
from datasets.viewpoints.search import REJECTED
from stitching.errors import JobError

_SCENES = 8  # that are tried for a set


class ViewSetRenderer:
    """Makes set `index` of a seed; the same index gives the same set on the same kind of device."""

    def __init__(self, renderer: SampleRenderer, views: ViewOptions) -> None:
        """`renderer`: has the scenes, the textures and the options."""
        self._renderer, self._views = renderer, views
        self.checksum = renderer.checksum

    def __call__(self, index: int) -> ViewSet:
        """Make one set. Raises JobError where no scene has room for such cameras."""
        options = self._renderer.options
        rng = np.random.default_rng([self._renderer.seed, index, self._views.views])
        batch, views = self._choose_views(index, rng)
        count = self._views.views
        scenes = torch.zeros(count, dtype=torch.int64, device=batch.device)
        shadows = map_shadows(batch, views.points, scenes.new_zeros(len(views.points)))
        sizes = (options.size,) * count
        found = render(batch, self._renderer.textures, shadows, views.cameras, scenes, sizes, options.supersampling)
        pictures = tuple(picture.cpu().numpy() for picture in found.pictures)
        width, height = options.size
        nearness = found.hits.points[3].view(count, height, width)
        return ViewSet(
            index=index,
            reference=0 if self._views.ring else count // 2,
            pictures=tuple(_photographed(one, rng) for one in pictures) if options.photometry else pictures,
            intrinsics=views.cameras.intrinsics.cpu().numpy(),
            rotation=views.cameras.rotation.cpu().numpy(),
            translation=views.cameras.translation.cpu().numpy(),
            depth=torch.where(nearness > 0, 1 / nearness.clamp_min(1e-12), torch.inf).float().cpu().numpy(),
            seen=_seen(found).view(count, height, width).cpu().numpy().astype(np.uint16),
        )

    def _choose_views(self, index: int, rng: np.random.Generator) -> tuple[SceneBatch, Views]:
        """The first scene whose cameras fit their request, else the one whose cameras fit best."""
        options = self._renderer.options
        choose = choose_ring if self._views.ring else choose_row
        best: tuple[SceneBatch, Views] | None = None
        for attempt in range(_SCENES):
            sampled = self._renderer.sample_scene(index + attempt * MAX_COUNT)
            scene = mirrored_behind(sampled.scene) if self._views.ring and options.scene is None else sampled.scene
            batch = batch_scenes([scene], self._renderer.device)
            views = choose(batch, sampled.request, self._views.views, options, rng)
            if best is None or views.misfit < best[1].misfit:
                best = batch, views
            if views.misfit < MAX_VIEW_MISFIT:
                break
        if best is None or best[1].misfit >= REJECTED:
            raise JobError(
                f"set {index}: no scene has room for {self._views.views} such cameras; "
                "use fewer --views, a higher --overlap or a lower --parallax"
            )
        return best


def open_view_sets(options: SampleOptions, views: ViewOptions, seed: int, device: str = "cpu") -> ViewSetRenderer:
    """A renderer with its textures loaded. Raises InputError as `sample_renderer.open_renderer`."""
    return ViewSetRenderer(open_renderer(options, seed, device), views)


def _seen(found: Rendering) -> Tensor:
    """(q,) int64: bit k is set where camera k sees what the rays hit."""
    count = len(found.sizes)
    own = torch.cat([torch.full((part.stop - part.start,), 1 << k) for k, part in enumerate(found.hits.slices)])
    seen = own.to(found.hits.pair.device)
    width, height = found.sizes[0]
    windows = found.hits.points.new_tensor([0, 0, width, height]).expand(count, 4)
    for shift in range(1, count):  # from every picture k at once to picture k + shift
        others = torch.arange(count, device=seen.device).roll(-shift)
        tiles = replace(found.tiles, film_first=found.tiles.film_first[others], columns=found.tiles.columns[others])
        visible = reproject(found.hits, tiles, found.cameras[others], windows).visibility == Visibility.VISIBLE
        for part, other in zip(found.hits.slices, others.tolist(), strict=True):
            seen[part] += visible[part].long() << other
    return seen


def _photographed(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """The picture with the photometry of a camera of its own."""
    return apply_look(picture, draw_look(picture, rng))
