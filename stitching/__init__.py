"""Stitches pictures taken from different places.

`stitch(reference, target) -> Stitched`, and `stitch_many(pictures) -> Panorama`. The steps of a pair alone are
`align`, `estimate_warp` and `apply_warp`.
"""

from typing import TYPE_CHECKING, Any

from stitching.errors import InputError, JobError

if TYPE_CHECKING:
    from stitching.io.warp_file import WarpField, load_warp, save_warp
    from stitching.mosaic.panorama import Panorama
    from stitching.mosaic.stitcher import stitch_many
    from stitching.mosaic.summary import summarize_mosaic
    from stitching.mosaic.warp_file import MosaicWarps, load_mosaic_warps, save_mosaic_warps, to_mosaic_warps
    from stitching.options import Options
    from stitching.result import Stitched
    from stitching.single_steps import align, apply_warp, estimate_warp
    from stitching.stitcher import stitch

__all__ = [
    "InputError", "JobError", "MosaicWarps", "Options", "Panorama", "Stitched", "WarpField", "align", "apply_warp",
    "estimate_warp", "load_mosaic_warps", "load_warp", "save_mosaic_warps", "save_warp", "stitch", "stitch_many",
    "summarize_mosaic", "to_mosaic_warps",
]  # fmt: skip

_HOME = {
    "Options": "options", "Stitched": "result", "stitch": "stitcher",
    "align": "single_steps", "estimate_warp": "single_steps", "apply_warp": "single_steps",
    "Panorama": "mosaic.panorama", "stitch_many": "mosaic.stitcher", "summarize_mosaic": "mosaic.summary",
    "MosaicWarps": "mosaic.warp_file", "load_mosaic_warps": "mosaic.warp_file",
    "save_mosaic_warps": "mosaic.warp_file", "to_mosaic_warps": "mosaic.warp_file",
    "WarpField": "io.warp_file", "load_warp": "io.warp_file", "save_warp": "io.warp_file",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import on first use, so that `parastitch --help` does not wait for OpenCV."""
    if name not in _HOME:
        raise AttributeError(f"module 'stitching' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"stitching.{_HOME[name]}"), name)
