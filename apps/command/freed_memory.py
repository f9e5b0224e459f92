"""Freed memory is kept for the next array instead of being given back to the system page by page."""

import ctypes
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
_LARGE = 32 << 20  # bytes, the most that glibc takes; larger arrays are given back at once, so the peak does not grow


def keep_freed_memory() -> None:
    """For this process; without glibc nothing. Taking and returning pages costs a stitch of small pictures 0.1 s."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        allocator = ctypes.CDLL(None)
        for name, size in ((_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, 8 * _LARGE), (_TOP_PAD, _LARGE)):
            allocator.mallopt(name, size)
