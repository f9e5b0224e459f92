"""`parastitch batch` on the command line; most tests stitch in this process, and with a made-up stitcher."""

import csv
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from made_panoramas import make_panorama
from synthetic import two_planes

from apps.batching.set_record import RECORDS, TABLE, read_records
from apps.cli import main
from stitching.errors import InputError, JobError
from stitching.mosaic.panorama import Panorama

ROOT = Path(__file__).parents[2]

QUICK = "--warp", "homography", "--work-megapix", "0.05", "--quiet"

Stitches = list[tuple[Path, ...]]


@pytest.fixture
def stitches(monkeypatch: pytest.MonkeyPatch, make_stitched: Callable[..., Any]) -> Stitches:
    """The pictures of each stitch; what a stitch gives is decided by the name of its folder."""
    made: Stitches = []
    doubtful = replace(make_stitched().summary, verdict="doubtful", warnings=["nothing fits"])

    def stitch(reference: Path, target: Path, options: object, **_: object) -> Any:
        made.append((reference, target))
        if reference.parent.name == "bad":
            raise InputError("no overlap was found")
        if reference.parent.name == "broken":
            raise KeyError("a defect")
        if reference.parent.name == "large":
            raise InputError("cannot be decoded") from MemoryError()
        if reference.parent.name == "full":
            raise JobError("cannot write x.png: No space left on device") from OSError(errno.ENOSPC, "")
        if reference.parent.name == "interrupted":
            raise KeyboardInterrupt
        return make_stitched(**{"summary": doubtful} if reference.parent.name == "unsure" else {})

    def in_process(task: Any, sets: Any, processes: int, **_: Any) -> Any:
        return (task(one) for one in sets)

    def stitch_many(pictures: Sequence[Path], options: object, **_: object) -> Panorama:
        made.append(tuple(pictures))
        return make_panorama(len(pictures), left_out=False, warnings=())

    monkeypatch.setattr("apps.stitching_command.pair.stitch", stitch)
    monkeypatch.setattr("apps.stitching_command.many.stitch_many", stitch_many)
    monkeypatch.setattr("apps.batch.run_local", in_process)
    return made


def write_sets(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        for number in (1, 2):
            cv2.imwrite(str(folder / name / f"{number}.png"), np.full((4, 4, 3), 50 * number, np.uint8))
    return folder


def statuses(output: Path) -> dict[str, str]:
    with (output / TABLE).open(newline="") as file:
        return {row["name"]: row["status"] for row in csv.DictReader(file)}


def test_each_set_has_a_panorama_or_a_reason(
    tmp_path: Path, stitches: Stitches, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = write_sets(tmp_path / "sets", "a", "bad", "broken", "large", "unsure")
    output = sets / "out"
    assert main(["batch", str(sets), "-o", str(output), "--format", "jpg", "--report"]) == 1
    expected = {"a": "ok", "bad": "refused", "broken": "failed", "large": "failed", "unsure": "doubtful"}
    assert statuses(output) == expected
    files = {"a.jpg", "a.html", "unsure.jpg", "unsure.html", RECORDS, TABLE}
    assert {path.name for path in output.iterdir()} == files
    records = read_records(output)
    assert (records["a"].used, records["a"].panorama, records["a"].width) == (2, "a.jpg", 600)
    assert records["unsure"].warnings == ("nothing fits",)
    assert "KeyError: 'a defect'" in records["broken"].error
    assert "not enough memory" in records["large"].error
    said = capsys.readouterr().err.splitlines()
    assert "parastitch: bad: refused: no overlap was found" in said
    assert "5 sets: 1 ok, 1 doubtful, 1 refused, 2 failed;" in said[-1]
    stitches.clear()
    assert main(["batch", str(sets), "-o", str(output), "--format", "jpg", "--report"]) == 1
    assert {made[0].parent.name for made in stitches} == {"broken", "large"}  # what failed may end well another time
    assert "3 of them done before" in capsys.readouterr().err


def test_three_pictures_are_stitched_as_one_set(tmp_path: Path, stitches: Stitches) -> None:
    folder = write_sets(tmp_path / "sets", "a", "b") / "a"
    (folder / "2.png").rename(folder / "10.png")
    cv2.imwrite(str(folder / "2.png"), np.full((4, 4, 3), 10, np.uint8))
    assert main(["batch", str(tmp_path / "sets"), "-o", str(tmp_path / "out"), "--report"]) == 0
    assert [[path.name for path in made] for made in stitches] == [["1.png", "2.png", "10.png"], ["1.png", "2.png"]]
    record = read_records(tmp_path / "out")["a"]
    assert (record.status, record.pictures, record.used) == ("ok", 3, 3)
    panorama = cv2.imread(str(tmp_path / "out" / record.panorama))
    assert panorama.shape == (record.height, record.width, 3)
    assert (tmp_path / "out" / record.report).exists()


def test_changed_sets_are_stitched_again(tmp_path: Path, stitches: Stitches) -> None:
    sets, output = write_sets(tmp_path / "sets", "a", "b"), tmp_path / "out"
    command = ["batch", str(sets), "-o", str(output), "--quiet"]

    def again(*options: str) -> list[str]:
        stitches.clear()
        assert main([*command, *options]) == 0
        return [made[0].parent.name for made in stitches]

    assert again() == ["a", "b"]
    assert again() == []
    assert again("--jobs", "2") == []
    cv2.imwrite(str(sets / "b" / "2.png"), np.zeros((4, 4, 3), np.uint8))
    assert again() == ["b"]
    (output / "a.png").unlink()
    assert again() == ["a"]
    assert again("--crop") == ["a", "b"]
    assert again("--crop", "--format", "webp") == ["a", "b"]
    assert {path.name for path in output.iterdir()} == {"a.webp", "b.webp", RECORDS, TABLE}


def test_an_interrupted_batch_continues(tmp_path: Path, stitches: Stitches, capsys: pytest.CaptureFixture[str]) -> None:
    sets, output = write_sets(tmp_path / "sets", "a", "interrupted", "z"), tmp_path / "out"
    assert main(["batch", str(sets), "-o", str(output)]) == 130
    assert statuses(output) == {"a": "ok"}
    (sets / "interrupted").rename(sets / "rested")
    stitches.clear()
    assert main(["batch", str(sets), "-o", str(output)]) == 0
    assert [made[0].parent.name for made in stitches] == ["rested", "z"]
    assert list(statuses(output)) == ["a", "rested", "z"]


def test_a_full_disk_ends_the_batch(tmp_path: Path, stitches: Stitches, capsys: pytest.CaptureFixture[str]) -> None:
    sets, output = write_sets(tmp_path / "sets", "a", "full", "z"), tmp_path / "out"
    assert main(["batch", str(sets), "-o", str(output)]) == 1
    assert capsys.readouterr().err.endswith("parastitch: cannot write x.png: No space left on device\n")
    assert statuses(output) == {"a": "ok"}


def test_no_input_is_overwritten(tmp_path: Path, stitches: Stitches, capsys: pytest.CaptureFixture[str]) -> None:
    sets = write_sets(tmp_path / "sets", "a", "b")
    output = tmp_path / "out"
    assert main(["batch", str(sets), "-o", str(output), "--quiet"]) == 0
    (output / "sets.csv").write_text("name,picture,picture\nb,a.png,b.png\n")
    assert main(["batch", str(output / "sets.csv"), "-o", str(output)]) == 2
    assert "would overwrite the input picture" in capsys.readouterr().err
    for folder in (sets, sets / "a"):
        assert main(["batch", str(sets), "-o", str(folder)]) == 2
        assert "expected a new folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "out"], "missing: PATH"),
        (["nowhere", "-o", "out"], "nowhere: not a folder; expected a folder of folders"),
        (["sets"], "missing: -o"),
        (["sets", "-o", "out", "--jobs", "0"], "--jobs 0: expected 1 to"),
        (["sets", "-o", "out", "--format", "gif"], "--format gif"),
        (["sets", "-o", "out", "--warp", "best"], "best"),
        (["sets", "-o", "out", "--ray-address", "a:1"], "--ray-address a:1: expected --engine ray beside it"),
        (["sets", "-o", "sets/a/1.png/out"], "1.png is no folder"),
        (["twins", "-o", "out"], "would overwrite"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sets(tmp_path / "sets", "a")
    write_sets(tmp_path / "twins", "a", "A")
    assert main(["batch", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ray_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("datasets.engines.find_spec", lambda name: None)
    assert main(["batch", str(tmp_path), "-o", str(tmp_path / "out"), "--engine", "ray"]) == 2
    assert "pip install 'parastitch[cluster]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets that can be stitched, and `grey`, which cannot."""
    folder = write_sets(tmp_path_factory.mktemp("sets"), "grey")
    scene = two_planes()
    for name, size in (("large", 0.7), ("small", 0.6)):
        (folder / name).mkdir()
        for number, picture in ((1, scene.reference), (2, scene.target)):
            small = cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / name / f"{number}.png"), small)
    return folder


def panoramas(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.glob("*.png")}


def run(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "apps.cli", "batch", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_bytes(tmp_path: Path, pairs: Path) -> None:
    for jobs in (1, 2):
        with run(pairs, "-o", tmp_path / str(jobs), "--jobs", jobs, *QUICK) as process:
            assert process.wait() == 1
    assert set(panoramas(tmp_path / "1")) == {"large.png", "small.png"}
    assert panoramas(tmp_path / "1") == panoramas(tmp_path / "2")
    assert read_records(tmp_path / "1")["grey"].status == "refused"


@pytest.mark.slow
def test_a_signal_ends_it_cleanly(tmp_path: Path, pairs: Path) -> None:
    with run(pairs, "-o", tmp_path / "out", "--jobs", "1", start_new_session=True) as process:
        while not len(read_records(tmp_path / "out")):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait() == 143
        assert process.stderr is not None
        assert "of 3 sets are done; the same command continues" in process.stderr.read()
    assert not list((tmp_path / "out").glob(".*"))
    assert statuses(tmp_path / "out")["grey"] == "refused"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_two_nodes_of_a_ray_cluster_give_the_same_bytes(
    tmp_path: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        address = ["--engine", "ray", "--ray-address", cluster.address]
        assert main(["batch", str(pairs), "-o", str(tmp_path / "ray"), *address, *QUICK]) == 1
    finally:
        cluster.shutdown()
    with run(pairs, "-o", tmp_path / "local", "--jobs", "1", *QUICK) as process:
        assert process.wait() == 1
    assert panoramas(tmp_path / "ray") == panoramas(tmp_path / "local")
    assert statuses(tmp_path / "ray") == statuses(tmp_path / "local")
