"""Stitch a pair: read -> coarse alignment -> canvas -> warp -> placement -> blend -> compose."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment, align_pictures
from stitching.blending.compose import compose
from stitching.blending.crop import largest_rectangle
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.registry import find_generator
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field
from stitching.geometry.rectangles import Rectangle
from stitching.input_pair import PictureInput, read_pair
from stitching.io.picture import Picture, shrink
from stitching.io.warp_file import WarpField, check_warp, load_warp
from stitching.options import Options, check_options
from stitching.result import Stitched
from stitching.selection import Candidate, best_candidate, explain_choice, natural_map_xy, visible_cost
from stitching.summary import hole_mask, summarize
from stitching.warping.canvas_pictures import draw, draw_aligned_pair, draw_canvas_pair
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.picture_agreement import check_agreement
from stitching.warping.placement import Placement, from_warp_field, place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import CanvasPair

Progress = Callable[[str, float], None]

UNCHECKED_WARPS = ("homography", "loaded")  # not estimated in both directions, so not forward-backward checked


def stitch(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
    warp: WarpField | str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Stitched:
    """Stitch two pictures taken from different places.

    Args:
        reference, target: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order. The panorama keeps
            the reference's view.
        options: see `Options`.
        mask_reference, mask_target: paths or (h, w) arrays; what is zero is neither matched nor shown.
        warp: a warp from an earlier stitch of pictures of the same sizes, or its file: nothing is estimated.
        progress: called with (stage, share done 0..1).

    Raises:
        InputError: a picture, a warp or an option cannot be used, no overlap was found, or the warp fits other
            pictures.
    """
    check_options(options, estimates_warp=warp is None)
    clock = _Clock(progress)
    with clock.stage("read"):
        pictures = read_pair(reference, target, mask_reference, mask_target, max_megapix=options.max_megapix)
    if warp is None:
        with clock.stage("align"):
            coarse = _place_coarsely(*pictures, options)
        canvas, alignment, coarse_pair = coarse.canvas, coarse.alignment, coarse.pair
        confidence = alignment.confidence
        tried = _try_warps(coarse, pictures, options, clock)
    else:
        alignment, coarse_pair = None, None
        canvas, placement = from_warp_field(_usable_warp(warp), *pictures)
        with clock.stage("blend"):
            tried = [_blend("loaded", placement, "cpu", canvas, pictures, options)]
        confidence = check_agreement(tried[0].aligned)
    chosen = best_candidate(tried)
    with clock.stage("compose"):
        output_pictures = _output_pictures(*pictures, canvas, chosen.placement, options.final_megapix)
        # Away from the seam only the target is shown: there its shapes should be natural.
        shown_map = relax_map(chosen.placement, chosen.blend.weight)
        shown = replace(output_pictures, map_xy=shown_map)
        panorama, alpha = compose(shown, chosen.blend, lambda share: clock.report("compose", share))
        crop = largest_rectangle(alpha) if options.crop else Rectangle(0, 0, *output_pictures.size)
    holes, why = hole_mask(chosen.aligned), explain_choice(tried, chosen)
    summary = summarize(pictures, canvas, alignment, confidence, chosen, why, holes, crop.size, clock.seconds)
    return Stitched(
        panorama[crop.slices], alpha[crop.slices], *pictures, canvas, alignment, coarse_pair,
        chosen.placement, chosen.aligned, holes, chosen.blend, shown_map, output_pictures, crop, summary,
    )  # fmt: skip


def _usable_warp(warp: WarpField | str | PathLike[str]) -> WarpField:
    """The warp that the caller passed, or that is in the file; InputError where it cannot be one."""
    if not isinstance(warp, WarpField):
        return load_warp(Path(warp))
    check_warp(warp)
    return warp


@dataclass(frozen=True, eq=False)
class _CoarsePlacement:
    """A pair after coarse alignment.

    Attributes:
        alignment: full-size px.
        canvas: holds both pictures.
        scale: working px per canvas px.
        pair: both pictures on the working canvas.
        target_map_xy: (h, w, 2) working canvas -> full-size target px.
        target_size: (w, h), full-size px.
    """

    alignment: Alignment
    canvas: Canvas
    scale: float
    pair: CanvasPair
    target_map_xy: Field
    target_size: tuple[int, int]


def _place_coarsely(reference: Picture, target: Picture, options: Options) -> _CoarsePlacement:
    alignment = align_pictures(reference, target, options.device)
    coarse_warp = plan_coarse_warp(alignment, reference.size, target.size)
    scale = coarse_warp.canvas.scale_for(options.work_megapix)
    pair, map_xy = draw_canvas_pair(reference, target, alignment, coarse_warp, scale)
    return _CoarsePlacement(alignment, coarse_warp.canvas, scale, pair, map_xy, target.size)


def _try_warps(
    coarse: _CoarsePlacement, pictures: tuple[Picture, Picture], options: Options, clock: "_Clock"
) -> list[Candidate]:
    """A candidate for each warp of the options, in their order, until one is acceptable."""
    tried: list[Candidate] = []
    for name in options.warps_to_try:
        with clock.stage("warp"):
            placement, device = _estimate(name, coarse, options)
        with clock.stage("blend"):
            tried.append(_blend(name, placement, device, coarse.canvas, pictures, options))
        if best_candidate(tried).is_acceptable:
            break
    return tried


def _estimate(name: str, coarse: _CoarsePlacement, options: Options) -> tuple[Placement, str]:
    """Where the warp `name` puts the target, and the device on which it was computed."""
    warp = find_estimator(name, options.device)(coarse.pair)
    placement = place_target(warp, coarse.pair, coarse.target_map_xy, coarse.target_size, coarse.scale)
    return placement, warp.device


def _blend(
    warp_name: str,
    placement: Placement,
    device: str,
    canvas: Canvas,
    pictures: tuple[Picture, Picture],
    options: Options,
) -> Candidate:
    """Blend the pair as it is placed, and measure how visible that is."""
    aligned = draw_aligned_pair(*pictures, canvas, placement)
    blend = find_generator(options.blend_to_use, options.device)(aligned, options.compensator)
    natural_target, _ = draw(pictures[1], natural_map_xy(placement), placement.scale)
    overlap = aligned.overlap
    unchecked = warp_name in UNCHECKED_WARPS or not overlap.any()
    return Candidate(
        warp_name=warp_name,
        blend_name=options.blend_to_use,
        placement=placement,
        aligned=aligned,
        blend=blend,
        cost=visible_cost(aligned, blend, natural_target),
        consistent_share=None if unchecked else float(placement.trusted[overlap].mean()),
        device="cuda" if "cuda" in (device, blend.device) else "cpu",
    )


def _output_pictures(
    reference: Picture, target: Picture, canvas: Canvas, placement: Placement, megapix: float | None
) -> PanoramaPictures:
    """The pictures at the size of the panorama."""
    scale = 1.0 if megapix is None else canvas.scale_for(megapix)
    return PanoramaPictures(
        shrink(reference, scale), shrink(target, scale), canvas, scale, placement.map_xy, placement.scale
    )


@dataclass
class _Clock:
    """Seconds per stage, and the caller's progress callback."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.report(name, 0.0)
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.report(name, 1.0)

    def report(self, stage: str, share: float) -> None:
        if self.progress is not None:
            self.progress(stage, share)
