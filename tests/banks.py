"""A texture bank of one-texel textures: for what needs their kinds, not their looks."""

import numpy as np

from datasets.textures.bank import TextureBank

PATTERNS = (
    "asphalt brick carpet checker clouds concrete fabric facade grass gravel leaves metal plaster rock roof sign "
    "soil stripes tiles wood"
)


def small_bank(kinds: str = PATTERNS) -> TextureBank:
    """Six photographs and a pattern of each kind, all grey."""
    names = ("photo",) * 6 + tuple(kinds.split())
    n = len(names)
    return TextureBank(
        texels=np.full((n, 4), 128, np.uint8),
        starts=np.arange(n, dtype=np.int64)[:, None],
        sides=np.ones(n, np.int32),
        kinds=names,
    )
