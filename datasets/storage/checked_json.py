"""JSON that anybody may have written: parsed within bounds, its values checked for type and range."""

import json
import reprlib
from collections.abc import Collection
from typing import Any

import numpy as np

from datasets.arrays import Doubles


def parse_object(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError where it is none, not UTF-8, nested too deeply, or has a key twice or NaN."""
    try:
        value = json.loads(text.decode(), object_pairs_hook=_without_twins, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return mapping(value, "it")


def check_keys(values: dict[str, Any], expected: Collection[str]) -> None:
    """Raise ValueError unless the keys are exactly these."""
    if missing := sorted(set(expected) - set(values)):
        raise ValueError(f"{missing[0]} is missing")
    if unknown := sorted(set(values) - set(expected)):
        raise ValueError(f"{reprlib.repr(unknown[0])} is no key of it")


def mapping(value: Any, name: str) -> dict[str, Any]:
    """The value, an object. Raises ValueError, as all functions below, with `name` where it is something else."""
    if not isinstance(value, dict):
        raise _wrong(name, value, "a JSON object")
    return value


def text(value: Any, name: str, longest: int = 200) -> str:
    """A text of at most `longest` characters."""
    if not isinstance(value, str) or len(value) > longest:
        raise _wrong(name, value, f"a text of at most {longest} characters")
    return value


def integer(value: Any, name: str, low: int, high: int) -> int:
    """A whole number, low .. high."""
    if type(value) is not int or not low <= value <= high:
        raise _wrong(name, value, f"a whole number from {low} to {high}")
    return value


def integer_pair(value: Any, name: str, low: int, high: int) -> tuple[int, int]:
    """A list of two whole numbers, low .. high."""
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong(name, value, "two whole numbers")
    return integer(value[0], name, low, high), integer(value[1], name, low, high)


def numbers(value: Any, name: str, shape: tuple[int, ...], low: float, high: float) -> Doubles:
    """Numbers, low .. high, in nested lists of this shape; its first length may be -1, for any."""
    try:
        array = np.asarray(value if value != [] else np.zeros((0, *shape[1:])))
    except (ValueError, TypeError, OverflowError):  # lists of different lengths
        array = np.array(None)
    if array.dtype.kind not in "iuf" or array.shape[1:] != shape[1:] or shape[0] not in (-1, *array.shape[:1]):
        raise _wrong(name, value, f"numbers in lists of shape {shape}")
    if not ((array >= low) & (array <= high)).all():
        raise ValueError(f"{name}: expected numbers from {low:g} to {high:g}")
    return array.astype(np.float64)


def _wrong(name: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{name} {reprlib.repr(value)}: expected {expected}")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is there twice")
    return values


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
