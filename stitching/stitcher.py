"""Stitch a pair: read -> coarse alignment -> canvas -> warp -> placement -> blend -> compose."""

from dataclasses import replace
from functools import partial
from os import PathLike

from stitching.blending.blend import Blend
from stitching.blending.compose import compose
from stitching.blending.crop import largest_rectangle, shown_rectangle
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.registry import find_generator
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, evaluate_on_grid
from stitching.input_pair import PictureInput, read_keep_masks, read_pair
from stitching.io.picture import Picture, shrink
from stitching.io.picture_sampling import magnification
from stitching.io.warp_file import WarpField, usable_warp
from stitching.network.runtime.unused_gpu import notes_on_unused_gpu
from stitching.options import Options, check_options
from stitching.pair_placement import estimate_placement, judge_placement, place_coarsely
from stitching.result import Stitched
from stitching.selection import UsedWarp
from stitching.stage_clock import Progress, StageClock
from stitching.summary import Methods, hole_mask, summarize
from stitching.warping.base_warp import nearest_coarse_map, parallax
from stitching.warping.canvas_pictures import draw_aligned_pair
from stitching.warping.kept_parts import MARGIN, KeepMasks
from stitching.warping.placement import Placement, check_sizes, from_warp_field
from stitching.warping.relax import relax_map
from stitching.warping.warp import AlignedPair


def stitch(
    reference: PictureInput,
    target: PictureInput,
    options: Options = Options(),  # noqa: B008 - frozen
    *,
    mask_reference: PictureInput | None = None,
    mask_target: PictureInput | None = None,
    keep_reference: PictureInput | None = None,
    keep_target: PictureInput | None = None,
    warp: WarpField | str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Stitched:
    """Stitch two pictures taken from different places.

    Args:
        reference, target: paths, or arrays (h, w[, 3 or 4]) uint8 or uint16 in BGR(A) order. The panorama keeps
            the reference's view.
        options: see `Options`.
        mask_reference, mask_target: paths or (h, w) arrays; what is zero is neither matched nor shown.
        keep_reference, keep_target: the same; what is not zero must be shown as this picture has it. Where both are
            asked for, the reference is shown; warnings of the summary tell what could not be shown.
        warp: a warp from an earlier stitch of pictures of the same sizes, or its file: nothing is estimated.
        progress: called with (stage, share done 0..1).

    Raises:
        InputError: a picture, a warp or an option cannot be used, no overlap was found, the pictures do not fit
            together after the warp, or a loaded warp fits other pictures.
    """
    check_options(options, estimates_warp=warp is None)
    clock = StageClock(progress)
    with clock.stage("read"):
        pictures = read_pair(
            reference, target, mask_reference, mask_target, lens=options.lens, max_megapix=options.max_megapix
        )
        keep = read_keep_masks(pictures, keep_reference, keep_target, max_megapix=options.max_megapix)
    alignment, coarse_pair = None, None
    if warp is None:
        with clock.stage("align"):
            coarse = place_coarsely(*pictures, options)
        canvas, alignment, coarse_pair = coarse.canvas, coarse.alignment, coarse.pair
        with clock.stage("warp"):
            placement, used_warp = estimate_placement(coarse, options)
    else:
        loaded = usable_warp(warp)
        check_sizes(loaded, *pictures)
        canvas, placement, used_warp = loaded.canvas, from_warp_field(loaded), UsedWarp("loaded")
    with clock.stage("blend"):
        aligned = draw_aligned_pair(*pictures, canvas, placement, coarse_pair)
        verdict = judge_placement(alignment, canvas, placement, aligned, used_warp)
        aligned, blend, shown_map = _blend(pictures, aligned, canvas, placement, keep, options)
    with clock.stage("compose"):
        output_pictures = _output_pictures(*pictures, canvas, placement, options.final_megapix)
        shown = replace(output_pictures, map_xy=shown_map)
        panorama, alpha = compose(shown, blend, lambda share: clock.report("compose", share))
        crop = largest_rectangle(alpha) if options.crop else shown_rectangle(alpha)
    holes = hole_mask(aligned)
    methods = Methods(used_warp, options.blend_to_use, "cuda" if "cuda" in (used_warp.device, blend.device) else "cpu")
    summary = summarize(pictures, canvas, alignment, verdict, methods, placement, aligned, holes, crop, clock.seconds)
    notes = notes_on_unused_gpu((used_warp.name, options.blend_to_use), options.device, methods.device)
    summary = replace(summary, notes=notes)
    if keep:
        part = output_pictures.grid.to_fields(crop)
        missing = keep.warnings(_reference_map(canvas, placement), shown_map, aligned, blend.weight, part)
        summary = replace(summary, warnings=[*summary.warnings, *missing])
    return Stitched(
        panorama[crop.slices], alpha[crop.slices], *pictures, canvas, alignment, coarse_pair,
        placement, aligned, holes, blend, shown_map, output_pictures, crop, summary,
    )  # fmt: skip


def _blend(
    pictures: tuple[Picture, Picture],
    aligned: AlignedPair,
    canvas: Canvas,
    placement: Placement,
    keep: KeepMasks | None,
    options: Options,
) -> tuple[AlignedPair, Blend, Field]:
    """The pair with what must be shown of it, its blend, and where the panorama shows the target.

    That is a map (h, w, 2), working canvas -> full-size target px. It depends on the blend, and where a kept part of
    the target lies depends on it: so that is blended a second time. The map of the placement shows the surroundings of
    a near thing again where it leaves a hole, and would tear a kept part.
    """
    generate = find_generator(options.blend_to_use, options.device)
    coarse_map = nearest_coarse_map(placement, canvas, *(picture.size for picture in pictures))
    aligned = replace(aligned, parallax=parallax(placement, coarse_map))
    shown_map, pure = placement.map_xy, None
    place = partial(keep.place, _reference_map(canvas, placement)) if keep else None
    for _ in range(2 if keep and keep.target else 1):
        if place:
            kept_within = partial(place, shown_map, aligned.reference_valid)
            aligned, pure = replace(aligned, kept=kept_within(MARGIN)), kept_within(0.0)
        blend = replace(generate(aligned, options.compensator), kept=pure)
        # Away from the seam only the target is shown: there its shapes should be natural.
        shown_map = relax_map(placement, aligned, blend.weight, coarse_map)
    return aligned, blend, shown_map


def _reference_map(canvas: Canvas, placement: Placement) -> Field:
    """(h, w, 2) working canvas -> reference px."""
    h, w = placement.covered.shape
    return evaluate_on_grid(canvas.to_reference, (w, h), placement.scale)


def _output_pictures(
    reference: Picture, target: Picture, canvas: Canvas, placement: Placement, megapix: float | None
) -> PanoramaPictures:
    """The pictures at the size of the panorama."""
    scale = 1.0 if megapix is None else canvas.scale_for(megapix)
    target_scale = scale / magnification(placement.map_xy, target.size, placement.scale)
    return PanoramaPictures(
        shrink(reference, scale), shrink(target, target_scale), canvas, scale, placement.map_xy, placement.scale
    )
