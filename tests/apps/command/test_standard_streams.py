"""Standard output and error that are closed or full: run as users run it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import two_planes

from stitching.io.picture_writer import write_picture

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A shell command that stitches a pair, without its options; and the panorama."""
    folder = tmp_path_factory.mktemp("streams")
    scene = two_planes()
    write_picture(folder / "left.png", scene.reference)
    write_picture(folder / "right.png", scene.target)
    program = f"{sys.executable} -m apps.cli stitch {folder}/left.png {folder}/right.png --warp homography"
    return f"{program} -o {folder}/out.png", folder / "out.png"


PROGRAM = f"{sys.executable} -m apps.cli"


def shell(command):
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("where", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_output_that_is_lost_is_told_in_one_line(unbuffered, where, why):
    told = f"parastitch: cannot write to standard output: {why}\n"
    assert shell(f"PYTHONUNBUFFERED={unbuffered} {PROGRAM} --help {where}") == (1, "", told)


def test_a_summary_that_is_lost_is_told_after_the_panorama_was_written(command):
    program, panorama = command
    panorama.unlink(missing_ok=True)
    told = "parastitch: cannot write to standard output: No space left on device"
    code, out, err = shell(f"{program} --json >/dev/full")
    assert (code, out, err.splitlines()[-1]) == (1, "", told)  # after the warnings
    assert panorama.exists()


def test_without_standard_error_a_panorama_is_stitched(command):
    program, panorama = command
    panorama.unlink(missing_ok=True)
    code, out, _ = shell(f"{program} --json 2>&-")
    assert (code, json.loads(out)["warp"]) == (0, "homography")
    assert panorama.exists()


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", ">&-", ">/dev/full"])
def test_a_refusal_is_told_where_it_can_be(where):
    code, out, err = shell(f"{PROGRAM} nope {where}")
    assert (code, bool(out)) == (2, "2>" in where)
    assert (out or err).startswith("parastitch: no command 'nope'")


def test_nothing_is_printed_into_a_file_that_takes_the_place_of_a_closed_stream(tmp_path):
    script = "import os, sys; from apps.cli import main; sys.argv[1:] = ['--version']; main(); "
    script += f"file = open({str(tmp_path / 'file')!r}, 'w'); os.write(2, b'noise of a library')"
    shell(f'{sys.executable} -c "{script}" <&- >&- 2>&-')
    assert (tmp_path / "file").read_text() == ""


def test_a_reader_that_has_seen_enough_is_told_nothing():
    assert shell(f"{PROGRAM} --help | true") == (0, "", "")


def test_a_message_stays_on_one_line_whatever_a_file_is_called():
    code, out, err = shell(f"{PROGRAM} stitch $'a\\n\\e[31mb.png' " + "c" * 100_000 + " -o o.png")
    assert (code, out) == (2, "")
    assert err.startswith("parastitch: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert len(err) < 3000
