"""Which pictures of a set belong together, and where they lie before any dense warp."""

from collections.abc import Mapping
from dataclasses import dataclass

from stitching.adjustment.adjust import adjust
from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.canvas_choice import choose_canvas
from stitching.adjustment.central_picture import central_picture
from stitching.adjustment.picture_view import PictureView
from stitching.adjustment.tile_registration import register_tiles
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas
from stitching.input_files import find_reference_by_name
from stitching.io.picture_source import LeftOut, PictureSource
from stitching.match_graph.match_graph import MatchGraph
from stitching.match_graph.reference import best_reference
from stitching.mosaic.placing.placing_order import placing_order
from stitching.mosaic.warp_file import MosaicWarps, PicturePlacement, check_fits, placements
from stitching.options import Options

_MOST_NAMES = 10  # that an error names


@dataclass(frozen=True, eq=False)
class Layout:
    """The pictures of one panorama.

    Attributes:
        graph: which pictures show the same; without edges where the warps are known.
        arrangement: where they lie.
        canvas: that holds them all.
        order: their numbers, in the order in which they are placed; the reference first.
        known: number of a picture -> its placement, where the warps were loaded; else empty.
        apart: pictures that are not among them.
    """

    graph: MatchGraph
    arrangement: Arrangement
    canvas: Canvas
    order: tuple[int, ...]
    known: Mapping[int, PicturePlacement]
    apart: tuple[LeftOut, ...]

    def views(self, sources: tuple[PictureSource, ...]) -> dict[int, PictureView]:
        """Number of a picture -> its backward map, by the joint adjustment."""
        matrices = self.arrangement.to_picture
        return {one: PictureView(self.canvas, matrices[one], sources[one].size) for one in sorted(matrices)}


def find_reference(reference: str | int, sources: tuple[PictureSource, ...], unusable: tuple[LeftOut, ...] = ()) -> int:
    """The number of the picture that the caller means: by its position in the list, its path, file name or stem.

    Raises:
        InputError: there is none, there are several, or it is one of the unusable pictures.
    """
    for number, source in enumerate(sources):
        if reference in (source.position, source.name):
            return number
    for one in unusable:
        if reference == one.name:
            raise InputError(f"--reference {reference}: it {one.reason}; choose another one")
    names = [source.name for source in sources]
    if isinstance(reference, str) and (found := find_reference_by_name(reference, sorted(names))):
        return names.index(found)
    in_order = sorted(sources, key=_position)[:_MOST_NAMES]
    raise InputError(
        f"--reference {reference}: expected one of the pictures: {', '.join(one.name for one in in_order)}"
    )


def _position(source: PictureSource) -> int:
    return source.position


def estimate_layout(
    sources: tuple[PictureSource, ...], graph: MatchGraph, options: Options, wanted: int | None
) -> Layout:
    """Keep the pictures that belong together, and adjust them jointly.

    Args:
        sources: the pictures.
        graph: which of them show the same.
        options: of the stitch.
        wanted: number of the reference; None = the picture in the middle.

    Raises:
        InputError: no two pictures overlap, or none overlaps the wanted reference.
    """
    components = graph.components()
    members = next((one for one in components if wanted in one), components[0])
    if len(members) < 2:
        who = (
            f"no two of the {len(sources)} pictures match" if wanted is None else f"none matches {sources[wanted].name}"
        )
        raise InputError(
            f"no overlap was found: {who}; neighbours must share at least about a fifth of their area - try more"
            " overlap, larger pictures or pictures taken closer together"
        )
    reason = "shares nothing with the pictures in the panorama"
    others = sorted((sources[one] for other in components if other != members for one in other), key=_position)
    apart = tuple(LeftOut(one.name, reason) for one in others)
    reference = best_reference(graph, members) if wanted is None else wanted
    arrangement = adjust(sources, graph, members, reference, options.motion)
    sizes = {one: sources[one].size for one in members}
    if wanted is None and (middle := central_picture(arrangement, sources)) != arrangement.reference:
        arrangement = adjust(sources, graph, members, middle, options.motion)
    if arrangement.motion == "translation":
        arrangement = register_tiles(sources, graph, arrangement)
    canvas = choose_canvas(arrangement, sizes, options.projection)
    order = placing_order(graph, members, arrangement.reference)
    return Layout(graph, arrangement, canvas, order, {}, apart)


def known_layout(sources: tuple[PictureSource, ...], warps: MosaicWarps, picture_count: int) -> Layout:
    """The layout of an earlier panorama, for the next pictures of the same cameras.

    Args:
        sources: the pictures that can be read.
        warps: of the earlier panorama.
        picture_count: how many pictures the caller gave.

    Raises:
        InputError: the warps are for other pictures, or fewer than two of them can be used.
    """
    check_fits(warps, picture_count, sources)
    number = {source.position: index for index, source in enumerate(sources)}
    known = {number[one.position]: one for one in placements(warps) if one.position in number}
    if len(known) < 2:
        raise InputError(f"of the pictures that the loaded warps place, {len(known)} can be used; expected two or more")
    matrices = {one: placed.to_picture for one, placed in known.items()}
    arrangement = Arrangement(warps.motion, next(iter(known)), warps.focal, warps.frame_size, matrices, warps.residual)
    reason = "was left out of the panorama that the loaded warps are from"
    apart = tuple(LeftOut(source.name, reason) for index, source in enumerate(sources) if index not in known)
    return Layout(MatchGraph(len(sources), ()), arrangement, warps.canvas, tuple(known), known, apart)
