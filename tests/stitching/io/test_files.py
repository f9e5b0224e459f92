import os

import pytest
from picture_files import refused

from stitching.errors import JobError
from stitching.io.files import atomic_write, check_readable, check_writable


def test_paths_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "missing" / "a.png")
    places = {
        "missing/a.png": "does not exist",
        "link.png": "does not exist",
        "folder.png": "is a folder",
        "a" * 300 + ".png": "too long",
    }
    for name, word in places.items():
        with refused(word):
            check_writable(tmp_path / name)
    check_writable(tmp_path / "fine.png")
    check_writable(tmp_path / "report.html")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with refused("no permission"):
        check_writable(tmp_path / "report.html")
    (tmp_path / "old.png").touch()
    with refused("write-protected"):
        check_writable(tmp_path / "old.png")


def test_pipes_are_neither_read_nor_replaced(tmp_path):
    pipe, link = tmp_path / "pipe.png", tmp_path / "link.png"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with refused("a pipe or a device; expected a picture"):
            check_readable(path, "a picture")
        with refused("it is a pipe or a device"):
            check_writable(path)
    for path, found in ((tmp_path, "a folder"), (tmp_path / "missing.png", "no such file"), ("a" * 300, "too long")):
        with refused(found):
            check_readable(path, "a picture")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_an_interrupted_writer_leaves_no_file(tmp_path, stop):
    def stopped():
        with atomic_write(tmp_path / "report.html") as temporary:
            temporary.write_text("half a rep")
            assert not (tmp_path / "report.html").exists()
            raise stop

    with pytest.raises(stop):
        stopped()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(JobError), atomic_write(tmp_path / "report.html"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "fields.npz"
    with atomic_write(path) as first, atomic_write(path) as second:
        assert first != second
        assert first.suffix == second.suffix == ".npz"
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_ordinary_permissions_and_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "target.txt")
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    (tmp_path / "plain.txt").touch()
    target = tmp_path / "real" / "target.txt"
    assert target.read_text() == "new"
    assert target.stat().st_mode == (tmp_path / "plain.txt").stat().st_mode
