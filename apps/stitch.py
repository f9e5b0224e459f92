"""`parastitch stitch`: stitch two or more pictures, and write what else was asked for."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import tyro

from apps.command.freed_memory import keep_freed_memory
from apps.stitching_command.many import stitch_set
from apps.stitching_command.outputs import Outputs, check_files
from apps.stitching_command.pair import is_pair, pair_in_words, stitch_pair
from stitching.errors import InputError, printable, require
from stitching.input_files import expand_inputs, find_reference_by_name
from stitching.io.files import check_readable
from stitching.mosaic.summary import MosaicSummary
from stitching.options import Options
from stitching.summary import Summary


class Inputs(tuple[Path, ...]):
    """Files, folders and patterns as the user gave them."""


# For `str | None` and plain tuples tyro imports typeguard, which takes 0.1 s.
_OptionalText = Optional[str]  # noqa: UP045
_INPUTS = tyro.constructors.PrimitiveConstructorSpec(
    nargs="*",
    metavar="PICTURE",
    instance_from_str=lambda words: Inputs(map(Path, words)),
    is_instance=lambda value: isinstance(value, Inputs),
    str_from_instance=lambda inputs: list(map(str, inputs)),
)
HELP_FIRST = (
    "output", "crop", "reference", "projection", "lens", "final-megapix", "report", "mask-reference", "mask-target",
    "keep-reference", "keep-target", "warp", "blend",
)  # fmt: skip
_MOST_WARNINGS = 30  # that are printed
_INPUTS_HELP = tyro.conf.arg(metavar="REFERENCE TARGET [MORE ...]", help_behavior_hint="(needed)")


def stitch_command(
    pictures: Annotated[tyro.conf.Positional[Inputs], _INPUTS, _INPUTS_HELP],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    reference: _OptionalText = None,
    strict: bool = False,
    options: tyro.conf.OmitArgPrefixes[Options] = Options(),  # noqa: B008 - frozen
    outputs: tyro.conf.OmitArgPrefixes[Outputs] = Outputs(),  # noqa: B008 - frozen
) -> None:
    """Stitch two or more pictures taken from different places, in any order.

    Args:
        pictures: two or more pictures, as files, folders or patterns. Of two, the first is the reference.
        output: panorama to write: .png, .tif, .webp (transparent where it is empty) or .jpg.
        reference: the picture whose view is kept: its path, file name, or file name without extension. Default: of two
            pictures the first, of more the one in the middle.
        strict: refuse where a picture would be left out of the panorama: a damaged one, or one that fits no other.
    """
    keep_freed_memory()
    paths = expand_inputs(pictures)
    for path in paths:  # a wrong name is no damaged picture, which would only be left out
        check_readable(path, "a picture")
    require(len(paths) > 1, _words_of_too_few(paths), "two or more that overlap")
    kept = None if reference is None else _find(reference, paths)
    if is_pair(paths, options, outputs):
        first, second = paths if kept in (None, paths[0]) else reversed(paths)
        check_files([("reference", first), ("target", second)], output, options, outputs)
        stitched = stitch_pair(first, second, output, options, outputs)
        _tell(stitched.summary, pair_in_words(stitched), output, outputs)
    else:
        _refuse_options_of_pairs(paths, outputs)
        check_files([("picture", path) for path in paths], output, options, outputs)
        summary = stitch_set(paths, output, options, outputs, kept, strict)
        _tell(summary, summary.in_words(), output, outputs)


def _words_of_too_few(paths: Sequence[Path]) -> str:
    return f"{paths[0]}: one picture alone" if paths else "no pictures"


def _find(name: str, paths: Sequence[Path]) -> Path:
    """The picture that the user calls the reference."""
    if Path(name) in paths:
        return Path(name)
    if found := find_reference_by_name(name, [str(path) for path in paths]):
        return Path(found)
    names = ", ".join(path.name for path in paths[:10]) + (", ..." if len(paths) > 10 else "")
    raise InputError(f"--reference {name}: expected one of the pictures: {names}")


def _refuse_options_of_pairs(paths: Sequence[Path], outputs: Outputs) -> None:
    if named := outputs.only_of_pairs:
        given = f"{len(paths)} pictures" if len(paths) > 2 else "--motion, --projection or warps of many pictures"
        raise InputError(f"{', '.join(named)}: expected two pictures, which are stitched as a pair, got {given}")


def _tell(summary: Summary | MosaicSummary, in_words: str, output: Path, outputs: Outputs) -> None:
    told = summary.warnings[:_MOST_WARNINGS]
    for warning in told:
        print(f"parastitch: warning: {printable(warning)}", file=sys.stderr)
    if more := len(summary.warnings) - len(told):
        print(f"parastitch: warning: {more} more like these; --json lists all", file=sys.stderr)
    for note in () if outputs.quiet else summary.notes:
        print(f"parastitch: note: {note}", file=sys.stderr)
    if outputs.json:
        print(json.dumps(summary.as_dict(), indent=1))
    elif not outputs.quiet:
        print(f"{output}: {in_words}", file=sys.stderr)
