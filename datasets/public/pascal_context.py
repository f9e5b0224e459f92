"""PASCAL-Context as the ASTMT, MTI-Net and ATRC code bases share it: PASCAL_MT.

Pictures and classes: PASCAL VOC (Everingham et al.) and PASCAL-Context (Mottaghi et al., CVPR 2014). Parts:
PASCAL-Part (Chen et al., CVPR 2014). Saliency and normals are what other networks predicted: Maninis et al.,
"Attentive Single-Tasking of Multiple Tasks", CVPR 2019.
"""

from pathlib import Path

import numpy as np

from datasets.labels import IGNORED, Labels
from datasets.public.layout import Layout, MapFile
from datasets.public.readers import Map, read_image, read_lines, read_matlab, read_matlab_array, read_numbers
from stitching.errors import InputError

PERSON = 15  # of the 21 classes

# background 0, head 1, torso 2, upper arms 3, lower arms 4, upper legs 5, lower legs 6
PARTS = (
    dict.fromkeys(("head", "hair", "lear", "rear", "lebrow", "rebrow", "leye", "reye", "nose", "mouth"), 1)
    | dict.fromkeys(("torso", "neck"), 2)
    | dict.fromkeys(("luarm", "ruarm"), 3)
    | dict.fromkeys(("llarm", "rlarm", "lhand", "rhand"), 4)
    | dict.fromkeys(("luleg", "ruleg"), 5)
    | dict.fromkeys(("llleg", "rlleg", "lfoot", "rfoot"), 6)
)

# Those of the 459 classes that NYUD-v2 has too, and tvmonitor: the network that predicted the normals knows rooms only
# fmt: off
ROOM_CLASSES = (
    3, 4, 6, 9, 10, 11, 13, 15, 17, 18, 22, 23, 29, 30, 33, 34, 36, 37, 38, 39, 41, 43, 46, 49, 50, 51, 53, 55, 56, 59,
    61, 62, 65, 66, 68, 69, 72, 73, 78, 83, 84, 85, 87, 88, 95, 96, 101, 104, 105, 107, 111, 113, 115, 122, 124, 135,
    141, 142, 143, 146, 150, 154, 157, 158, 159, 165, 172, 174, 181, 183, 184, 191, 193, 195, 197, 199, 202, 213, 215,
    216, 219, 220, 223, 225, 228, 230, 232, 233, 238, 239, 242, 243, 246, 250, 251, 252, 255, 260, 261, 263, 269, 272,
    273, 275, 281, 283, 284, 285, 286, 287, 288, 290, 291, 292, 293, 295, 304, 307, 309, 310, 314, 315, 319, 323, 329,
    330, 331, 336, 342, 345, 349, 350, 351, 352, 355, 357, 368, 370, 371, 374, 379, 380, 383, 384, 397, 401, 403, 405,
    407, 408, 411, 412, 413, 414, 417, 419, 421, 423, 427, 429, 430, 432, 440, 441, 442, 443, 444, 446, 454, 457,
)
# fmt: on


def _list_names(folder: Path, split: str) -> list[str]:
    return read_lines(folder / "ImageSets" / "Context" / f"{split}.txt")


def _decode_parts(path: Path) -> Map:
    """Parts of all persons; a picture without any is IGNORED everywhere."""
    annotation = read_matlab(path, "anno")
    try:
        objects = annotation[0, 0]["objects"].ravel()
        found = np.zeros(objects[0]["mask"].shape, np.uint8)
        for person in (thing for thing in objects if thing["class_ind"].item() == PERSON):
            for part in person["parts"].ravel():
                found[part["mask"] > 0] = PARTS[part["part_name"].item()]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not as PASCAL-Part has it ({error!r}); expected anno.objects with parts") from None
    return found if found.any() else np.full_like(found, IGNORED)


def _decode_saliency(path: Path) -> Map:
    return (read_numbers(path) > 127).astype(np.float32)  # stored as a share of 255


def _decode_normals(path: Path) -> Map:
    """Stored as 8 bits a channel, R x, G y, B z, 255 for 1 and 0 for -1."""
    colours = read_image(path)[..., ::-1]  # BGR -> RGB
    classes_path = path.parents[1] / "pascal-context" / "trainval" / f"{path.stem}.mat"
    known = np.isin(read_matlab_array(classes_path, "LabelMap"), ROOM_CLASSES)
    if known.shape != colours.shape[:2]:
        raise InputError(f"{path}: a map of {colours.shape[:2]} px; expected {known.shape}, the size of {classes_path}")
    stored = 2 * colours - 1
    return np.where(known[..., None], -stored, 0)  # stored x left, y up, z towards the camera, as in NYUD-v2


def _decode_edges(path: Path) -> Map:
    """The borders of the 459 classes, thinned to one pixel."""
    from skimage.morphology import thin

    classes = read_matlab_array(path, "LabelMap")
    if classes.ndim != 2:
        raise InputError(f"{path}: LabelMap of shape {classes.shape}; expected (height, width)")
    across, down = classes[:, 1:] != classes[:, :-1], classes[1:] != classes[:-1]
    border = np.zeros(classes.shape, bool)
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return np.asarray(thin(border), np.float32)  # type: ignore[no-untyped-call]


LAYOUT = Layout(
    marker="ImageSets/Context",
    names=_list_names,
    image=MapFile(("JPEGImages/{name}.jpg",), read_image),
    labels={
        "segmentation": Labels("classes", 21),
        "parts": Labels("classes", 7),
        "saliency": Labels("binary"),
        "normals": Labels("normals"),
        "edges": Labels("binary"),
    },
    maps={
        "segmentation": MapFile(("semseg/VOC12/{name}.png", "semseg/pascal-context/{name}.png"), read_numbers),
        "parts": MapFile(("human_parts/{name}.mat",), _decode_parts),
        "saliency": MapFile(("sal_distill/{name}.png",), _decode_saliency),
        "normals": MapFile(("normals_distill/{name}.png",), _decode_normals),
        "edges": MapFile(("pascal-context/trainval/{name}.mat",), _decode_edges),
    },
)
