"""Opening a public data set by its name."""

from pathlib import Path

from datasets.public import cityscapes, nyud, pascal_context, surreal
from datasets.public.dataset import MultiTaskDataset
from datasets.public.layout import Layout
from stitching.errors import InputError, require

# a folder that fits several layouts has the first of them
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "nyud": (nyud.LAYOUT,),
    "pascal-context": (pascal_context.LAYOUT,),
    "cityscapes": (cityscapes.ARRAYS_7, cityscapes.ARRAYS_19, cityscapes.ORIGINAL),
    "surreal": (surreal.LAYOUT,),
}


def open_public(name: str, folder: Path, split: str, size: tuple[int, int]) -> MultiTaskDataset:
    """Open a public data set that was downloaded and unpacked; nothing is downloaded.

    Args:
        name: nyud, pascal-context, cityscapes or surreal.
        folder: with the files that docs/training/public-datasets.md lists for it.
        split: train or val; cityscapes and surreal have a test too.
        size: (width, height) px that pictures and maps are resized to.

    Raises:
        InputError: the name is unknown, the size impossible, the folder not laid out like that data set, or the
            split or one of its files missing. Reading an item raises it where a file is damaged.
    """
    require(name in LAYOUTS, f"data set {name}", f"one of {', '.join(LAYOUTS)}")
    require(min(size) >= 1, f"size {size[0]} {size[1]}", "a width and a height of 1 px or more")
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder; expected that of {name}, see docs/training/public-datasets.md"
        )
    try:
        for layout in LAYOUTS[name]:
            if (folder / layout.marker.format(split=split)).exists():
                return MultiTaskDataset(layout, folder, split, size)
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror or error}") from error
    markers = " or ".join(layout.marker.format(split=split) for layout in LAYOUTS[name])
    raise InputError(
        f"{folder}: not laid out like {name}; expected {markers} in it, see docs/training/public-datasets.md"
    )
