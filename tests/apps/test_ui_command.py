"""`parastitch ui` as users start and end it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from apps.cli import main

ROOT = Path(__file__).parents[2]


def start(*arguments, folder):
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "apps.cli", "ui", "--no-browser", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip


def begin_an_upload(address):
    """A connection; that it is broken off, by whom ever, is nothing that the terminal has to tell."""
    page = urlsplit(address)
    connection = socket.create_connection((page.hostname, page.port))
    lines = "POST /api/pictures?name=a HTTP/1.1", f"Host: {page.netloc}", f"X-Token: {page.query[6:]}"
    connection.sendall("\r\n".join([*lines, "Content-Length: 9", "", "x"]).encode())
    time.sleep(0.1)
    return connection


def group_members(leader):
    """Numbers of the processes of a group that run (proc(5), stat)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(group) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


def wait_for_end(group):
    """Whether all processes of a group end within 10 s."""
    for _ in range(500):
        if not group_members(group):
            return True
        time.sleep(0.02)
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize(("number", "to_group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_ends_the_page_its_processes_and_its_temporary_folder(tmp_path, number, to_group):
    process = start(folder=tmp_path)
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(address) as page:
        assert page.status == 200
    begin_an_upload(address).close()
    still_open = begin_an_upload(address)
    assert len(group_members(process.pid)) >= 4  # the watcher, the server and two that stitch
    assert len(list(tmp_path.iterdir())) == 1
    (os.killpg if to_group else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=30)
    still_open.close()
    assert (process.returncode, out) == (128 + number, "")
    assert err == "parastitch: interrupted; nothing was left half-written\n"
    assert wait_for_end(process.pid)
    assert not list(tmp_path.iterdir())


@needs_proc
def test_the_processes_end_with_a_server_that_was_killed(tmp_path):
    process = start(folder=tmp_path)
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=30)
    assert wait_for_end(process.pid)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/nowhere"], "/nowhere: expected a folder"),
        (["--port", "70000"], "--port 70000: expected 0 to 65535"),
        (["--max-megapix", "0"], "--max-megapix 0"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(capsys, arguments, words):
    assert main(["ui", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_named(capsys, taken_port):
    assert main(["ui", "--no-browser", "--port", str(taken_port)]) == 2
    assert f"--port {taken_port}" in capsys.readouterr().err


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_missing_package_is_named_with_what_installs_it(capsys, monkeypatch):
    monkeypatch.setattr("apps.ui.find_spec", lambda name: None)
    assert main(["ui"]) == 2
    assert capsys.readouterr().err == "parastitch: ui needs fastapi, uvicorn: pip install 'parastitch[ui]'\n"
