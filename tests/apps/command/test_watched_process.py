"""However a command ends, somebody says how: run as users run it, in processes of their own."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from synthetic import two_planes

ROOT = Path(__file__).parents[3]
MIB = 2**20


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    scene = two_planes()
    paths = folder / "left.jpg", folder / "right.jpg"
    for path, pixels in zip(paths, (scene.reference, scene.target), strict=True):
        cv2.imwrite(str(path), pixels)
    return paths


def start(code, folder, **options):
    """A console program that is watched and runs `code`, which may use `folder`."""
    script = f"import os, signal, sys, time\nfrom pathlib import Path\nfolder = Path({str(folder)!r})\n"
    script += "from apps.command.ending import exit_code_of\nfrom apps.command.watched_process import run_watched\n"
    script += "from stitching.io.files import atomic_write\n"
    script += "def run():\n" + "\n".join(f"    {line}" for line in code.splitlines()) + "\n    return 0\n"
    script += "sys.exit(run_watched(lambda: exit_code_of(run)))"
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


WRITING = """
with atomic_write(folder / "file") as path:
    path.write_text("half")
    (folder / "started").write_text(str(os.getpid()))
    time.sleep(60)
"""


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited 20 s")


def started(folder):
    """The number of the process that computes."""
    wait_until(lambda: (folder / "started").exists() and (folder / "started").read_text())
    return int((folder / "started").read_text())


@pytest.mark.parametrize("code", [0, 1, 2, 130])
def test_the_exit_code_is_that_of_the_command(tmp_path, code):
    assert ended(start(f"print('out'); print('err', file=sys.stderr); return {code}", tmp_path)) == (
        code, "out\n", "err\n",
    )  # fmt: skip


def test_a_defect_is_reported_once(tmp_path):
    code, _, err = ended(start("raise KeyError('defect')", tmp_path))
    assert code == 1
    assert err.count("KeyError: 'defect'") == 1
    assert "memory" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [False, True])
def test_signals_remove_what_is_half_written(tmp_path, number, whole_group):
    process = start(WRITING, tmp_path, start_new_session=True)
    child = started(tmp_path)
    assert child != process.pid
    (os.killpg if whole_group else os.kill)(process.pid, number)
    assert ended(process) == (128 + number, "", "parastitch: interrupted; nothing was left half-written\n")
    assert [path.name for path in tmp_path.iterdir()] == ["started"]


def test_a_signal_that_is_to_be_ignored_is_ignored(tmp_path):
    """As by nohup."""
    process = start(
        "(folder / 'started').write_text(str(os.getpid()))\ntime.sleep(0.5)", tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    child = started(tmp_path)
    process.send_signal(signal.SIGHUP)
    os.kill(child, signal.SIGHUP)
    assert ended(process) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_death_without_a_word_is_told_in_one_line(tmp_path, number):
    code, out, err = ended(start(f"os.kill(os.getpid(), {number:d})", tmp_path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"parastitch: the process was ended by {number.name}: probably memory ran out; use smaller")


def test_a_library_that_ends_the_process_is_told_in_one_line(tmp_path):
    code, out, err = ended(start("os._exit(1)", tmp_path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("parastitch: the process ended unexpectedly")


def test_the_command_ends_with_the_process_that_watches_it(tmp_path):
    process = start(WRITING, tmp_path)
    assert started(tmp_path) != process.pid
    process.kill()
    process.communicate(timeout=30)  # returns when nobody has the pipes any more, so the command neither


def test_the_command_stops_and_goes_on_with_its_job(tmp_path):
    """Ctrl-Z and fg."""
    process = start("(folder / 'started').write_text(str(os.getpid()))\nsys.stdin.read()", tmp_path,
                    stdin=subprocess.PIPE, start_new_session=True)  # fmt: skip
    started(tmp_path)
    os.killpg(process.pid, signal.SIGSTOP)
    os.killpg(process.pid, signal.SIGCONT)
    assert ended(process) == (0, "", "")


@pytest.mark.slow
def test_too_little_memory_is_one_line_at_every_limit(pair, tmp_path):
    """From a limit at which the program cannot be loaded, in steps, to one at which it succeeds."""
    failed = []
    for limit in range(250, 6000, 150):
        output = tmp_path / f"{limit}.png"
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli", "stitch", *pair, "-o", output, "--warp", "homography", "--quiet"],
            cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, (limit * MIB, limit * MIB)),
        )  # fmt: skip
        if done.returncode == 0:
            break
        failed.append(limit)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), (limit, done.stderr)
        assert done.stderr.startswith("parastitch: ")
        assert "memory" in done.stderr
        assert list(tmp_path.iterdir()) == []
    assert failed
    assert output.exists()


def test_where_no_more_files_may_be_open_the_command_runs_all_the_same(tmp_path):
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

    code, _, err = ended(start("(folder / 'done').touch()", tmp_path, preexec_fn=few_files))
    assert (code, err) == (0, "")
    assert (tmp_path / "done").exists()
