"""Training data for stitching networks: pairs with large parallax and their exact ground truth, made by ray casting."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets.streaming import stream

__all__ = ["stream"]


def __getattr__(name: str) -> Any:
    """`stream`, imported when it is asked for: it needs torch."""
    if name != "stream":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from datasets.streaming import stream

    return stream
