"""The match graph: pictures of a set, and the verified alignments of those pairs that show the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from stitching.alignment.coarse_alignment import Alignment


@dataclass(frozen=True, eq=False)
class Edge:
    """Two pictures that show the same.

    Attributes:
        first, second: numbers of the pictures, first < second.
        alignment: with `second` as target and `first` as reference, px of the full-size pictures.
    """

    first: int
    second: int
    alignment: Alignment

    @property
    def strength(self) -> int:
        """How many trusted matches join the two."""
        return len(self.alignment.matches)

    def other(self, picture: int) -> int:
        """The number of the picture at the other end."""
        return self.second if picture == self.first else self.first


@dataclass(frozen=True, eq=False)
class MatchGraph:
    """Pictures 0 .. count - 1 and the edges between them, in the order of (first, second)."""

    count: int
    edges: tuple[Edge, ...]

    @cached_property
    def around(self) -> Mapping[int, Sequence[Edge]]:
        """Each picture that has edges -> these, in their order; pictures in the order in which the edges name them."""
        around: dict[int, list[Edge]] = {}
        for edge in self.edges:
            around.setdefault(edge.first, []).append(edge)
            around.setdefault(edge.second, []).append(edge)
        return around

    def edges_of(self, picture: int) -> Sequence[Edge]:
        """The edges that end in a picture."""
        return self.around.get(picture, ())

    def components(self) -> tuple[tuple[int, ...], ...]:
        """Connected components, each in rising order; those with more pictures first, then by their first number."""
        rest, found = set(range(self.count)), []
        while rest:
            component, new = set[int](), {min(rest)}
            while new:
                component |= new
                new = {edge.other(one) for one in new for edge in self.edges_of(one)} - component
            rest -= component
            found.append(tuple(sorted(component)))
        return tuple(sorted(found, key=lambda component: (-len(component), component)))
