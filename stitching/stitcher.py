"""Stitch a pair: read -> coarse alignment -> canvas -> warp -> placement -> blend -> compose."""

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment, align_pictures
from stitching.blending.compose import compose
from stitching.blending.crop import largest_rectangle, shown_rectangle
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.registry import find_generator
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field
from stitching.input_pair import PictureInput, read_pair
from stitching.io.picture import Picture, shrink
from stitching.io.warp_file import WarpField, check_warp, load_warp
from stitching.options import Options, check_options
from stitching.result import Stitched
from stitching.selection import UsedWarp, consistent_share, dense_warp_for
from stitching.stage_clock import Progress, StageClock
from stitching.summary import Methods, hole_mask, summarize
from stitching.verification.evidence import gather_evidence
from stitching.verification.verdict import judge_loaded_warp, judge_stitch
from stitching.warping.base_warp import nearest_coarse_map
from stitching.warping.canvas_pictures import draw_aligned_pair, draw_canvas_pair
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.picture_sampling import magnification
from stitching.warping.placement import Placement, from_warp_field, place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import CanvasPair


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
        InputError: a picture, a warp or an option cannot be used, no overlap was found, the pictures do not fit
            together after the warp, or a loaded warp fits other pictures.
    """
    check_options(options, estimates_warp=warp is None)
    clock = StageClock(progress)
    with clock.stage("read"):
        pictures = read_pair(reference, target, mask_reference, mask_target, max_megapix=options.max_megapix)
    alignment, coarse_pair = None, None
    if warp is None:
        with clock.stage("align"):
            coarse = _place_coarsely(*pictures, options)
        canvas, alignment, coarse_pair = coarse.canvas, coarse.alignment, coarse.pair
        with clock.stage("warp"):
            placement, used_warp = _estimate(options.warp, coarse, options)
    else:
        canvas, placement = from_warp_field(_usable_warp(warp), *pictures)
        used_warp = UsedWarp("loaded")
    with clock.stage("blend"):
        aligned = draw_aligned_pair(*pictures, canvas, placement, coarse_pair)
        evidence = gather_evidence(canvas.to_reference, placement, aligned)
        if alignment:
            dense = used_warp.consistent_share is not None
            verdict = judge_stitch(alignment, evidence, dense=dense, homography=used_warp.name == "homography")
        else:
            verdict = judge_loaded_warp(evidence)
        blend = find_generator(options.blend_to_use, options.device)(aligned, options.compensator)
    with clock.stage("compose"):
        output_pictures = _output_pictures(*pictures, canvas, placement, options.final_megapix)
        # Away from the seam only the target is shown: there its shapes should be natural.
        coarse_map = nearest_coarse_map(placement, canvas, *(picture.size for picture in pictures))
        shown_map = relax_map(placement, aligned, blend.weight, coarse_map)
        shown = replace(output_pictures, map_xy=shown_map)
        panorama, alpha = compose(shown, blend, lambda share: clock.report("compose", share))
        crop = largest_rectangle(alpha) if options.crop else shown_rectangle(alpha)
    holes = hole_mask(aligned)
    methods = Methods(used_warp, options.blend_to_use, "cuda" if "cuda" in (used_warp.device, blend.device) else "cpu")
    summary = summarize(pictures, canvas, alignment, verdict, methods, placement, aligned, holes, crop, clock.seconds)
    return Stitched(
        panorama[crop.slices], alpha[crop.slices], *pictures, canvas, alignment, coarse_pair,
        placement, aligned, holes, blend, shown_map, output_pictures, crop, summary,
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


def _estimate(name: str, coarse: _CoarsePlacement, options: Options) -> tuple[Placement, UsedWarp]:
    """Where the warp `name`, or the one that `auto` chooses, puts the target."""
    if name != "auto":
        return _place_by(name, coarse, options)
    placement, dense = _place_by(dense_warp_for(coarse.alignment), coarse, options)
    if not dense.is_unusable:
        return placement, dense
    placement, plain = _place_by("homography", coarse, options)
    return placement, replace(plain, consistent_share=dense.consistent_share)


def _place_by(name: str, coarse: _CoarsePlacement, options: Options) -> tuple[Placement, UsedWarp]:
    """Where the estimator `name` puts the target."""
    warp = find_estimator(name, options.device)(coarse.pair)
    placement = place_target(warp, coarse.pair, coarse.target_map_xy, coarse.target_size, coarse.scale)
    checked = name != "homography"  # which is not estimated in both directions
    share = consistent_share(placement, coarse.pair.reference_valid) if checked else None
    return placement, UsedWarp(name, share, warp.device)


def _output_pictures(
    reference: Picture, target: Picture, canvas: Canvas, placement: Placement, megapix: float | None
) -> PanoramaPictures:
    """The pictures at the size of the panorama."""
    scale = 1.0 if megapix is None else canvas.scale_for(megapix)
    target_scale = scale / magnification(placement.map_xy, target.size, placement.scale)
    return PanoramaPictures(
        shrink(reference, scale), shrink(target, target_scale), canvas, scale, placement.map_xy, placement.scale
    )
