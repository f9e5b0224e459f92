"""docs/training/datasets.md: its examples run, and it names all that is written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_renderer import open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.storage.encoding import encode
from datasets.storage.folder import folder_path
from datasets.view_sets.storage import encode_set, write_set
from datasets.view_sets.view_set import ViewSet

DOCUMENT = (Path(__file__).parents[2] / "docs" / "training" / "datasets.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


TESTS = Path(__file__).parents[1]
# Before an example that renders: a texture bank that is there at once, in the workers too.
SMALL_BANK = """
from test_streaming import open_small
import datasets.multitask.rendered_set, datasets.streaming
datasets.multitask.rendered_set.open_renderer = datasets.streaming.open_renderer = open_small
"""


def run(folder: Path, example: str) -> str:
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS, TESTS / "datasets")))
    command, environment = [sys.executable, "-c", example], os.environ | {"PYTHONPATH": paths}
    return subprocess.run(command, cwd=folder, env=environment, check=True, text=True, stdout=subprocess.PIPE).stdout


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds the data sets `pairs` and `shards`."""
    without_processes(monkeypatch)
    options = SampleOptions(size=(64, 48), keep_clean=True, geometry=True)
    generate(options, GenerateJob(tmp_path / "pairs", 3), open_fake)
    generate(options, GenerateJob(tmp_path / "shards", 3, shards=True, shard_size=2), open_fake)
    return tmp_path


def test_example_for_folders_warps_the_reference_to_the_target(folder: Path) -> None:
    run(folder, EXAMPLES[1] + "\nnp.savez('result', warped=warped, visible=visible, target=target)")
    result = np.load(folder / "result.npz")
    assert result["visible"].mean() > 0.1
    assert np.abs(result["warped"].astype(int) - result["target"])[result["visible"]].mean() < 15


def test_example_for_shards_reads_all_of_them(folder: Path) -> None:
    pytest.importorskip("webdataset")
    run(folder, EXAMPLES[2] + "\nassert (index, target.shape, warp.shape) == (2, (48, 64, 3), (48, 64, 2))")


def test_example_for_sets_finds_the_places_of_the_truth(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    turns = np.stack([cv2.Rodrigues(random.normal(size=3))[0] for _ in range(3)])
    intrinsics = np.tile(np.diag([40.0, 40, 1]), (3, 1, 1))
    depth = random.uniform(1, 9, (3, 8, 10)).astype(np.float32)
    depth[:, 0] = np.inf
    seen = np.full((3, 8, 10), 7, np.uint16)
    made = ViewSet(0, 1, (np.zeros((8, 10, 3), np.uint8),) * 3, intrinsics, turns, turns[:, 0], depth, seen)
    write_set(tmp_path / "sets", 0, encode_set(made))
    run(tmp_path, EXAMPLES[0] + "\nnp.savez('result', place=place, visible=visible)")
    result = np.load(tmp_path / "result.npz")
    np.testing.assert_allclose(result["place"], made.places(0, 1), atol=1e-9)
    assert result["visible"].all()


@pytest.mark.slow
def test_examples_that_render_run(tmp_path: Path) -> None:
    scenes = EXAMPLES[4].replace("200", "4").replace("0.2", "0.5")
    small = EXAMPLES[3].replace("320, 256", "64, 48").replace("batch_size=4", "batch_size=1")
    shown = run(tmp_path, f"{SMALL_BANK}\n{scenes}\nassert wrong.sum() == 2 and has_normal.any()\n{small}")
    assert [line.split()[0] for line in shown.splitlines()] == ["0", "1", "2"]
    assert "torch.Size([1, 3, 48, 64])" in shown


def test_the_document_names_everything_that_is_written(folder: Path) -> None:
    line = json.loads((folder / "pairs" / "meta.jsonl").read_text().splitlines()[0])
    names = {*line, *line["sizes"], *line["facts"], *line["facts"]["achieved"], *line["facts"]["requested"]}
    names |= {*json.loads((folder / "pairs" / "dataset.json").read_text())}
    geometry = np.load(folder / "pairs" / "geometry" / "000000.npz")
    names |= {re.sub("^(target|reference)_", "", name) for name in geometry}
    options = SampleOptions(size=(64, 48), keep_clean=True, geometry=True)
    names |= {folder_path("NAME", member) for member in encode(open_fake(options, 0)(0), options)}
    assert not {name for name in names if f"`{name}`" not in DOCUMENT}
