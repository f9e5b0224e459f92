"""What `parastitch stitch` reads and writes beside pictures and panorama, and what it prints."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple, Optional

import tyro

from stitching.errors import JobError, is_out_of_memory, require
from stitching.io.file_conflicts import NamedPath, check_outputs, named_weights
from stitching.io.files import check_folder, check_writable
from stitching.io.picture_writer import check_output
from stitching.lens.calibration_file import names_calibration_file
from stitching.options import Options
from stitching.reporting.outputs import ALIGNED_FILES, STAGE_FILES

Writer = tuple[Path, Callable[[], None]]  # an output, and what writes it


class Colour(NamedTuple):
    """Of a pixel, 0..255 each."""

    red: int
    green: int
    blue: int


# For `Path | None` and `tuple[int, int, int]` tyro imports typeguard, which takes 0.1 s.
_OptionalPath = Optional[Path]  # noqa: UP045
_COLOUR_OPTION = tyro.constructors.PrimitiveConstructorSpec(
    nargs=3,
    metavar="R G B",
    instance_from_str=lambda words: Colour(*map(int, words)),
    is_instance=lambda value: isinstance(value, Colour),
    str_from_instance=lambda colour: list(map(str, colour)),
)


@dataclass(frozen=True)
class Outputs:
    """What else to read and write, and what to print."""

    mask_reference: _OptionalPath = None
    """Picture of the reference's size: regions that are black are ignored. For two pictures."""
    mask_target: _OptionalPath = None
    """The same for the target."""
    keep_reference: _OptionalPath = None
    """Picture of the reference's size: what is white must be shown as the reference has it. For two pictures."""
    keep_target: _OptionalPath = None
    """The same for the target. Where both are asked for, the reference wins."""
    load_warp: _OptionalPath = None
    """Warps written by --save-warp for as many pictures of the same sizes in the same order: nothing is estimated."""
    save_warp: _OptionalPath = None
    """Write the warps of all pictures: an npz file (docs/stitching/formats.md)."""
    save_aligned: _OptionalPath = None
    """Write both pictures on the canvas before blending, their masks and the blend into this folder. For two
    pictures."""
    save_mask: _OptionalPath = None
    """Write where the panorama is not empty: 255, else 0."""
    verbose_dir: _OptionalPath = None
    """Write numbered pictures of every stage into this folder. For two pictures."""
    report: _OptionalPath = None
    """Write a page to inspect the result: the pictures before they were blended, the warp, seams, numbers."""
    json: bool = False
    """Print the summary as JSON on standard output."""
    quiet: bool = False
    """No progress and no summary; warnings and errors remain."""
    background: Annotated[Colour, _COLOUR_OPTION] = Colour(0, 0, 0)  # noqa: RUF009 - frozen
    """Red, green, blue 0..255 of empty pixels, for JPEG (other formats get an alpha channel)."""

    @property
    def background_bgr(self) -> tuple[int, int, int]:
        """The background as pictures hold it."""
        red, green, blue = self.background
        return blue, green, red

    @property
    def only_of_pairs(self) -> list[str]:
        """The options in use that only two pictures have."""
        names = "mask_reference", "mask_target", "keep_reference", "keep_target", "save_aligned", "verbose_dir"
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name)]


def check_files(pictures: Iterable[NamedPath], output: Path, options: Options, outputs: Outputs) -> None:
    """Refuse outputs that are inputs or that cannot be written, before any work is done; InputError."""
    check_outputs(_files_to_write(output, outputs), [*pictures, *_files_to_read(options, outputs)])
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


def _files_to_write(output: Path, outputs: Outputs) -> list[NamedPath]:
    files = ("-o", output), ("--save-mask", outputs.save_mask), ("--save-warp", outputs.save_warp)
    named: list[NamedPath] = [(name, path) for name, path in (*files, ("--report", outputs.report)) if path]
    if outputs.save_aligned:
        named += [("--save-aligned", outputs.save_aligned / name) for name in ALIGNED_FILES]
    if outputs.verbose_dir:
        named += [("--verbose-dir", outputs.verbose_dir / name) for name in STAGE_FILES]
    return named


def _files_to_read(options: Options, outputs: Outputs) -> list[NamedPath]:
    """Beside the pictures."""
    masks = ("--mask-reference", outputs.mask_reference), ("--mask-target", outputs.mask_target)
    kept = ("--keep-reference", outputs.keep_reference), ("--keep-target", outputs.keep_target)
    files = [(name, path) for name, path in (*masks, *kept, ("--load-warp", outputs.load_warp)) if path]
    if names_calibration_file(options.lens):
        files.append(("--lens", Path(options.lens)))
    return files + named_weights("--warp", options.warp) + named_weights("--blend", options.blend)


def write_all(writers: Iterable[Writer]) -> None:
    """Write all outputs. Raises JobError that names the one that failed, and what was written before it."""
    written: list[str] = []
    for path, write in writers:
        try:
            write()
        except Exception as error:
            out_of_memory = is_out_of_memory(error)
            if not written or not (out_of_memory or isinstance(error, JobError)):
                raise
            reason = f"cannot write {path}: not enough memory" if out_of_memory else str(error)
            raise JobError(f"{reason}; written before: {', '.join(written)}") from error
        written.append(str(path))
