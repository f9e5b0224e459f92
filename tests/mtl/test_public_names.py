"""`import mtl` gives what a user needs, and costs what torch costs."""

import subprocess
import sys
from pathlib import Path

import mtl

ROOT = Path(__file__).parents[2]
NOT_NEEDED = {
    "sklearn", "torchjd", "cvxpy", "scipy", "cv2", "stitching", "datasets", "apps", "PIL", "onnxruntime", "matplotlib",
}  # fmt: skip


def test_public_names_exist() -> None:
    assert mtl.__all__ == sorted(mtl.__all__, key=lambda name: (name.islower(), name))
    assert all(callable(getattr(mtl, name)) for name in mtl.__all__)


def test_import_brings_torch_alone() -> None:
    script = "import sys; from mtl import *; from mtl import make_strategy; "
    script += "make_strategy('famo', ['a', 'b']); print(*{name.partition('.')[0] for name in sys.modules})"
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"torch", "numpy"} <= set(done.stdout.split())
    assert not set(done.stdout.split()) & NOT_NEEDED
