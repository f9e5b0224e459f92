"""Sets of pictures on disk: read back as written, damage found, runs that go on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.options import SampleOptions
from datasets.view_sets import generate as module
from datasets.view_sets.generate import SetsJob, generate_sets
from datasets.view_sets.options import ViewOptions
from datasets.view_sets.storage import read_set, read_sets_description, verify_sets
from datasets.view_sets.view_set import ViewSet
from stitching.errors import InputError

OPTIONS, VIEWS = SampleOptions(size=(48, 40)), ViewOptions(3)


class FlatSets:
    """Makes sets of noise that nothing is known of but their form."""

    checksum = "0123abcd"

    def __call__(self, index: int) -> ViewSet:
        random = np.random.default_rng(index)
        pictures = tuple(random.integers(0, 256, (40, 48, 3), np.uint8) for _ in range(3))
        eye = np.tile(np.eye(3), (3, 1, 1))
        depth = np.full((3, 40, 48), np.inf, np.float32)
        return ViewSet(
            index, 1, pictures, eye, eye, random.normal(size=(3, 3)), depth, np.full((3, 40, 48), 7, np.uint16)
        )


@pytest.fixture(autouse=True)
def _flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_open_once", lambda *options: FlatSets())


def make(folder: Path, count: int, options: SampleOptions = OPTIONS) -> module.SetsReport:
    return generate_sets(options, VIEWS, SetsJob(folder, count, jobs=1))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_set_is_read_as_it_was_made(tmp_path: Path) -> None:
    make(tmp_path / "sets", 2)
    made, found = FlatSets()(1), read_set(tmp_path / "sets", 1, read_sets_description(tmp_path / "sets"))
    assert found.reference == made.reference
    for name in ("pictures", "intrinsics", "rotation", "translation", "depth", "seen"):
        np.testing.assert_array_equal(getattr(found, name), getattr(made, name))
    assert np.array_equal(cv2.imread(str(tmp_path / "sets" / "000001" / "3.png")), made.pictures[2])
    assert list(verify_sets(tmp_path / "sets")) == []


def test_a_run_goes_on_where_another_was_killed(tmp_path: Path) -> None:
    make(tmp_path / "whole", 3)
    make(tmp_path / "parts", 1)
    killed = tmp_path / "parts" / ".000001.part"
    killed.mkdir()
    (killed / "9.png").write_bytes(b"half of it")
    report = make(tmp_path / "parts", 3)
    assert (report.written, report.kept) == (2, 1)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_damage_is_found(tmp_path: Path) -> None:
    make(tmp_path, 4)
    picture, truth = tmp_path / "000000" / "2.png", tmp_path / "000001" / "truth.npz"
    for path in (picture, truth):
        damaged = bytearray(path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        path.write_bytes(damaged)
    (tmp_path / "000002" / "1.png").unlink()
    for path in (tmp_path / "000003").iterdir():
        path.unlink()
    (tmp_path / "000003").rmdir()
    problems = list(verify_sets(tmp_path))
    assert [problem.split("/")[0].split(":")[0] for problem in problems[:3]] == ["000000", "000001", "000002"]
    assert "1 of 4 sets are missing, the first is 000003" in problems[3]


def test_truth_that_cannot_be_is_refused(tmp_path: Path) -> None:
    make(tmp_path, 1)
    path = tmp_path / "000000" / "truth.npz"
    truth = dict(np.load(path))
    np.savez(path, **truth | {"rotation": 2 * truth["rotation"]})
    with pytest.raises(InputError, match="expected rotations"):
        read_set(tmp_path, 0, read_sets_description(tmp_path))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    make(tmp_path / "sets", 1)
    with pytest.raises(InputError, match=r"other options: size was \[48, 40\], now asked for \[56, 40\]"):
        make(tmp_path / "sets", 1, SampleOptions(size=(56, 40)))
    (tmp_path / "mine" / "000000").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds 000000, but no dataset\.json"):
        make(tmp_path / "mine", 1)
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "dataset.json").write_text('{"format": "parastitch-pairs", "version": 1}')
    with pytest.raises(InputError, match="parastitch-pairs"):
        make(tmp_path / "pairs", 1)
