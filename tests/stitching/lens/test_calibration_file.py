"""Calibration files of OpenCV, ROS and COLMAP: what is read of them, and what is refused."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from stitching.errors import InputError
from stitching.lens.calibration_file import calibration_for, names_calibration_file, read_calibrations

RAYS = np.random.default_rng(0).uniform(-0.4, 0.4, (50, 2))
CAMERA = np.array([[900.0, 0, 655.0], [0, 910.0, 350.0], [0, 0, 1]])
COEFFICIENTS = np.array([-0.2, 0.05, 0.001, -0.002, 0.01])
SIZE = 1280, 720
ROS = """# of a robot
image_width: 1280
image_height: 720
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [900.0, 0.0, 655.0, 0.0, 910.0, 350.0, 0.0, 0.0, 1.0]
distortion_model: MODEL
distortion_coefficients:
  rows: 1
  cols: N
  data: [DATA]
"""


def expected_places(coefficients=COEFFICIENTS, fisheye=False):
    places, none = np.insert(RAYS, 2, 1, axis=1)[:, None], np.zeros(3)
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    return project(places, none, none, CAMERA, coefficients)[0][:, 0]


def write_opencv(path: Path, coefficients=COEFFICIENTS, **more) -> Path:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    numbers = {"image_width": SIZE[0], "image_height": SIZE[1], **more}
    for name, value in (*numbers.items(), ("camera_matrix", CAMERA), ("distortion_coefficients", coefficients)):
        storage.write(name, value)
    storage.release()
    return path


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".json", ".xml"])
def test_files_of_opencv_project_as_opencv_does(tmp_path, suffix):
    found = calibration_for(write_opencv(tmp_path / f"lens{suffix}"), "a.jpg", SIZE, 1)
    assert np.abs(found.project(RAYS) - expected_places()).max() < 1e-6


def test_a_fisheye_is_one_where_the_file_says_so(tmp_path):
    four = COEFFICIENTS[:4]
    path = write_opencv(tmp_path / "fisheye.yml", four, fisheye_model=1)
    assert np.abs(read_calibrations(path)[0].project(RAYS) - expected_places(four, fisheye=True)).max() < 1e-6


@pytest.mark.parametrize(("model", "count"), [("plumb_bob", 5), ("equidistant", 4)])
def test_camera_info_of_ros_is_read(tmp_path, model, count):
    path, used = tmp_path / "info.yaml", COEFFICIENTS[:count]
    data = ", ".join(map(str, used))
    path.write_text(ROS.replace("MODEL", model).replace("N", str(count)).replace("DATA", data))
    expected = expected_places(used, fisheye=model == "equidistant")
    assert np.abs(read_calibrations(path)[0].project(RAYS) - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("line", "coefficients", "fisheye"),
    [
        ("SIMPLE_PINHOLE 1280 720 900 655.5 350.5", (0, 0, 0, 0), False),
        ("PINHOLE 1280 720 900 910 655.5 350.5", (0, 0, 0, 0), False),
        ("SIMPLE_RADIAL 1280 720 900 655.5 350.5 -0.2", (-0.2, 0, 0, 0), False),
        ("RADIAL 1280 720 900 655.5 350.5 -0.2 0.05", (-0.2, 0.05, 0, 0), False),
        ("OPENCV 1280 720 900 910 655.5 350.5 -0.2 0.05 0.001 -0.002", (-0.2, 0.05, 0.001, -0.002), False),
        (
            "FULL_OPENCV 1280 720 900 910 655.5 350.5 -0.2 0.05 0.001 -0.002 0.01 0.3 0.1 0.02",
            (-0.2, 0.05, 0.001, -0.002, 0.01, 0.3, 0.1, 0.02),
            False,
        ),
        ("OPENCV_FISHEYE 1280 720 900 910 655.5 350.5 0.1 0.02 -0.01 0.003", (0.1, 0.02, -0.01, 0.003), True),
        ("SIMPLE_RADIAL_FISHEYE 1280 720 900 655.5 350.5 0.1", (0.1, 0, 0, 0), True),
        ("RADIAL_FISHEYE 1280 720 900 655.5 350.5 0.1 0.02", (0.1, 0.02, 0, 0), True),
    ],
)
def test_cameras_of_colmap_have_their_first_pixel_at_one_half(tmp_path, line, coefficients, fisheye):
    path = tmp_path / "cameras.txt"
    path.write_text(f"# Camera list with one line of data per camera:\n1 {line}\n")
    lens = read_calibrations(path)[0]
    places, none, camera = np.insert(RAYS, 2, 1, axis=1)[:, None], np.zeros(3), CAMERA.copy()
    if "910" not in line:
        camera[1, 1] = 900
    project = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    expected = project(places, none, none, camera, np.array(coefficients, np.float64))[0][:, 0]
    assert np.abs(lens.project(RAYS) - expected).max() < 1e-6


def test_of_several_cameras_the_one_of_the_photographs_size_is_taken(tmp_path):
    path = tmp_path / "cameras.txt"
    path.write_text("1 SIMPLE_PINHOLE 640 480 500 320 240\n2 SIMPLE_PINHOLE 1280 960 1100 640 480\n")
    assert calibration_for(path, "a.jpg", (1280, 960), 1).focal == pytest.approx(1100)
    assert calibration_for(path, "a.jpg", (640, 480), 1).focal == pytest.approx(500)
    assert calibration_for(path, "a.jpg", (2560, 1920), 1).focal == pytest.approx(2200)


def test_photographs_of_another_size_take_it_scaled_those_of_another_shape_not(tmp_path):
    path = write_opencv(tmp_path / "lens.yml")
    half = calibration_for(path, "a.jpg", (640, 360), 1)
    assert np.abs(half.project(RAYS) - ((expected_places() + 0.5) / 2 - 0.5)).max() < 1e-6
    assert calibration_for(path, "a.jpg", (427, 240), 1).photograph_size == (427, 240)  # rounded
    for size in ((1280, 960), (720, 1280)):
        with pytest.raises(InputError, match=r"lens\.yml is for photographs of 1280 x 720 px, a\.jpg has"):
            calibration_for(path, "a.jpg", size, 1)


def test_turned_photographs_take_the_calibration_of_the_sensor_or_else_of_the_turned_picture(tmp_path):
    path = write_opencv(tmp_path / "lens.yml")
    turned = calibration_for(path, "a.jpg", (720, 1280), 6)
    assert turned.project(np.zeros(2)) == pytest.approx([719 - 350, 655])
    upright = calibration_for(path, "a.jpg", (1280, 720), 6)  # of a sensor of 720 x 1280, calibrated upright
    assert upright.project(np.zeros(2)) == pytest.approx([655, 350])


DEEP = 200_000
HOSTILE = {
    "empty": "",
    "words": "this is no calibration",
    "yaml": "a: [1, 2",
    "json": '{"a": ',
    "xml": "<?xml version='1.0'?><opencv_storage><a>",
    "deep json": '{"a":' + "[" * DEEP,
    "deep yaml": "a:\n   " + "- " * DEEP,
    "deep xml": '<?xml version="1.0"?>' + "<a>" * DEEP,
    "list": "- 1\n- 2\n",
    "no matrix": "image_width: 10\nimage_height: 10\n",
    "matrix of words": ROS.replace("900.0", "wide"),
    "nan": ROS.replace("900.0", ".nan").replace("DATA", "0, 0, 0, 0"),
    "infinite": ROS.replace("900.0", ".inf").replace("DATA", "0, 0, 0, 0"),
    "skew": ROS.replace("900.0, 0.0", "900.0, 5.0").replace("DATA", "0, 0, 0, 0"),
    "tiny focal": ROS.replace("900.0", "0.001").replace("DATA", "0, 0, 0, 0"),
    "negative focal": ROS.replace("900.0", "-900.0").replace("DATA", "0, 0, 0, 0"),
    "no size": ROS.replace("1280", "0").replace("DATA", "0, 0, 0, 0"),
    "large size": ROS.replace("1280", "1e300").replace("DATA", "0, 0, 0, 0"),
    "three coefficients": ROS.replace("DATA", "1, 2, 3"),
    "a thousand coefficients": ROS.replace("DATA", ", ".join("1" * 1000)),
    "matrices": "image_width: 9\nimage_height: 9\ncamera_matrix: !!opencv-matrix\n   rows: 99999\n   cols: 99999\n"
    "   dt: d\n   data: [1.]\n",
    "short line": "1 PINHOLE 640 480\n",
    "unknown camera": "1 THIN_PRISM_FISHEYE 640 480 1 2 3 4 5 6 7 8 9 10 11 12\n",
    "few numbers": "1 OPENCV 640 480 500 500 320 240\n",
    "words for numbers": "1 PINHOLE 640 480 wide wide 320 240\n",
    "nan of colmap": "1 SIMPLE_PINHOLE 640 480 nan 320 240\n",
    "zeros": "\0" * 500,
    "too long": "a" * 2_000_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_calibration_is_refused_in_one_line_that_names_it(tmp_path, kind):
    path = tmp_path / "odd.yml"
    path.write_text(HOSTILE[kind])
    with pytest.raises(InputError, match=r"odd\.yml") as refused:
        read_calibrations(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_pictures_and_folders_are_no_calibrations(tmp_path):
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), np.zeros((40, 40, 3), np.uint8))
    pipe, loop = tmp_path / "pipe.yml", tmp_path / "loop.yml"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    for path in (picture, tmp_path, tmp_path / "missing.yml", pipe, loop, Path(500 * "x" + ".yml")):
        with pytest.raises(InputError, match="calibration"):
            read_calibrations(path)


def test_names_of_lenses_are_no_files():
    assert not names_calibration_file("Canon EF 24-70mm f/2.8L II USM")
    assert not names_calibration_file("GoPro HERO4 Silver")
    assert not names_calibration_file(10_000 * "x")
    assert names_calibration_file("missing/cameras.txt")
