"""Figures, histograms and contact sheets of a data set."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_renderer import open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.overview.charts import HEIGHT, WIDTH, histogram
from datasets.overview.overview import contact_sheet, table, write_overview
from datasets.storage.reading import read_records, read_samples
from datasets.storage.records import Record
from stitching.errors import InputError


def record(index: int, requested: float, achieved: float) -> Record:
    facts = {"requested": {"overlap": requested}, "achieved": {"overlap": achieved, "baseline": 2.0}}
    none = np.zeros((0, 2), np.float32)
    return Record(index, f"{index:06d}", facts, (0, 0), {}, none.reshape(0, 2, 2, 2), none, {}, "")


def test_the_table_compares_requested_with_achieved_values() -> None:
    records = [record(0, 0.5, 0.5), record(1, 0.5, 0.54), record(2, 0.5, 0.6), record(3, 0.5, 0.3)]
    heading, *rows = table(records)
    overlap, baseline = (dict(zip(heading, row, strict=True)) for row in rows)
    assert overlap["samples"] == "4"
    assert (overlap["q0"], overlap["q50"], overlap["q100"]) == ("0.3", "0.52", "0.6")
    assert overlap["mean error"] == "0.085"
    assert overlap["within tolerance"] == "50.0%"
    assert (baseline[""], baseline["q50"], baseline["mean error"]) == ("baseline", "2", "")


@pytest.fixture
def data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    without_processes(monkeypatch)
    job = GenerateJob(tmp_path, 50, shards=request.param, shard_size=8)
    generate(SampleOptions(size=(64, 48)), job, open_fake)
    return tmp_path


@pytest.mark.parametrize("data_set", [False, True], indirect=True)
def test_overview_shows_forty_samples_and_four_charts(data_set: Path) -> None:
    rows = write_overview(data_set)
    assert rows == table(read_records(data_set))
    assert [row[0] for row in rows[1:]] == ["overlap", "parallax", "warp length", "depth, median", "field of view"]
    charts = cv2.imread(str(data_set / "histograms.png"))
    assert charts.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert all(charts[y : y + HEIGHT, x : x + WIDTH].min() == 0 for y in (0, HEIGHT) for x in (0, WIDTH))
    sheet = cv2.imread(str(data_set / "preview.jpg"))
    assert sheet.shape[0] % 20 == 0  # two a row
    cell = sheet.shape[0] // 20
    places = [(y, x) for y in range(0, 20 * cell, cell) for x in (0, sheet.shape[1] // 2)]
    assert all(sheet[y : y + cell, x : x + 300].min() < 50 for y, x in places)


@pytest.mark.parametrize("data_set", [False], indirect=True)
def test_canvas_shows_where_the_reference_ends_and_the_target_begins(data_set: Path) -> None:
    (sample,) = read_samples(data_set, {3})
    sheet = contact_sheet([sample])
    canvas = sheet[18:168, 396:764].astype(int)
    scale = 150 / 48
    shift = sample.record.sizes["stitched"][0] - 64
    colours = np.array([[0, 220, 0], [0, 140, 255]])
    green, orange = ((canvas == colour).all(axis=(0, 2)).nonzero()[0] for colour in colours)
    assert green.mean() == pytest.approx(64 * scale, abs=3)
    assert orange.mean() == pytest.approx(shift * scale, abs=3)


@pytest.mark.parametrize("data_set", [False], indirect=True)
def test_folder_without_samples_is_refused(data_set: Path) -> None:
    (data_set / "meta.jsonl").unlink()
    with pytest.raises(InputError, match="holds no sample yet"):
        write_overview(data_set)


def test_bars_are_as_high_as_the_counts() -> None:
    values = np.repeat([0.0, 10.0], [30, 10])
    blue = (histogram("t", "px", {"": values}) == (180, 119, 31)).all(axis=2).sum(axis=0)
    first, last = blue[: WIDTH // 2].max(), blue[WIDTH // 2 :].max()
    assert first == pytest.approx(3 * last, abs=4)


@pytest.mark.parametrize("values", [[1.0], [5.0, 5.0], [0.0], [-3.0, 2.0], [1e-9, 2e-9], [1e6, 3e9]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    assert (histogram("t", "m", {"a": np.array(values)}) == (180, 119, 31)).all(axis=2).any()


def test_one_far_value_does_not_hide_the_others() -> None:
    values = np.append(np.random.default_rng(0).uniform(0, 10, 999), 1e6)
    blue = (histogram("t", "px", {"": values}) == (180, 119, 31)).all(axis=2).any(axis=0)
    assert blue.sum() > WIDTH / 2
