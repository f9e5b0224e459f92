"""Build the match graph of a set of pictures.

All pairs of features are matched; beyond `ALL_PAIRS` pictures only those of likely neighbours. Pictures that this
leaves apart are tried once more as a single pair is: with larger copies, then with the trained network's matches.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations
from typing import Literal

from stitching.alignment.coarse_alignment import LARGE_AREA, SMALL_AREA, align_by_network
from stitching.geometry.homographies import Motion
from stitching.geometry.pixel_maps import Size
from stitching.io.picture_source import PictureSource
from stitching.match_graph.loops import drop_contradicting
from stitching.match_graph.match_graph import Edge, MatchGraph
from stitching.match_graph.matched_picture import MIN_CONFIDENCE, Attempt, MatchedPicture, align_features
from stitching.network.interface import MATCHING, Device
from stitching.network.runtime.network_files import load_runtime

ALL_PAIRS = 30  # pictures, up to which every pair is tried
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
    pairs = list(combinations(range(len(sources)), 2))
    tried: dict[Pair, Attempt] = {}
    for first, second in pairs:
        report(len(tried) / len(pairs))
        tried[first, second] = align_features(pictures[second], pictures[first], allowed)
    edges = _believed(tried, sizes)
    for retry in (_by_larger_copies, _by_network):
        apart = _pairs_apart(MatchGraph(len(sources), edges), tried)
        if not apart:
            break
        again = retry(sources, apart, allowed, device)
        tried |= {pair: attempt for pair, attempt in again if attempt.confidence > tried[pair].confidence}
        edges = _believed(tried, sizes)
    report(1.0)
    return MatchGraph(len(sources), edges)


def _believed(tried: dict[Pair, Attempt], sizes: tuple[Size, ...]) -> tuple[Edge, ...]:
    """Edges that have enough matches and do not contradict each other."""
    edges = tuple(
        Edge(*pair, attempt.alignment)
        for pair, attempt in sorted(tried.items())
        if attempt.alignment and attempt.confidence > MIN_CONFIDENCE
    )
    return drop_contradicting(edges, sizes)


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
