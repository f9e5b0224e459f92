"""The project around the code: light to start, light to install, whole in its wheel, documented."""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from zipfile import ZipFile

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}
NOT_IN_BASE = {
    "torch", "torchvision", "lightning", "tensorboard", "safetensors", "ptlflow", "ray", "onnx", "scipy", "skimage",
    "sklearn", "torchjd", "matplotlib", "pi_heif", "rawpy", "tifffile", "lensfunpy", "fastapi", "uvicorn", "starlette",
    "pydantic",
}  # fmt: skip


def run(folder: Path, *arguments: str) -> str:
    """Standard output of a Python that finds the packages; fails where it fails."""
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(folder: Path, *arguments: str) -> tuple[str, set[str]]:
    """What `parastitch` prints on standard output, and the top-level modules that it imported."""
    script = "import sys; from apps.cli import main; code = main(sys.argv[1:]); print(end='\\0'); "
    script += "print(*{name.partition('.')[0] for name in sys.modules}); sys.exit(code)"
    printed, modules = run(folder, "-c", script, *arguments).split("\0")
    return printed, set(modules.split())


def options_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def example_in(document: str) -> str:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    return str(example)


@dataclass(frozen=True)
class Stitch:
    """A folder with left.jpg, right.jpg and every output of their stitch; what it printed and imported."""

    folder: Path
    summary: dict[str, object]
    modules: set[str]


@pytest.fixture(scope="module")
def stitch(tmp_path_factory: pytest.TempPathFactory) -> Stitch:
    folder = tmp_path_factory.mktemp("stitch")
    noise = np.random.default_rng(0)
    scene = np.zeros((300, 500, 3))
    for cell in (5, 15, 50):
        scene += cv2.resize(noise.uniform(0, 85, (300 // cell, 500 // cell, 3)), (500, 300))
    cv2.imwrite(str(folder / "left.jpg"), scene[:, :350])
    cv2.imwrite(str(folder / "right.jpg"), scene[:, 150:])
    arguments = "left.jpg right.jpg -o out.png --json --report report.html --save-warp warp.npz"
    arguments += " --save-aligned aligned --save-mask mask.png --verbose-dir stages"
    arguments += " --work-megapix 0.05"  # less than the canvas, so that the map's scale is below 1
    printed, modules = run_command(folder, "stitch", *arguments.split())
    return Stitch(folder, json.loads(printed), modules)


def test_overview_waits_for_no_array_library(tmp_path: Path) -> None:
    printed, modules = run_command(tmp_path, "--help")
    assert "stitch" in printed
    assert not modules & (NOT_IN_BASE | {"cv2", "numpy", "tyro", "rich", "onnxruntime"})


def test_stitching_needs_only_the_base_install(stitch: Stitch) -> None:
    assert "cv2" in stitch.modules
    assert not stitch.modules & (NOT_IN_BASE | {"onnxruntime"})  # a plain shift: the networks were not asked


def test_the_network_that_ships_needs_only_the_base_install(stitch: Stitch) -> None:
    torn = cv2.imread(str(stitch.folder / "right.jpg"))
    part = torn[: torn.shape[0] * 2 // 5]  # here the classical searches are unsure, so that the network is asked
    part[:] = np.random.default_rng(0).integers(0, 256, part.shape)
    cv2.imwrite(str(stitch.folder / "torn.png"), torn)
    arguments = "stitch left.jpg torn.png -o network.png --json --warp matches --blend network"
    printed, modules = run_command(stitch.folder, *arguments.split())
    summary = json.loads(printed)
    assert (summary["warp"], summary["blend"]) == ("matches", "network")
    assert "onnxruntime" in modules
    assert not modules & NOT_IN_BASE


def test_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    # In a copy: a build leaves folders behind, whose old files would come into the next wheel.
    for package in PACKAGES:
        copytree(ROOT / package, tmp_path / package, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(ROOT / name, tmp_path)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/**/*") if path.is_file()}
    run(tmp_path, "-c", "from setuptools.build_meta import build_wheel; build_wheel('dist')")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert files == {name for name in names if ".dist-info/" not in name}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_source_distribution_holds_the_repository(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("no git repository to compare with")
    names = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, tmp_path / name)
    run(tmp_path, "-c", "from setuptools.build_meta import build_sdist; build_sdist('dist')")
    (archive,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    assert not names - held


def test_installed_opencv_builds_are_of_one_version() -> None:
    # They share the folder cv2/: what is imported is a mixture where their versions differ.
    builds = {found.name: found.version for found in distributions() if found.name.startswith("opencv-")}
    assert {version.rpartition(".")[0] for version in builds.values()} == {cv2.__version__}, builds


def test_constraints_pin_what_the_base_and_the_tests_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    extras = project["optional-dependencies"]
    chosen = [extras[name] for name in ("dev", "generate", "train", "mtl", "bench", "cluster", "formats", "ui", "docs")]
    wanted = sum(chosen, project["dependencies"])
    names = {re.split(r"[<>=~!\[]", requirement)[0] for requirement in wanted}
    assert names - {"parastitch"} <= pinned


@pytest.mark.parametrize(
    ("command", "document", "section"),
    [
        ("stitch", "docs/stitching/stitch.md", "## Options"),
        ("generate", "docs/training/datasets.md", "## Options"),
        ("train", "docs/training/training.md", "## Options"),
        ("export", "docs/training/training.md", "## Exporting"),
        ("mtl-bench", "docs/training/multi-task-benchmark.md", "## Options"),
    ],
)
def test_documents_name_every_option_and_no_other(tmp_path: Path, command: str, document: str, section: str) -> None:
    (text,) = re.findall(rf"^{section}\n(.*?)(?=^## |\Z)", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    named = options_in(text)
    known = options_in(run(tmp_path, "-m", "apps.cli", command, "--help"))
    known -= {"--help", "--config", "--no-config"}  # that all commands have
    # A switch has an opposite, --no-SWITCH, which needs no words.
    assert named == {option for option in known if option.replace("--no-", "--") not in known - {option}}


def test_readme_names_targets_that_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^    |`)make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_readme_example_runs(stitch: Stitch) -> None:
    run(stitch.folder, "-c", example_in("README.md"))
    assert cv2.imread(str(stitch.folder / "panorama.png")) is not None


def test_example_of_the_multi_task_optimizers_runs(tmp_path: Path) -> None:
    printed = run(tmp_path, "-c", example_in("docs/training/multi-task.md"))
    assert "'depth'" in printed
    assert "affinity/depth on edges" in printed


def test_example_of_the_formats_warps_as_the_stitcher_does(stitch: Stitch) -> None:
    report = "\nnp.savez('example.npz', warped=warped, position=position, point=point)"
    run(stitch.folder, "-c", example_in("docs/stitching/formats.md") + report)
    made, warp = (dict(np.load(stitch.folder / name)) for name in ("example.npz", "warp.npz"))
    expected = cv2.imread(str(stitch.folder / "aligned" / "warp2.png"))
    mask = cv2.imread(str(stitch.folder / "aligned" / "mask2.png"), cv2.IMREAD_GRAYSCALE)
    inner = cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0
    assert warp["scale"] < 1
    assert expected.shape == made["warped"].shape
    assert cv2.absdiff(made["warped"], expected)[inner].mean() < 1
    on_map = ((made["position"] + 0.5) * warp["scale"] - 0.5).round().astype(int)
    back = warp["map"][on_map[1], on_map[0]]
    assert back == pytest.approx(made["point"], abs=1 / warp["scale"])


def test_formats_name_everything_that_is_written(stitch: Stitch) -> None:
    written = {*stitch.summary, *np.load(stitch.folder / "warp.npz")}
    written |= {path.name for path in (stitch.folder / "aligned").iterdir()}
    written |= {path.stem[3:] for path in (stitch.folder / "stages").iterdir()}
    formats = (ROOT / "docs" / "stitching" / "formats.md").read_text()
    assert not {name for name in written if f"`{name}`" not in formats}
