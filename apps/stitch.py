"""`parastitch stitch`: stitch one pair of pictures, and write what else was asked for."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple, Optional

import tyro

from apps.command.freed_memory import keep_freed_memory
from apps.progress import stage_progress
from stitching.errors import JobError, is_out_of_memory, printable, require
from stitching.io.file_conflicts import NamedPath, check_outputs, named_weights
from stitching.io.files import check_folder, check_writable
from stitching.io.picture_writer import check_output, write_picture
from stitching.io.warp_file import save_warp
from stitching.options import Options
from stitching.reporting.outputs import ALIGNED_FILES, STAGE_FILES, save_aligned, save_intermediates, save_mask
from stitching.result import Stitched
from stitching.stitcher import stitch


class Colour(NamedTuple):
    """Of a pixel, 0..255 each."""

    red: int
    green: int
    blue: int


# For `Path | None` and `tuple[int, int, int]` tyro imports typeguard, which takes 0.1 s.
_OptionalPath = Optional[Path]  # noqa: UP045
_COLOUR_OPTION = tyro.constructors.PrimitiveConstructorSpec(
    nargs=3,
    metavar="INT INT INT",
    instance_from_str=lambda words: Colour(*map(int, words)),
    is_instance=lambda value: isinstance(value, Colour),
    str_from_instance=lambda colour: list(map(str, colour)),
)


@dataclass(frozen=True)
class Outputs:
    """What else to read and write, and what to print."""

    mask_reference: _OptionalPath = None
    """Picture of the reference's size: regions that are black are ignored."""
    mask_target: _OptionalPath = None
    """The same for the target."""
    load_warp: _OptionalPath = None
    """Warp written by --save-warp for pictures of the same sizes: nothing is estimated."""
    save_warp: _OptionalPath = None
    """Write the warp: an npz file (docs/formats.md)."""
    save_aligned: _OptionalPath = None
    """Write both pictures on the canvas before blending, their masks and the blend into this folder."""
    save_mask: _OptionalPath = None
    """Write where the panorama is not empty: 255, else 0."""
    verbose_dir: _OptionalPath = None
    """Write numbered pictures of every stage into this folder."""
    report: _OptionalPath = None
    """Write a page to inspect the result: swipe between the pictures, warp, parallax, blend, numbers."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """No progress and no summary; warnings and errors remain."""
    background: Annotated[Colour, _COLOUR_OPTION] = Colour(0, 0, 0)  # noqa: RUF009 - frozen
    """Red, green, blue 0..255 of empty pixels, for JPEG (other formats get an alpha channel)."""


def stitch_command(
    reference: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    options: tyro.conf.OmitArgPrefixes[Options] = Options(),  # noqa: B008 - frozen
    outputs: tyro.conf.OmitArgPrefixes[Outputs] = Outputs(),
) -> None:
    """Stitch two pictures taken from different places.

    Args:
        reference: picture whose view is kept.
        target: picture that is warped to it.
        output: panorama to write: .png, .tif, .webp (transparent where it is empty) or .jpg.
    """
    keep_freed_memory()
    check_outputs(_files_to_write(output, outputs), _files_to_read(reference, target, options, outputs))
    _check_writable(output, outputs)
    with stage_progress(quiet=outputs.quiet) as progress:
        stitched = stitch(
            reference, target, options, mask_reference=outputs.mask_reference,
            mask_target=outputs.mask_target, warp=outputs.load_warp, progress=progress,
        )  # fmt: skip
        progress("write", 0.0)
        _write(stitched, output, outputs)
        progress("write", 1.0)
    for warning in stitched.summary.warnings:
        print(f"parastitch: warning: {printable(warning)}", file=sys.stderr)
    if outputs.json:
        print(json.dumps(stitched.summary.as_dict(), indent=1))
    elif not outputs.quiet:
        print(_in_words(stitched, output), file=sys.stderr)


def _files_to_write(output: Path, outputs: Outputs) -> list[NamedPath]:
    files = ("-o", output), ("--save-mask", outputs.save_mask), ("--save-warp", outputs.save_warp)
    named: list[NamedPath] = [(name, path) for name, path in (*files, ("--report", outputs.report)) if path]
    if outputs.save_aligned:
        named += [("--save-aligned", outputs.save_aligned / name) for name in ALIGNED_FILES]
    if outputs.verbose_dir:
        named += [("--verbose-dir", outputs.verbose_dir / name) for name in STAGE_FILES]
    return named


def _files_to_read(reference: Path, target: Path, options: Options, outputs: Outputs) -> list[NamedPath]:
    masks = ("--mask-reference", outputs.mask_reference), ("--mask-target", outputs.mask_target)
    files = ("reference", reference), ("target", target), *masks, ("--load-warp", outputs.load_warp)
    weights = named_weights("--warp", options.warp) + named_weights("--blend", options.blend)
    return [(name, path) for name, path in files if path] + weights


def _check_writable(output: Path, outputs: Outputs) -> None:
    """Refuse what cannot be written before any work is done."""
    check_output(output)
    for folder in (outputs.save_aligned, outputs.verbose_dir):
        if folder:
            check_folder(folder)
    if outputs.save_mask:
        check_output(outputs.save_mask)
    for path in (outputs.save_warp, outputs.report):
        if path:
            check_writable(path)
    possible = all(0 <= value <= 255 for value in outputs.background)
    require(possible, f"--background {tuple(outputs.background)}", "red, green and blue of 0 to 255")


def _write(stitched: Stitched, output: Path, outputs: Outputs) -> None:
    """Write all outputs. Raises JobError that names the one that failed, and what was written before it."""
    written: list[str] = []
    for path, write in _writers(stitched, output, outputs):
        try:
            write()
        except Exception as error:
            out_of_memory = is_out_of_memory(error)
            if not written or not (out_of_memory or isinstance(error, JobError)):
                raise
            reason = f"cannot write {path}: not enough memory" if out_of_memory else str(error)
            raise JobError(f"{reason}; written before: {', '.join(written)}") from error
        written.append(str(path))


def _writers(stitched: Stitched, output: Path, outputs: Outputs) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Each output that was asked for, and what writes it."""
    red, green, blue = outputs.background
    alpha = None if stitched.alpha.all() else stitched.alpha
    metadata, levels = stitched.reference.metadata, stitched.reference.levels
    yield output, lambda: write_picture(output, stitched.panorama, alpha, metadata, (blue, green, red), levels)
    if path := outputs.save_mask:
        yield path, partial(save_mask, stitched, path)
    if path := outputs.save_warp:
        yield path, partial(save_warp, path, stitched.warp)
    if path := outputs.save_aligned:
        yield path, partial(save_aligned, stitched, path)
    if path := outputs.verbose_dir:
        yield path, partial(save_intermediates, stitched, path)
    if path := outputs.report:
        from stitching.reporting.report import write_report

        yield path, partial(write_report, stitched, path)


def _in_words(stitched: Stitched, output: Path) -> str:
    s = stitched.summary
    seconds = ", ".join(f"{stage} {value:.2f}" for stage, value in s.seconds.items())
    parallax = "" if s.parallax_median is None else f" parallax {s.parallax_median:.1f} px (p90 {s.parallax_p90:.1f}),"
    consistent = "" if s.consistent is None else f" ({s.consistent:.0%} of the overlap consistent)"
    return (
        f"{output}: {s.panorama_size[0]} x {s.panorama_size[1]} ({s.projection}), overlap {s.overlap:.0%},"
        f"{parallax} {s.alignment} from {s.matches} matches,"
        f" confidence {s.confidence:.2f}; {s.warp} warp{consistent}, {s.blend} blend; {s.device}, seconds: {seconds}"
    )
