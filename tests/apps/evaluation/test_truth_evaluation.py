"""`parastitch evaluate` on generated data sets: what it writes and prints, the methods' names."""

import csv
import re
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
from fake_renderer import FakeRenderer, open_fake, without_processes
from numpy.typing import NDArray

from apps.cli import main
from apps.evaluation.measures.generated_stitch import GeneratedStitchScores
from apps.evaluation.measures.generated_warp import GeneratedWarpErrors
from apps.evaluation.truth_evaluation import evaluate_truth
from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.sample import Sample, View, Visibility
from stitching.errors import InputError


class PlanesRenderer(FakeRenderer):
    """One pair, the wall and the box of `synthetic`, with its exact truth; the same for every index."""

    def __call__(self, index: int) -> Sample:
        sample, scene = super().__call__(index), synthetic.two_planes()
        w, h = synthetic.SIZE
        codes = np.where(scene.visible, Visibility.VISIBLE, Visibility.OCCLUDED)
        x, y = np.moveaxis(scene.map_xy, -1, 0)
        codes[(x < 0) | (y < 0) | (x > w - 1) | (y > h - 1)] = Visibility.OUTSIDE
        target = View(scene.target, scene.target, scene.map_xy.astype(np.float32), codes.astype(np.uint8), None)
        back = np.dstack(np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)))
        reference = View(scene.reference, scene.reference, back, np.full((h, w), Visibility.VISIBLE, np.uint8), None)
        margin = synthetic.MARGIN
        stitched = synthetic.paint(synthetic.coffee()[..., ::-1], 6)
        stitched[margin : margin + h, margin : margin + w] = scene.reference
        translation = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1]], np.float64)
        canvas = stitched.shape[1::-1]
        valid = cv2.warpPerspective(
            np.full((h, w), 2, np.uint8), np.linalg.inv(scene.wall @ translation), canvas, flags=0
        )
        valid[margin : margin + h, margin : margin + w] |= 1
        facts = sample.facts | {"fundamental": fundamental().tolist()}
        segments = np.array([[[[20, 20], [380, 20]]] * 2, [[[380, 20], [380, 280]]] * 2], np.float32)
        return Sample(
            index, reference, target, stitched, stitched, np.asarray(valid, np.uint8), (-margin, -margin), segments,
            np.ones((2, 2), np.float32), facts,
        )  # fmt: skip


def fundamental() -> NDArray[np.float64]:
    """F with x_reference^T F x_target = 0: of the homography of the wall and the reference's epipole."""
    w, h = synthetic.SIZE
    camera = np.array([[synthetic.FOCAL, 0, (w - 1) / 2], [0, synthetic.FOCAL, (h - 1) / 2], [0, 0, 1]])
    x, y, z = camera @ synthetic.BASELINE
    epipole = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(epipole @ np.linalg.inv(synthetic.two_planes().wall))


def open_planes(options: SampleOptions, seed: int, device: str = "cpu") -> PlanesRenderer:
    return PlanesRenderer(options, seed)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two equal samples."""
    folder = tmp_path_factory.mktemp("data") / "pairs"
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        generate(SampleOptions(size=synthetic.SIZE), GenerateJob(folder, 2), open_planes)
    return folder


def evaluated(pairs: Path, out: Path, *arguments: str) -> list[dict[str, str]]:
    """The rows that the command line writes."""
    assert main(["evaluate", str(pairs), "-o", str(out), *arguments]) == 0
    with (out / "truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_writes_a_row_for_each_warp_and_blend(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warps = ["homography", "homography+dis"]
    rows = evaluated(pairs, tmp_path, "--methods", *warps, "--blends", "seam")
    found = [(row["sample"], row["warp"], row["blend"]) for row in rows]
    assert found == [(sample, warp, "seam") for sample in ("000000", "000001") for warp in warps]
    assert float(rows[0]["psnr"]) > 40
    printed = capsys.readouterr().out
    assert "Means over all pairs:" in printed
    assert "truth.csv" in printed


def test_classical_is_no_worse_than_the_homography(pairs: Path, tmp_path: Path) -> None:
    homography, classical = evaluated(pairs, tmp_path, "--limit", "1")  # both, where nothing is asked for
    assert [homography["warp"], classical["warp"]] == ["homography", "classical"]
    for column in ("ov", "over_3", "consistent"):
        assert float(classical[column]) <= float(homography[column])
    assert float(homography["homography error"]) == float(homography["ov"])
    assert float(homography["epipolar"]) < 0.1  # on the wall it is right, and the box moves along its lines
    assert float(classical["seconds"]) > float(homography["seconds"])  # estimated once for all, but not for nothing
    assert "psnr" not in homography


def test_limit_counts_samples_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)
    job = GenerateJob(tmp_path / "part", 4, index_range=(2, 4))
    generate(SampleOptions(size=synthetic.SIZE), job, open_planes)
    found = evaluate_truth(tmp_path / "part", tmp_path / "out", ["homography"], [], limit=1)
    assert [row["sample"] for row in found] == ["000002"]


def test_wrong_names_end_with_code_2_before_anything_is_written(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["evaluate", str(pairs), "-o", str(out), "--methods", "opencv-pano"]) == 2
    assert main(["evaluate", str(pairs), "-o", str(out), "--blends", "paint"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert ["opencv-pano" in lines[0], "paint" in lines[1], len(lines)] == [True, True, 2]
    assert all(name in lines[0] for name in ("classical", "planar", "pwm[:WEIGHTS]", "+dis"))
    assert not out.exists()


def test_a_data_set_without_samples_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)
    generate(SampleOptions(size=(64, 48)), GenerateJob(tmp_path / "few", 1), open_fake)
    (tmp_path / "few" / "meta.jsonl").unlink()
    with pytest.raises(InputError, match="holds no sample"):
        evaluate_truth(tmp_path / "few", tmp_path / "out", ["homography"], [])


def test_every_column_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "evaluate.md").read_text()
    (section,) = re.findall(r"^## Generated data sets\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    columns = {field.name for kind in (GeneratedWarpErrors, GeneratedStitchScores) for field in fields(kind)}
    assert not {name for name in columns if f"`{name}`" not in section}


def test_blends_need_a_generated_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(tmp_path), "-o", str(tmp_path / "out"), "--blends", "seam"]) == 2
    assert "--blends" in capsys.readouterr().err
