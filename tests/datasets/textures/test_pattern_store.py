"""Drawn patterns are kept in the cache folder, and an unusable one only costs time."""

import numpy as np
import pytest

from datasets.textures import pattern_store
from datasets.textures.pattern_store import load_patterns

SIDE = 16


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "parastitch"


@pytest.fixture
def drawings(monkeypatch):
    """The patterns that are drawn, in a list."""
    drawn = []
    monkeypatch.setattr(
        pattern_store, "PATTERNS", {"a": lambda rng, side: drawn.append("a") or np.full((side, side, 3), 7, np.uint8)}
    )
    return drawn


def test_patterns_are_drawn_once_and_read_afterwards(cache, drawings):
    first, kinds = load_patterns(SIDE)
    count = len(drawings)
    second, kinds_read = load_patterns(SIDE)
    assert count == len(drawings) == len(first)
    assert kinds == kinds_read
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_damaged_file_is_drawn_again(cache, drawings, content):
    load_patterns(SIDE)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    count = len(drawings)
    load_patterns(SIDE)
    assert len(drawings) == 2 * count
    assert path.read_bytes() == whole


def test_without_a_usable_folder_patterns_are_drawn(cache, drawings):
    cache.write_text("a file, no folder")
    patterns, kinds = load_patterns(SIDE)
    assert len(patterns) == len(kinds) == len(drawings)


def test_variants_of_a_pattern_differ(cache):
    patterns, kinds = load_patterns(SIDE)
    first, second = (patterns[i] for i, kind in enumerate(kinds) if kind == "wood" and i < kinds.index("wood") + 2)
    assert not np.array_equal(first, second)
