"""`parastitch stitch` of two pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from apps.progress import PAIR_STAGES, stage_progress
from apps.stitching_command.outputs import Outputs, Writer, write_all
from stitching.io.picture_writer import write_picture
from stitching.io.warp_file import save_warp
from stitching.lens_correction import corrected_in_words
from stitching.mosaic.warp_file import holds_mosaic_warps
from stitching.options import Options
from stitching.reporting.outputs import save_aligned, save_intermediates, save_mask
from stitching.result import Stitched
from stitching.stitcher import stitch


def is_pair(paths: Sequence[Path], options: Options, outputs: Outputs) -> bool:
    """Whether two pictures are stitched as a pair, and not as a set whose motion or projection was asked for."""
    chosen = options.motion != "auto" or options.projection != "auto"
    loaded = outputs.load_warp is not None and holds_mosaic_warps(outputs.load_warp)
    return len(paths) == 2 and not chosen and not loaded


def stitch_pair(reference: Path, target: Path, output: Path, options: Options, outputs: Outputs) -> Stitched:
    """Stitch two pictures and write what was asked for."""
    with stage_progress(outputs.quiet, PAIR_STAGES) as progress:
        stitched = stitch(
            reference, target, options, mask_reference=outputs.mask_reference, mask_target=outputs.mask_target,
            keep_reference=outputs.keep_reference, keep_target=outputs.keep_target,
            warp=outputs.load_warp, progress=progress,
        )  # fmt: skip
        progress("write", 0.0)
        write_all(_writers(stitched, output, outputs))
        progress("write", 1.0)
    return stitched


def _writers(stitched: Stitched, output: Path, outputs: Outputs) -> Iterator[Writer]:
    """Each output that was asked for, and what writes it."""
    alpha = None if stitched.alpha.all() else stitched.alpha
    metadata, levels = stitched.metadata, stitched.reference.levels
    yield output, lambda: write_picture(output, stitched.panorama, alpha, metadata, outputs.background_bgr, levels)
    if path := outputs.save_mask:
        yield path, partial(save_mask, stitched.alpha, path)
    if path := outputs.save_warp:
        yield path, partial(save_warp, path, stitched.warp)
    if path := outputs.save_aligned:
        yield path, partial(save_aligned, stitched, path)
    if path := outputs.verbose_dir:
        yield path, partial(save_intermediates, stitched, path)
    if path := outputs.report:
        from stitching.reporting.report import write_report

        yield path, partial(write_report, stitched, path)


def pair_in_words(stitched: Stitched) -> str:
    """The most important of the summary in one line."""
    s = stitched.summary
    seconds = ", ".join(f"{stage} {value:.2f}" for stage, value in s.seconds.items())
    parallax = "" if s.parallax_median is None else f" parallax {s.parallax_median:.1f} px (p90 {s.parallax_p90:.1f}),"
    consistent = "" if s.consistent is None else f" ({s.consistent:.0%} of the overlap consistent)"
    return (
        f"{s.panorama_size[0]} x {s.panorama_size[1]} ({s.projection}), overlap {s.overlap:.0%},"
        f"{parallax} {s.alignment} from {s.matches} matches,"
        f" confidence {s.confidence:.2f}; {s.warp} warp{consistent}, {s.blend} blend"
        f"{corrected_in_words((s.reference_lens, s.target_lens))}; {s.device}, seconds: {seconds}"
    )
