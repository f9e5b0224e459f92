"""Tiles of one flat original, as of a scanner or a microscope: the same size, moved, with small overlaps.

Where tiles show little, or the same again and again, no pair alone says how far it was moved: the correlation of their
overlap has several peaks (Preibisch, Saalfeld & Tomancak 2009; Chalfoun et al. 2017). All tiles together do: groups of
tiles are joined one after the other, always by that peak after which most overlaps between two groups look alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.translation import Grid, correlation, details, independent_details
from stitching.geometry.pixel_maps import Size
from stitching.io.picture import to_8_bit, to_grey
from stitching.io.picture_source import PictureSource
from stitching.match_graph.match_graph import Edge
from stitching.match_graph.overlap import improve_shift, matches_of_overlap

SIDE = 256  # px of the copies that are correlated
MIN_SHARE = 0.03  # of a tile that overlaps another
PEAKS = 6  # of a pair of tiles that are looked at
PEAK_RADIUS = 4  # px, within which there is only one
SEARCH = 2  # px around the place where other tiles put one
MIN_CORRELATION = 0.3  # of an overlap that speaks for a place
MIN_SIGNIFICANCE = 5.0  # standard deviations, of an overlap that speaks for a place
ENOUGH = 6.0  # sum of these with which two groups are joined
JOINING_CORRELATION = 0.6  # of the overlap of two tiles that join two groups
DEVIATIONS, DETAIL_AREA = 2.0, 150.0  # a peak less so many standard deviations is compared; px of one detail
CONTRADICTION = 6.0  # standard deviations, that an overlap which looks different counts against a place
IMPROVEMENT = 6  # px of the copies that features are found in, around the place that the smaller copies tell
TRIED = 24  # peaks that are looked at before two groups are joined

Shift = tuple[int, int]  # (x, y) px of the copies, second tile -> first tile


@dataclass(frozen=True, eq=False)
class _Tiles:
    """The details of small copies of one size, (h, w) each, and where they are valid."""

    planes: list[tuple[Grid, Grid]]
    likeness_of: dict[tuple[int, int, Shift], tuple[float, Shift]]

    @property
    def size(self) -> Size:
        h, w = self.planes[0][0].shape
        return w, h

    def share(self, shift: Shift) -> float:
        """Of a tile, that overlaps another one after a shift."""
        w, h = self.size
        return max(0, w - abs(shift[0])) * max(0, h - abs(shift[1])) / (w * h)

    def significance(self, first: int, second: int, shift: Shift) -> tuple[float, Shift]:
        """How much the overlap near a shift speaks for it, in standard deviations, and the shift that fits best there.

        Negative where the overlap looks different.
        """
        key = first, second, shift
        if key not in self.likeness_of:
            steps = range(-SEARCH, SEARCH + 1)
            around = [(shift[0] + x, shift[1] + y) for y in steps for x in steps]
            best = max(around, key=lambda place: self._correlation(first, second, place))
            found = self._correlation(first, second, best)
            independent = independent_details(self.planes[second], self.planes[first], *best)
            deviations = float(np.arctanh(np.clip(found, -0.999, 0.999)) * np.sqrt(independent))
            alike = found > MIN_CORRELATION and deviations > MIN_SIGNIFICANCE
            # an overlap of few details says nothing, one of many that differ speaks against the place
            unlike = found < MIN_CORRELATION and independent > (CONTRADICTION / MIN_CORRELATION) ** 2
            self.likeness_of[key] = (deviations if alike else -CONTRADICTION if unlike else 0.0), best
        return self.likeness_of[key]

    def joins(self, first: int, second: int, shift: Shift) -> bool:
        """Whether the overlap near a shift is so much alike that it may join groups of tiles."""
        return self._correlation(first, second, self.significance(first, second, shift)[1]) > JOINING_CORRELATION

    def _correlation(self, first: int, second: int, shift: Shift) -> float:
        (w, h), (x, y) = self.size, shift
        rows, columns = slice(max(0, -y), min(h, h - y)), slice(max(0, -x), min(w, w - x))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return -1.0
        there = self.planes[second][0][rows, columns]
        here = self.planes[first][0][rows.start + y : rows.stop + y, columns.start + x : columns.stop + x]
        there, here = there - there.mean(), here - here.mean()
        return float((there * here).sum() / max(np.sqrt((there**2).sum() * (here**2).sum()), 1e-6))


def tile_edges(sources: Sequence[PictureSource], known: Sequence[Edge]) -> tuple[Edge, ...]:
    """The edges between tiles, by translations that agree with each other.

    Args:
        sources: pictures of one size.
        known: translations that features found; they are tried beside the peaks of the correlation.
    """
    grey = [to_grey(to_8_bit(source.copy.pixels, source.copy.levels)) for source in sources]
    scale = min(1.0, SIDE / max(grey[0].shape))
    planes = [details(g, source.copy.valid, scale) for g, source in zip(grey, sources, strict=True)]
    tiles = _Tiles(planes, {})
    to_tile = scale * np.array(sources[0].copy.scale)
    places = [(e.first, e.second, _rounded(e.alignment.homography[:2, 2] * to_tile)) for e in known]
    count = len(sources)
    for first in range(count):
        for second in range(first + 1, count):
            places += [(first, second, shift) for shift in _peaks(tiles, first, second)]
    edges = []
    for group in _join(tiles, places):
        for first, (x, y) in sorted(group.items()):
            for second, (other_x, other_y) in sorted(group.items()):
                near = other_x - x, other_y - y
                if first < second and tiles.share(near) >= MIN_SHARE:
                    found, shift = tiles.significance(first, second, near)
                    if found > 0:
                        edges.append(_edge(first, second, np.array(shift) / scale, grey, sources))
    return tuple(edge for edge in edges if edge is not None)


def _rounded(place: NDArray[np.float64]) -> Shift:
    x, y = np.round(place).astype(int)
    return int(x), int(y)


def _peaks(tiles: _Tiles, first: int, second: int) -> list[Shift]:
    """The shifts after which two tiles look most alike, those that are so least by chance first."""
    surface = correlation(*tiles.planes[second], *tiles.planes[first], MIN_SHARE)
    rows, columns = surface.shape
    (w, h) = tiles.size
    x, y = np.arange(columns), np.arange(rows)
    x, y = np.where(x < w, x, x - columns), np.where(y < h, y, y - rows)  # the second half holds negative shifts
    area = np.maximum(0, w - np.abs(x))[None] * np.maximum(0, h - np.abs(y))[:, None]
    chance = DEVIATIONS * np.sqrt(DETAIL_AREA / np.maximum(area, 1))  # small overlaps are alike by chance more often
    weight = np.where(surface > JOINING_CORRELATION, np.arctanh(np.clip(surface, 0, 0.999)) - chance, 0)
    found: list[Shift] = []
    for _ in range(PEAKS):
        row, column = divmod(int(weight.argmax()), columns)
        if weight[row, column] <= 0:
            break
        found.append((int(x[column]), int(y[row])))
        near_rows = np.arange(row - PEAK_RADIUS, row + PEAK_RADIUS + 1) % rows
        near_columns = np.arange(column - PEAK_RADIUS, column + PEAK_RADIUS + 1) % columns
        weight[np.ix_(near_rows, near_columns)] = 0
    return found


def _join(tiles: _Tiles, places: list[tuple[int, int, Shift]]) -> list[dict[int, Shift]]:
    """Groups of tiles, each tile with its place (x, y), px of the copies."""
    group_of: dict[int, dict[int, Shift]] = {number: {number: (0, 0)} for number in range(len(tiles.planes))}
    ranked = sorted(
        ((tiles.significance(*place)[0], place) for place in set(places)), key=lambda ranked: (-ranked[0], ranked[1])
    )
    rest = [place for significance, place in ranked if significance > 0 and tiles.joins(*place)]
    while rest:
        rest = [place for place in rest if group_of[place[0]] is not group_of[place[1]]]
        support = {place: _support(tiles, group_of, place) for place in rest[:TRIED]}
        if not support:
            break
        best = max(support, key=lambda place: (support[place][0], support[place][1], place))
        if support[best][0] < ENOUGH:
            rest = rest[TRIED:]
            continue
        first, second, _ = best
        x, y = _offset(tiles, group_of, best)
        joined = group_of[first] | {tile: (tx + x, ty + y) for tile, (tx, ty) in group_of[second].items()}
        for tile in joined:
            group_of[tile] = joined
    return list({id(group): group for group in group_of.values()}.values())


def _offset(tiles: _Tiles, group_of: dict[int, dict[int, Shift]], place: tuple[int, int, Shift]) -> Shift:
    """(x, y) by which the second tile's group moves into the first one's."""
    first, second, _ = place
    x, y = tiles.significance(*place)[1]
    (fx, fy), (sx, sy) = group_of[first][first], group_of[second][second]
    return fx + x - sx, fy + y - sy


def _support(
    tiles: _Tiles, group_of: dict[int, dict[int, Shift]], place: tuple[int, int, Shift]
) -> tuple[float, float]:
    """What all overlaps between the groups of two tiles say for a place, and what the two tiles alone say."""
    x, y = _offset(tiles, group_of, place)
    total = 0.0
    for one, (ox, oy) in group_of[place[0]].items():
        for other, (tx, ty) in group_of[place[1]].items():
            shift = tx + x - ox, ty + y - oy
            if tiles.share(shift) >= MIN_SHARE:
                first, second = min(one, other), max(one, other)
                total += tiles.significance(first, second, shift if one < other else (-shift[0], -shift[1]))[0]
    return total, tiles.significance(*place)[0]


def _edge(
    first: int,
    second: int,
    shift: NDArray[np.float64],
    grey: list[NDArray[np.uint8]],
    sources: Sequence[PictureSource],
) -> Edge | None:
    """The edge of two tiles after a shift, px of the copies in `grey`; None where they show nothing alike."""
    near = _rounded(shift)
    improved = improve_shift(grey[second], grey[first], near, IMPROVEMENT, 1)
    x, y = improved.place if improved else near
    matches = matches_of_overlap(grey[second], grey[first], (x, y))
    if not len(matches):
        return None
    homography = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
    found = Alignment(homography, matches, "translation", 0, 1.0)
    return Edge(first, second, found.of_photographs(sources[second].copy, sources[first].copy))
