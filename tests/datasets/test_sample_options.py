"""Options that no sample can be made with are refused by their names, before any work."""

import math
from dataclasses import replace
from typing import Any

import pytest

from datasets.options import SampleOptions
from stitching.errors import InputError

IMPOSSIBLE = (math.nan, math.inf, -math.inf, 1e308, -1e308)


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize("name", ["overlap", "parallax", "fov", "roll"])
def test_ranges_end_within_their_limits(name: str, value: float) -> None:
    low, high = getattr(SampleOptions(), name)
    for wrong in ((value, high), (low, value), (value, value)):
        with pytest.raises(InputError, match=f"^--{name} "):
            replace(SampleOptions(), **{name: wrong})


@pytest.mark.parametrize("value", [*IMPOSSIBLE, -1.0, 1001.0])
@pytest.mark.parametrize("place", range(3))
def test_a_baseline_has_three_finite_spreads(place: int, value: float) -> None:
    wrong = [1.0, 1.0, 1.0]
    wrong[place] = value
    with pytest.raises(InputError, match=r"^--baseline "):
        SampleOptions(baseline=(wrong[0], wrong[1], wrong[2]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("baseline", (0.0, 0.0, 0.0)),
        ("baseline", (0.0, 1e-320, 0.0)),
        ("size", (31, 64)),
        ("size", (4097, 4096)),
        ("size", (-64, 64)),
        ("size", (32, 4096)),
        ("size", (4096, 32)),
        ("supersampling", 0),
        ("supersampling", 10**12),
        ("scenes", ()),
    ],
)
def test_what_cannot_be_rendered_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^--{name} "):
        replace(SampleOptions(), **{name: value})
