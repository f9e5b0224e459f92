import os
import shutil
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported: small tensors gain nothing from threads

import cv2
import numpy as np
import pytest

from stitching.geometry.rectangles import Rectangle
from stitching.io.picture import Picture
from stitching.summary import Summary
from stitching.warping.warp import AlignedPair

# A shell starts background jobs with SIGINT ignored, and the processes that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1300,1000"
)


@pytest.fixture(scope="session", autouse=True)
def _no_config_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


class MakeStitched(Protocol):
    def __call__(self, *, holes: bool = False, size: tuple[int, int] = (600, 320), **changes: Any) -> Any: ...


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a window; a test is skipped where it, its driver or selenium is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    if not (BROWSER and DRIVER):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def make_stitched() -> MakeStitched:
    """A stitch of two views of one synthetic scene, side by side; every field that the report reads."""
    return _stitched


def _stitched(*, holes: bool = False, size: tuple[int, int] = (600, 320), **changes: Any) -> Any:
    """Of a scene of `size` px the reference sees the left two thirds in red, the target the right in blue."""
    w, h = size
    scene = _scene(w, h)
    reference, target = scene[:, : 2 * w // 3], scene[:, w // 3 :]
    columns = np.arange(w // 2)
    by_reference = np.broadcast_to(columns < w // 3, (h // 2, w // 2))
    by_target = np.broadcast_to(columns >= w // 6, (h // 2, w // 2))
    hole = np.zeros((h // 2, w // 2), bool)
    if holes:
        hole[h // 8 : h // 4, w // 5 : w // 4] = True
    residual = np.zeros((h // 2, w // 2, 2), np.float32)
    residual[..., 0] = 6 * np.sin(columns / 40)
    residual[~by_target | hole] = np.nan
    x, y = np.meshgrid(np.arange(w - w // 3, dtype=np.float32), np.arange(h, dtype=np.float32))
    valid = cv2.resize((~hole).astype(np.uint8) * 255, size, interpolation=cv2.INTER_NEAREST)
    pixels = cv2.resize(scene, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
    red, blue = np.array([0, 0, 1], np.uint8), np.array([1, 0, 0], np.uint8)
    first, second = Picture(reference * red, name="left.jpg"), Picture(target * blue, name="right.jpg")
    fields = {
        "panorama": np.where(valid[..., None] > 0, scene, 0).astype(np.uint8),
        "alpha": valid,
        "reference": first,
        "target": second,
        "metadata": first.metadata,
        "canvas": SimpleNamespace(origin=(0, 0), size=size, projection="plane"),
        "alignment": SimpleNamespace(method="homography"),
        "warp": SimpleNamespace(forward=np.stack([x + w // 3, y], axis=-1), scale=0.5, forward_scale=1.0),
        "aligned": AlignedPair(
            pixels * red,
            pixels * blue,
            by_reference & ~hole,
            by_target & ~hole,
            by_target & ~hole,
            np.zeros_like(hole),
        ),
        "holes": hole,
        "blend": SimpleNamespace(weight=np.broadcast_to(columns < w // 4, (h // 2, w // 2)).astype(np.float32)),
        "residual": residual,
        "pictures": SimpleNamespace(size=size),
        "crop": Rectangle(0, 0, w, h),
        "summary": _summary(first, second, size),
    }
    return SimpleNamespace(**fields | changes)


def _summary(reference: Picture, target: Picture, size: tuple[int, int]) -> Summary:
    return Summary(
        reference=reference.name,
        target=target.name,
        reference_size=reference.size,
        target_size=target.size,
        reference_lens=None,
        target_lens=None,
        panorama_size=size,
        panorama_origin=(0, 0),
        projection="plane",
        origin=(0, -3),
        canvas_size=size,
        warp="classical",
        blend="seam",
        consistent=0.9,
        alignment="homography",
        matches=431,
        planes=2,
        confidence=0.5,
        overlap=1 / 3,
        parallax_median=2.25,
        parallax_p90=5.5,
        holes=0.0,
        tears=0.0,
        folds=0.0,
        verdict="right",
        evidence={"verified": 0.753, "agreement": None, "textured_windows": 400.0},
        device="cpu",
        seconds={"read": 0.25, "warp": 1.0},
    )


def _scene(w: int, h: int) -> Any:
    """Soft blobs of many sizes, (h, w, 3) uint8, no darker than 60."""
    noise = np.random.default_rng(0)
    layers = [
        cv2.resize(
            noise.uniform(0, 1, (max(2, h // cell), max(2, w // cell), 3)),
            (w, h),
            interpolation=cv2.INTER_CUBIC,
        )
        for cell in (4, 16, 64)
    ]
    return np.clip(60 + 65 * sum(layers), 60, 255).astype(np.uint8)
