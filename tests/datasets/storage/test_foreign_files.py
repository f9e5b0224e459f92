"""Data sets beside the user's own files: what is not of the data set is never overwritten."""

import os
from pathlib import Path

import pytest
from fake_renderer import contents, open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.overview.overview import write_overview
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(64, 48))


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


def make(folder: Path, options: SampleOptions = OPTIONS, **more: int | bool) -> None:
    generate(options, GenerateJob(folder, 3, **more), open_fake)  # type: ignore[arg-type]


def refuses(folder: Path, words: str, options: SampleOptions = OPTIONS) -> None:
    before = contents(folder)
    for shards in (False, True):
        with pytest.raises(InputError, match=words):
            make(folder, options, shards=shards)
    assert contents(folder) == before


@pytest.mark.parametrize("shards", [False, True])
def test_every_name_that_a_data_set_has_is_refused_where_something_else_has_it(tmp_path: Path, shards: bool) -> None:
    make(tmp_path / "out", SampleOptions(size=(64, 48), keep_clean=True, geometry=True), shards=shards)
    write_overview(tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        folder = tmp_path / "with" / path.name
        folder.mkdir(parents=True)
        (folder / path.name).write_bytes(b"a photograph")
        refuses(folder, f"dataset.json.*damaged|holds {path.name}, but no dataset.json .*choose another folder")


def test_pictures_of_a_folder_with_a_usual_name_stay(tmp_path: Path) -> None:
    (tmp_path / "input1").mkdir()
    (tmp_path / "input1" / "000000.jpg").write_bytes(b"a photograph")
    refuses(tmp_path, "holds input1, but no dataset.json")


@pytest.mark.parametrize("name", ["README.md", "photo.jpg", "metadata.txt", "maskfile.png"])
def test_other_files_hinder_nothing_and_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    make(tmp_path)
    assert (tmp_path / name).read_bytes() == b"something"


@pytest.mark.parametrize("left", [["meta.jsonl"], ["meta-000000-000002.jsonl", ".parastitch-0123.json"]])
def test_a_run_that_ended_before_its_first_sample_goes_on(tmp_path: Path, left: list[str]) -> None:
    for name in left:
        (tmp_path / name).touch()
    make(tmp_path)
    make(tmp_path / "expected")
    assert contents(tmp_path)["input1/000000.jpg"] == contents(tmp_path / "expected")["input1/000000.jpg"]


@pytest.mark.parametrize("output", ["photos", "photos/below", ".", "link", "photos/../photos/new"])
def test_a_data_set_is_kept_apart_from_the_textures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "below").mkdir(parents=True)
    (tmp_path / "photos" / "000000.jpg").write_bytes(b"a photograph")
    (tmp_path / "link").symlink_to("photos")
    textures = SampleOptions(size=(64, 48), textures=tmp_path / "photos")
    with pytest.raises(InputError, match=f"OUTPUT {output} is the input --textures .*choose another folder"):
        make(Path(output), textures)
    make(Path("out"), textures)


def test_a_data_set_does_not_hold_the_mesh_that_it_shows(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    mesh = tmp_path / "meshes" / "model.obj"
    mesh.write_text("a mesh")
    refuses(tmp_path / "meshes", "holds it", SampleOptions(size=(64, 48), scene=mesh))


def test_the_overview_does_not_overwrite_a_picture_of_the_data_set(tmp_path: Path) -> None:
    make(tmp_path / "out")
    picture = tmp_path / "out" / "input1" / "000000.jpg"
    before = picture.read_bytes()
    (tmp_path / "out" / "preview.jpg").symlink_to("input1/000000.jpg")
    with pytest.raises(InputError, match=r"preview.jpg"):
        write_overview(tmp_path / "out")
    (tmp_path / "out" / "preview.jpg").unlink()
    os.link(picture, tmp_path / "out" / "preview.jpg")
    write_overview(tmp_path / "out")
    assert picture.read_bytes() == before
