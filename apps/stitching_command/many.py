"""`parastitch stitch` of many pictures."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from apps.progress import MANY_STAGES, stage_progress
from apps.stitching_command.outputs import Outputs, Writer, write_all
from stitching.io.picture_writer import write_picture
from stitching.mosaic.panorama import Panorama
from stitching.mosaic.stitcher import stitch_many
from stitching.mosaic.summary import MosaicSummary, summarize_mosaic
from stitching.mosaic.warp_file import save_mosaic_warps, to_mosaic_warps
from stitching.options import Options
from stitching.reporting.outputs import save_mask


def stitch_set(
    pictures: Sequence[Path], output: Path, options: Options, outputs: Outputs, reference: Path | None, strict: bool
) -> MosaicSummary:
    """Stitch pictures and write what was asked for.

    Args:
        pictures: two or more.
        output: panorama to write.
        options: see `Options`.
        outputs: what else to write.
        reference: which of them keeps its view; None = of two the first, of more the one in the middle; with
            loaded warps theirs.
        strict: refuse where a picture would be left out.
    """
    if reference is None and len(pictures) == 2 and outputs.load_warp is None:
        reference = pictures[0]
    with stage_progress(outputs.quiet, MANY_STAGES) as progress:
        panorama = stitch_many(
            pictures, options, reference=str(reference) if reference else None, strict=strict,
            warps=outputs.load_warp, progress=progress,
        )  # fmt: skip
        progress("write", 0.0)
        summary = summarize_mosaic(panorama)
        write_all(_writers(panorama, summary, output, outputs))
        progress("write", 1.0)
    return summary


def _writers(panorama: Panorama, summary: MosaicSummary, output: Path, outputs: Outputs) -> Iterator[Writer]:
    """Each output that was asked for, and what writes it."""
    alpha = None if panorama.alpha.all() else panorama.alpha
    levels = panorama.sources[panorama.arrangement.reference].copy.levels
    yield (
        output,
        lambda: write_picture(output, panorama.panorama, alpha, panorama.metadata, outputs.background_bgr, levels),
    )
    if path := outputs.save_mask:
        yield path, partial(save_mask, panorama.alpha, path)
    if path := outputs.save_warp:
        yield path, partial(_save_warps, panorama, path)
    if path := outputs.report:
        from stitching.reporting.mosaic_report import write_mosaic_report

        yield path, partial(write_mosaic_report, panorama, summary, path)


def _save_warps(panorama: Panorama, path: Path) -> None:
    save_mosaic_warps(path, to_mosaic_warps(panorama))
