"""What all public data sets have in common: one form of items, and errors that name the file."""

import os
import pickle
import shutil

import cv2
import numpy as np
import pytest
import torch
from public_folders import BLUE, SIZE, WRITERS, H, W, write_array, write_matlab, write_public

from datasets.labels import IGNORED
from datasets.public.registry import open_public
from stitching.errors import InputError

FORMS = sorted(WRITERS)
FILES = [
    ("nyud", "images/0001.jpg"),
    ("nyud", "segmentation/0001.png"),
    ("nyud", "depth/0001.npy"),
    ("nyud", "normals/0001.npy"),
    ("nyud", "edge/0001.npy"),
    ("pascal-context", "JPEGImages/2008_000002.jpg"),
    ("pascal-context", "semseg/VOC12/2008_000002.png"),
    ("pascal-context", "human_parts/2008_000002.mat"),
    ("pascal-context", "sal_distill/2008_000002.png"),
    ("pascal-context", "normals_distill/2008_000002.png"),
    ("pascal-context", "pascal-context/trainval/2008_000002.mat"),
    ("cityscapes arrays", "train/image/3.npy"),
    ("cityscapes arrays", "train/label_7/3.npy"),
    ("cityscapes arrays", "train/depth/3.npy"),
    ("cityscapes", "leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png"),
    ("cityscapes", "gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png"),
    ("cityscapes", "disparity/train/ulm/ulm_000000_000019_disparity.png"),
    ("surreal", "cmu/train/run1/02_05/02_05_c0003.mp4"),
    ("surreal", "cmu/train/run1/02_05/02_05_c0003_segm.mat"),
    ("surreal", "cmu/train/run1/02_05/02_05_c0003_depth.mat"),
]
LISTED = [
    (form, file) for form, file in FILES if "leftImg8bit" not in file and "image/" not in file and "mp4" not in file
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Each form, written once."""
    folders = {form: tmp_path_factory.mktemp("public") / "set" for form in FORMS}
    return {form: (write_public(form, folder), folder) for form, folder in folders.items()}


@pytest.fixture
def copied(written, tmp_path):
    """A copy of a form, to damage."""

    def copy(form):
        name, folder = written[form]
        return name, shutil.copytree(folder, tmp_path / "copy")

    return copy


def read_all(name, folder, size=SIZE):
    data = open_public(name, folder, "train", size)
    return [data[k] for k in range(len(data))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [SIZE, (8, 6), (20, 30)])
def test_items_are_as_their_labels_say_at_any_size(written, form, size):
    name, folder = written[form]
    data = open_public(name, folder, "train", size)
    shape = size[1], size[0]
    for k in range(len(data)):
        image, maps = data[k]
        assert (image.shape, image.dtype) == ((3, *shape), torch.float32)
        assert 0 <= float(image.min()) <= float(image.max()) <= 1
        assert maps.keys() == data.labels.keys()
        for task, labels in data.labels.items():
            found = maps[task]
            assert found.dtype == (torch.int64 if labels.kind == "classes" else torch.float32)
            assert found.shape == ((3, *shape) if labels.kind == "normals" else shape)
            if labels.kind in ("classes", "binary"):
                assert set(found.unique().tolist()) <= {*range(labels.classes or 2), IGNORED}
            if labels.kind == "distance":
                assert bool((found[~found.isnan()] >= 0).all())
            if labels.kind == "normals":
                length = found.norm(dim=0)
                assert bool(((length == 0) | ((length - 1).abs() < 1e-5)).all())
                assert float(found[2].max()) <= 0  # towards the camera


@pytest.mark.parametrize("form", [form for form in FORMS if form != "surreal"])
def test_colours_are_in_bgr_order(written, form):
    image, _ = read_all(*written[form])[0]
    expected = torch.tensor(BLUE) / 255
    torch.testing.assert_close(image[:, -1, -1], expected, atol=0.02, rtol=0)


def test_pictures_shrink_by_area_and_maps_to_values_that_were_there(tmp_path):
    write_public("nyud", tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "images/0005.jpg"), noise, [cv2.IMWRITE_JPEG_QUALITY, 100])
    whole, _ = open_public("nyud", tmp_path, "train", SIZE)[0]
    write_array(tmp_path / "depth/0005.npy", np.arange(1, H * W + 1, dtype=np.float32).reshape(H, W))
    small, maps = open_public("nyud", tmp_path, "train", (W // 2, H // 2))[0]
    torch.testing.assert_close(small, torch.nn.functional.avg_pool2d(whole, 2), atol=1e-5, rtol=0)
    numbers = maps["depth"] - 1
    column, row = torch.meshgrid(torch.arange(W // 2), torch.arange(H // 2), indexing="xy")
    assert set((numbers % W - 2 * column).flatten().tolist()) <= {0, 1}  # one of the four under the pixel
    assert set((numbers // W - 2 * row).flatten().tolist()) <= {0, 1}


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_reaches_worker_processes(written, form):
    name, folder = written[form]
    data = open_public(name, folder, "val", SIZE)
    there = pickle.loads(pickle.dumps(data))
    assert len(there) == len(data) > 0
    assert torch.equal(there[0][0], data[0][0])
    with pytest.raises(IndexError):
        data[len(data)]


@pytest.mark.parametrize("form", FORMS)
def test_folders_that_cannot_be_opened_are_refused(written, form, tmp_path):
    name, folder = written[form]
    with pytest.raises(InputError, match=r"there is no such folder"):
        open_public(name, tmp_path / "none", "train", SIZE)
    with pytest.raises(InputError, match=f"not laid out like {name}; expected .* in it"):
        open_public(name, tmp_path, "train", SIZE)
    with pytest.raises(InputError, match="size 0 4: expected a width and a height"):
        open_public(name, folder, "train", (0, 4))
    with pytest.raises(
        InputError, match="data set imagenet: expected one of nyud, pascal-context, cityscapes, surreal"
    ):
        open_public("imagenet", folder, "train", SIZE)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("nyud", r"split dev: there is no .*gt_sets.dev.txt; splits that are there: train, val"),
        ("pascal-context", r"split dev: there is no .*Context.dev.txt; splits that are there: train, val"),
        ("cityscapes arrays", r"expected dev/label_7 or dev/label_19 or leftImg8bit in it"),
        ("cityscapes", r"split dev: there is no .*leftImg8bit.dev; splits that are there: test, train, val"),
        ("surreal", r"split dev: there is no .*cmu.dev; splits that are there: train, val"),
    ],
)
def test_a_missing_split_is_named_with_those_that_exist(written, form, words):
    name, folder = written[form]
    with pytest.raises(InputError, match=words):
        open_public(name, folder, "dev", SIZE)


@pytest.mark.parametrize(("form", "file"), LISTED)
def test_a_missing_file_is_named_before_anything_is_read(copied, form, file):
    name, folder = copied(form)
    (folder / file).unlink()
    with pytest.raises(InputError, match=file):
        open_public(name, folder, "train", SIZE)


@pytest.mark.parametrize("keep", [0, 0.3, 0.7])
@pytest.mark.parametrize(("form", "file"), FILES)
def test_a_file_cut_short_is_named(copied, form, file, keep):
    name, folder = copied(form)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(InputError, match=file):
        read_all(name, folder)


@pytest.mark.parametrize(
    ("form", "file"),
    [(form, file) for form, file in FILES if file.endswith((".npy", ".png", "_segm.mat", "_depth.mat"))],
)
def test_a_map_of_another_size_than_the_picture_is_named(copied, form, file):
    name, folder = copied(form)
    path = folder / file
    if file.endswith(".npy"):
        write_array(path, np.load(path)[:-1])
    elif file.endswith(".png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:-1])
    else:
        write_matlab(path, **{f"{path.stem.split('_')[-1]}_3": np.ones((H - 1, W), np.float32)})
    with pytest.raises(InputError, match=r"(a map of|a picture of type).* expected"):
        read_all(name, folder)


@pytest.mark.parametrize(("form", "file"), [(form, file) for form, file in FILES if file.endswith(".mat")])
def test_newer_matlab_files_are_refused_with_what_to_do(copied, form, file):
    name, folder = copied(form)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"
    (folder / file).write_bytes(header + b"\x89HDF\r\n\x1a\n" + bytes(400))
    with pytest.raises(InputError, match=rf"{file}: a MATLAB file of version 7\.3 .*-v7"):
        read_all(name, folder)


@pytest.mark.parametrize(("form", "file"), [(form, file) for form, file in FILES if file.endswith(".npy")])
def test_arrays_with_python_objects_are_never_unpickled(copied, form, file):
    name, folder = copied(form)
    np.save(folder / file, np.array([{"x": 1}], object), allow_pickle=True)
    with pytest.raises(InputError, match=f"{file}: cannot be read"):
        read_all(name, folder)


@pytest.mark.parametrize(
    ("form", "file", "value"),
    [("nyud", "segmentation/0001.png", 41), ("pascal-context", "semseg/pascal-context/2008_000003.png", 21)],
)
def test_a_class_that_the_data_set_does_not_have_is_named(copied, form, file, value):
    name, folder = copied(form)
    cv2.imwrite(str(folder / file), np.full((H, W), value, np.uint8))
    with pytest.raises(InputError, match=rf"{file}: a value that stands for class \d+; expected classes 0 to"):
        read_all(name, folder)


@pytest.mark.parametrize(("form", "file"), [FILES[0], FILES[2], FILES[5], FILES[7], FILES[-1]])
def test_a_pipe_is_not_waited_for(copied, form, file):
    name, folder = copied(form)
    data = open_public(name, folder, "train", SIZE)
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(InputError, match=file):
        [data[i] for i in range(len(data))]
    with pytest.raises(InputError, match=f"{file}: a pipe or a device"):
        open_public(name, folder, "train", SIZE)


def test_a_pipe_in_place_of_a_list_is_told_of(copied):
    name, folder = copied("nyud")
    (folder / "gt_sets/val.txt").unlink()
    os.mkfifo(folder / "gt_sets/val.txt")
    with pytest.raises(InputError, match=r"val\.txt: a pipe or a device; expected a text file"):
        open_public(name, folder, "val", SIZE)


@pytest.mark.parametrize("shape", [(1 << 40,), (100_000, 100_000), (H + 1, W), (-1, W)])
def test_an_array_is_not_larger_than_its_file(copied, shape):
    name, folder = copied("nyud")
    with (folder / "depth/0001.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(bytes(4 * H * W))
    with pytest.raises(InputError, match=r"depth/0001\.npy: cannot be read"):
        read_all(name, folder)


def test_a_matlab_array_that_is_larger_than_any_picture_is_not_read(copied, monkeypatch):
    name, folder = copied("pascal-context")
    monkeypatch.setattr("datasets.public.readers._MOST_PIXELS", 10)
    with pytest.raises(InputError, match=r"LabelMap has the shape"):
        read_all(name, folder)


def test_an_array_that_is_larger_than_any_picture_is_not_read(copied, monkeypatch):
    name, folder = copied("nyud")
    monkeypatch.setattr("datasets.public.readers._MOST_PIXELS", 10)
    with pytest.raises(InputError, match=r"\.npy: an array of shape \(12, 16\).*expected at most 10 numbers"):
        read_all(name, folder)


def test_a_picture_without_pixels_is_refused(copied):
    name, folder = copied("cityscapes arrays")
    for file in folder.rglob("0.npy"):
        write_array(file, np.zeros((0, 0, 3) if file.parent.name == "image" else (0, 0)))
    with pytest.raises(InputError, match=r"image/0\.npy: a picture of shape \(0, 0, 3\)"):
        read_all(name, folder)


def test_a_name_that_no_file_can_have_is_an_input_that_cannot_be_read(copied):
    name, folder = copied("nyud")
    (folder / "gt_sets" / "train.txt").write_text("x" * 5000)
    with pytest.raises(InputError, match=r"xxx of train in .*: cannot be read"):
        open_public(name, folder, "train", SIZE)


@pytest.mark.parametrize("line", ["../secret", "/etc/passwd", "a/../../b"])
def test_items_lie_in_the_folder(copied, line):
    name, folder = copied("nyud")
    (folder / "gt_sets" / "train.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match="leads out of the data set"):
        open_public(name, folder, "train", SIZE)


def test_a_picture_above_any_size_is_not_decoded(copied, monkeypatch):
    name, folder = copied("nyud")
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", H * W // 2 + 1)
    with pytest.raises(InputError, match=r"images/.*cannot be read"):
        read_all(name, folder)
