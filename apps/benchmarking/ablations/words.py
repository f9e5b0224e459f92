"""Switches that are words."""

from collections.abc import Mapping, Sequence

from mtl.optimization import quoted


def check_words(switches: object, words: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError where an attribute of `switches` is none of its `words`."""
    for name, possible in words.items():
        if (word := getattr(switches, name)) not in possible:
            raise ValueError(f"{name}={word}: expected one of {quoted(possible)}")
