"""Writes tiny public data sets, 12 rows of 16 px, in the forms that their owners publish them in."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.io import savemat

H, W = 12, 16
SIZE = W, H
BLUE = (200, 100, 20)  # B, G, R
LEFT = np.arange(W)[None].repeat(H, 0) < W // 2


def write_image(path: Path) -> None:
    """BLUE everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((H, W, 3), BLUE, np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 100])


def write_numbers(path: Path, numbers, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(numbers)
    if palette:
        picture = picture.convert("P")
        picture.putpalette([value for k in range(256) for value in (k * 37 % 256, k * 91 % 256, 255 - k)])
        picture.paste(Image.fromarray(numbers))
    picture.save(path)


def write_array(path: Path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_matlab(path: Path, **variables) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True)


def write_split(path: Path, names) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(names) + "\n")


def write_nyud(root: Path) -> None:
    """Left: 0 where nobody knows; right: class 40, 2.5 m, a floor seen a little from above."""
    for name in ("0001", "0002", "0005"):
        write_image(root / f"images/{name}.jpg")
        write_numbers(root / f"segmentation/{name}.png", np.where(LEFT, 0, 40).astype(np.uint8))
        write_array(root / f"depth/{name}.npy", np.where(LEFT, 0, 2.5).astype(np.float32))
        write_array(root / f"normals/{name}.npy", np.where(LEFT[..., None], 0, [0, 0.8, 0.6]).astype(np.float32))
        write_array(root / f"edge/{name}.npy", (np.arange(W) == 4)[None].repeat(H, 0).astype(np.float32))
    write_split(root / "gt_sets/train.txt", ["0005", "0001"])
    write_split(root / "gt_sets/val.txt", ["0002"])


def row(*records):
    """A row of MATLAB structs, as savemat wants it; without any MATLAB's []."""
    if not records:
        return np.zeros((0, 0))
    structs = np.empty((1, len(records)), [(name, object) for name in records[0]])
    for k, record in enumerate(records):
        structs[0, k] = tuple(record.values())
    return structs


def thing(number: int, *parts):
    return {"class": "thing", "class_ind": number, "mask": LEFT.astype(np.uint8), "parts": row(*parts)}


def part(name: str, rows: slice):
    mask = np.zeros((H, W), np.uint8)
    mask[rows, :4] = 1
    return {"part_name": name, "mask": mask}


def write_pascal_context(root: Path) -> None:
    """Left: a person (284) before nothing known; right: sky (360). The second item shows no person's parts."""
    person = thing(15, part("hair", slice(0, 3)), part("neck", slice(3, 6)), part("rfoot", slice(6, 9)))
    for name, things in {"2008_000002": (thing(7), person, thing(15)), "2008_000003": (thing(12),)}.items():
        write_image(root / f"JPEGImages/{name}.jpg")
        classes = np.where(LEFT, 284, 360).astype(np.uint16)
        write_matlab(root / f"pascal-context/trainval/{name}.mat", LabelMap=classes)
        write_matlab(root / f"human_parts/{name}.mat", anno={"imname": name, "objects": row(*things)})
        write_numbers(root / f"sal_distill/{name}.png", np.where(LEFT, 128, 127).astype(np.uint8))
        write_numbers(root / f"normals_distill/{name}.png", np.full((H, W, 3), (128, 230, 204), np.uint8))  # RGB
    classes = np.where(LEFT, 15, 255).astype(np.uint8)
    write_numbers(root / "semseg/VOC12/2008_000002.png", classes, palette=True)
    write_numbers(root / "semseg/pascal-context/2008_000003.png", classes)
    write_split(root / "ImageSets/Context/train.txt", ["2008_000002", "2008_000003"])
    write_split(root / "ImageSets/Context/val.txt", ["2008_000003"])


def write_cityscapes_arrays(root: Path, classes: int = 7) -> None:
    """Left: unknown; right: the last class, disparity 0.25."""
    for split, count in {"train": 11, "val": 2}.items():
        for k in range(count):
            image = np.full((H, W, 3), np.array(BLUE[::-1]) / 255, np.float32)
            image[0, 0] = k / 20
            write_array(root / f"{split}/image/{k}.npy", image)
            write_array(root / f"{split}/label_{classes}/{k}.npy", np.where(LEFT, -1, classes - 1).astype(np.int64))
            write_array(root / f"{split}/depth/{k}.npy", np.where(LEFT, 0, 0.25).astype(np.float32)[..., None])


def write_cityscapes(root: Path) -> None:
    """Columns of 4 px: unlabelled, road, parking (no class), bicycle. Left: unknown; right: disparity 50 px."""
    ids = np.array([0, 7, 9, 33], np.uint8).repeat(4)[None].repeat(H, 0)
    for split, cities in {"train": ("ulm", "aachen"), "val": ("munster",), "test": ("bonn",)}.items():
        for city in cities:
            name = f"{split}/{city}/{city}_000000_000019"
            write_image(root / f"leftImg8bit/{name}_leftImg8bit.png")
            write_numbers(root / f"gtFine/{name}_gtFine_labelIds.png", ids)
            write_numbers(root / f"disparity/{name}_disparity.png", np.where(LEFT, 0, 12801).astype(np.uint16))


def write_surreal(root: Path, frames: int = 5) -> None:
    """Frame t, from 1, is grey of 20 t; its parts are t on the left, background on the right; t metres away."""
    for clip in ("train/run0/01_01/01_01_c0001", "train/run1/02_05/02_05_c0003", "val/run0/09_01/09_01_c0001"):
        path = root / "cmu" / clip
        path.parent.mkdir(parents=True, exist_ok=True)
        video = cv2.VideoWriter(f"{path}.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE)
        assert video.isOpened()
        numbers = range(1, frames + 1)
        for t in numbers:
            video.write(np.full((H, W, 3), 20 * t, np.uint8))
        video.release()
        write_matlab(Path(f"{path}_info.mat"), zrot=np.zeros((frames, 1)), gender=np.zeros((frames, 1)))
        write_matlab(Path(f"{path}_segm.mat"), **{f"segm_{t}": np.where(LEFT, t, 0).astype(np.uint8) for t in numbers})
        depth = {f"depth_{t}": np.where(LEFT, t, 1e10).astype(np.float32) for t in numbers}
        write_matlab(Path(f"{path}_depth.mat"), **depth)


WRITERS = {
    "nyud": write_nyud,
    "pascal-context": write_pascal_context,
    "cityscapes arrays": write_cityscapes_arrays,
    "cityscapes": write_cityscapes,
    "surreal": write_surreal,
}


def write_public(form: str, root: Path) -> str:
    """Write one of WRITERS; what open_public calls it."""
    WRITERS[form](root)
    return form.split()[0]
