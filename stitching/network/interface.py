"""Which windows the networks can work on. Needs no torch."""

from stitching.errors import InputError

MULTIPLE = 8  # px; sides of a window are multiples of it, the networks' coarsest matching grid
LEAST = 4 * MULTIPLE  # px, the smallest side


def check_size(height: int, width: int) -> None:
    """Raise InputError where the networks cannot work on a window of this size."""
    if height % MULTIPLE or width % MULTIPLE or min(height, width) < LEAST:
        raise InputError(
            f"a window of {width} x {height} px: expected sides that are multiples of {MULTIPLE}, "
            f"{LEAST} or more; pad it with zeros"
        )
