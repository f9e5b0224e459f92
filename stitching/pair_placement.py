"""Where the target of a pair belongs: coarse alignment, canvas, dense warp, and whether the pictures fit after it."""

from dataclasses import dataclass, replace
from functools import partial

from stitching.alignment.canvas_planning import plan_coarse_warp
from stitching.alignment.coarse_alignment import Alignment, align_pictures
from stitching.alignment.known_focal import known_focal
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field
from stitching.io.picture import Picture
from stitching.options import Options
from stitching.selection import UsedWarp
from stitching.verification.evidence import gather_evidence
from stitching.verification.verdict import Verdict, judge_loaded_warp, judge_stitch
from stitching.warping.canvas_pictures import draw_canvas_pair
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import Placement, place_target
from stitching.warping.warp import AlignedPair, CanvasPair


@dataclass(frozen=True, eq=False)
class CoarsePlacement:
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


def place_coarsely(reference: Picture, target: Picture, options: Options) -> CoarsePlacement:
    """Align a pair, choose its canvas and draw it there; InputError where no overlap is found."""
    alignment = align_pictures(reference, target, options.device)
    coarse_warp = plan_coarse_warp(
        alignment, reference.size, target.size, partial(known_focal, reference), certain=reference.lens is not None
    )
    scale = coarse_warp.canvas.scale_for(options.work_megapix)
    pair, map_xy = draw_canvas_pair(reference, target, alignment, coarse_warp, scale)
    return CoarsePlacement(alignment, coarse_warp.canvas, scale, pair, map_xy, target.size)


def estimate_placement(coarse: CoarsePlacement, options: Options) -> tuple[Placement, UsedWarp]:
    """Where the warp of the options, or the one that `auto` chooses, puts the target."""
    placement, dense = _place_by(options.warp_to_use, coarse, options)
    if options.warp != "auto" or not dense.is_unusable:
        return placement, dense
    placement, plain = _place_by("homography", coarse, options)
    return placement, replace(plain, consistent_share=dense.consistent_share)


def _place_by(name: str, coarse: CoarsePlacement, options: Options) -> tuple[Placement, UsedWarp]:
    """Where the estimator `name` puts the target."""
    warp = find_estimator(name, options.device)(coarse.pair)
    placement = place_target(warp, coarse.pair, coarse.target_map_xy, coarse.target_size, coarse.scale)
    return placement, UsedWarp.of(name, warp, placement, coarse.pair.reference_valid)


def judge_placement(
    alignment: Alignment | None, canvas: Canvas, placement: Placement, aligned: AlignedPair, used_warp: UsedWarp
) -> Verdict:
    """Whether the pictures fit together after the warp.

    Args:
        alignment: None where the warp was loaded.
        canvas: that the placement lies on.
        placement: of the target.
        aligned: the pair after the warp.
        used_warp: that gave the placement.

    Raises:
        InputError: they do not fit.
    """
    evidence = gather_evidence(canvas.to_reference, placement, aligned)
    if alignment is None:
        return judge_loaded_warp(evidence)
    dense = used_warp.consistent_share is not None
    return judge_stitch(alignment, evidence, dense=dense, homography=used_warp.name == "homography")
