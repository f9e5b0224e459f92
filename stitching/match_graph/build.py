"""Build the match graph of a set of pictures.

All pairs of features are matched; beyond `ALL_PAIRS` pictures only those of likely neighbours. Pictures that this
leaves apart are tried once more: where they can be tiles of a flat original, by the correlation of their overlaps, then
as a single pair is, with larger copies and with the trained network's matches.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import Literal

import numpy as np

from stitching.alignment.coarse_alignment import LARGE_AREA, SMALL_AREA, align_by_network
from stitching.alignment.image_circles import check_image_circles
from stitching.errors import InputError
from stitching.geometry.homographies import Motion, scaling_homography
from stitching.io.picture import Picture
from stitching.io.picture_source import PictureSource
from stitching.match_graph.candidates import candidate_pairs, neighbours_of_neighbours
from stitching.match_graph.loops import drop_contradicting
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.matched_picture import MIN_CONFIDENCE, Attempt, MatchedPicture, align_features
from stitching.match_graph.tiles import tile_edges
from stitching.match_graph.translations import as_translations, only_moved
from stitching.network.interface import MATCHING, Device
from stitching.network.runtime.network_files import load_runtime

ALL_PAIRS = 30  # pictures, up to which every pair is tried
ROUNDS = 2  # in which pictures are matched that overlap by their alignments with a third one
MAX_RETRIES = 40  # pairs of pictures apart, of those with the most matches

Pair = tuple[int, int]


def build_graph(
    sources: Sequence[PictureSource],
    motion: Literal["auto"] | Motion,
    device: Device,
    report: Callable[[float], None] = lambda share: None,
) -> MatchGraph:
    """Find which pictures show the same, and how they lie to each other.

    Args:
        sources: the pictures, in the order of their keys.
        motion: what moves one picture to another; "auto" allows all.
        device: where the network computes.
        report: called with the share 0..1 that is done.
    """
    allowed: Motion = "perspective" if motion == "auto" else motion
    sizes = tuple(source.size for source in sources)
    pictures = [MatchedPicture.of(source.copy, SMALL_AREA) for source in sources]
    pairs = list(combinations(range(len(sources)), 2)) if len(sources) <= ALL_PAIRS else candidate_pairs(pictures)
    tried = _match(pictures, pairs, allowed, report)
    edges = _believed(tried, sources)
    for _ in range(ROUNDS):
        more = neighbours_of_neighbours(MatchGraph(len(sources), edges), sizes, tried)
        if not more:
            break
        tried |= _match(pictures, more, allowed)
        edges = _believed(tried, sources)
    if motion != "perspective" and len(sources) <= ALL_PAIRS and _may_be_tiles(edges, sources):
        of_tiles = {(edge.first, edge.second): Attempt(0, edge.alignment) for edge in tile_edges(sources, edges)}
        tried |= {pair: found for pair, found in of_tiles.items() if tried[pair].confidence <= MIN_CONFIDENCE}
        edges = _believed(tried, sources)
    for retry in (_by_larger_copies, _by_network):
        apart = _pairs_apart(MatchGraph(len(sources), edges), tried)
        if not apart:
            break
        again = retry(sources, apart, allowed, device)
        tried |= {pair: attempt for pair, attempt in again if attempt.confidence > tried[pair].confidence}
        edges = _believed(tried, sources)
    report(1.0)
    graph = MatchGraph(len(sources), edges)
    return as_translations(graph, sizes) if motion == "auto" else graph


def _match(
    pictures: Sequence[MatchedPicture],
    pairs: Sequence[Pair],
    motion: Motion,
    report: Callable[[float], None] = lambda share: None,
) -> dict[Pair, Attempt]:
    """Align pairs of pictures by their features."""
    tried: dict[Pair, Attempt] = {}
    for first, second in pairs:
        tried[first, second] = align_features(pictures[second], pictures[first], motion)
        report(len(tried) / len(pairs))
    return tried


def _believed(tried: dict[Pair, Attempt], sources: Sequence[PictureSource]) -> tuple[Edge, ...]:
    """Edges that have enough matches, are no fisheye pictures askew and do not contradict each other."""
    edges = [
        Edge(*pair, attempt.alignment)
        for pair, attempt in sorted(tried.items())
        if attempt.alignment and attempt.confidence > MIN_CONFIDENCE
    ]
    upright = tuple(edge for edge in edges if not _is_askew(edge, sources[edge.first].copy, sources[edge.second].copy))
    return drop_contradicting(upright, tuple(source.size for source in sources))


def _is_askew(edge: Edge, reference: Picture, target: Picture) -> bool:
    """Whether an edge joins circular fisheye pictures that it turns against each other."""
    to_copy, from_copy = scaling_homography(*reference.scale), np.linalg.inv(scaling_homography(*target.scale))
    try:
        check_image_circles(reference, target, to_copy @ edge.alignment.homography @ from_copy)
    except InputError:
        return True
    return False


def _may_be_tiles(edges: tuple[Edge, ...], sources: Sequence[PictureSource]) -> bool:
    """Whether pictures of one size are not all joined yet, and those that are were only moved."""
    sizes = {source.size for source in sources}
    apart = len(MatchGraph(len(sources), edges).components()) > 1
    return apart and len(sizes) == 1 and all(only_moved(edge, sources[edge.first].size) for edge in edges)


def _pairs_apart(graph: MatchGraph, tried: dict[Pair, Attempt]) -> list[Pair]:
    """At most `MAX_RETRIES` pairs of different components, those with the most matches first."""
    component = {picture: i for i, pictures in enumerate(graph.components()) for picture in pictures}
    apart = [pair for pair in tried if component[pair[0]] != component[pair[1]]]
    return sorted(apart, key=lambda pair: (-tried[pair].n_matches, pair))[:MAX_RETRIES]


def _by_larger_copies(
    sources: Sequence[PictureSource], pairs: list[Pair], motion: Motion, device: Device
) -> Iterator[tuple[Pair, Attempt]]:
    """Match the features of larger copies."""
    pictures = {one: MatchedPicture.of(sources[one].copy, LARGE_AREA) for one in sorted({*chain(*pairs)})}
    for first, second in pairs:
        yield (first, second), align_features(pictures[second], pictures[first], motion)


def _by_network(
    sources: Sequence[PictureSource], pairs: list[Pair], motion: Motion, device: Device
) -> Iterator[tuple[Pair, Attempt]]:
    """Match by the trained network."""
    matching = load_runtime(MATCHING, device=device)
    for first, second in pairs:
        found = align_by_network(sources[first].copy, sources[second].copy, matching, motion)
        yield (first, second), Attempt(0, found)
