"""The attack: its files are what they say, its verdicts see what they must, and parastitch withstands a part of it."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from attack import FAMILIES
from attacks.case import Case, Command, Stock, choose
from attacks.damage import DAMAGES
from attacks.encodings import ENCODINGS
from attacks.runner import MAX_MIB, Run
from attacks.verdicts import judge, snapshot
from dead_leaves import make_pair

from stitching.io.picture_reader import read_picture

ROOT = Path(__file__).parents[2]
REFUSED = Run(2, 1.0, 0.5, 90.0, False, False, "", "parastitch: 1.png: damaged\n")
DONE = replace(REFUSED, code=0, stderr="parastitch: warning: the seam is visible\n")
STITCH = Command(("stitch", "1.png", "2.png", "-o", "out.png"), ("out.png",))


@pytest.fixture
def folder(tmp_path):
    """A case's folder in which nothing is wrong."""
    for name in ("work", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "work" / "1.png").write_bytes(b"mine")
    cv2.imwrite(str(tmp_path / "work" / "out.png"), np.zeros((40, 40, 3), np.uint8))
    return tmp_path


def verdicts(folder, run, command=STITCH, change=lambda work: None):
    before = snapshot(folder / "work")
    change(folder / "work")
    return judge(command, run, before, folder)


@pytest.mark.parametrize("run", [REFUSED, DONE])
def test_a_refusal_in_one_line_and_a_success_with_a_warning_are_right(folder, run):
    assert verdicts(folder, run) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hung": True}, "60 s"),
        ({"peak": MAX_MIB + 1}, "MiB"),
        ({"code": -11, "stderr": ""}, "exit code -11"),
        ({"code": 143}, "exit code 143"),
        ({"left": True}, "process"),
        ({"stderr": ""}, "0 error lines"),
        ({"stderr": 2 * REFUSED.stderr}, "2 error lines"),
        ({"stderr": "parastitch: x\nTraceback (most recent call last):\nValueError: y"}, "ValueError"),
        ({"stderr": f"Corrupt JPEG data: bad Huffman code\n{REFUSED.stderr}"}, "Huffman"),
        ({"code": 0}, "exit code 0 with an error"),
    ],
)
def test_broken_promises_of_a_run_are_seen(folder, change, words):
    found = verdicts(folder, replace(REFUSED, **change))
    assert any(words in verdict for verdict in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda work: (work / "1.png").write_bytes(b"other"), "1.png was changed"),
        (lambda work: (work / "1.png").unlink(), "1.png was deleted"),
        (lambda work: (work / "owned").touch(), "ran code of a pickled object"),
        (lambda work: (work / ".parastitch-ab.png").touch(), "left work/.parastitch-ab.png"),
        (lambda work: (work.parent / "tmp" / "x").touch(), "left tmp/x"),
        (lambda work: (work / "out.png").unlink(), "out.png is missing"),
        (lambda work: (work / "out.png").write_bytes(b"half"), "out.png cannot be read"),
    ],
)
def test_broken_promises_about_files_are_seen(folder, change, words):
    assert words in verdicts(folder, DONE, change=change)


def test_what_must_be_refused_and_is_accepted_is_wrong(folder):
    assert verdicts(folder, DONE, replace(STITCH, refused=True)) == ["accepted"]


def test_a_pipe_that_becomes_a_file_is_a_changed_file(folder):
    os.mkfifo(folder / "work" / "pipe")

    def replaced(work):
        (work / "pipe").unlink()
        (work / "pipe").touch()

    assert verdicts(folder, DONE, change=replaced) == ["pipe was changed"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_undamaged_files_show_the_picture_and_damages_change_them(encoding, tmp_path):
    pixels = make_pair(0.02)[0]
    extension, encode = ENCODINGS[encoding]
    content = encode(pixels)
    path = tmp_path / f"picture{extension}"
    path.write_bytes(content)
    found = read_picture(path).pixels
    found = found // 257 if found.dtype == np.uint16 else found
    grey = [cv2.cvtColor(one.astype(np.uint8), cv2.COLOR_BGR2GRAY).astype(int) for one in (found, pixels)]
    assert np.median(np.abs(grey[0] - grey[1])) < 12  # a palette has few colours
    for damage in DAMAGES.values():
        damaged = [damage(content, random.Random(seed)) for seed in (1, 1, 2)]
        assert damaged[0] == damaged[1]
        assert len(set(damaged)) == 2


def test_a_name_makes_the_same_files_again(tmp_path):
    stock = Stock(tmp_path, ROOT / "stitching" / "weights")
    for path, pixels in zip((stock.first, stock.second), make_pair(0.01), strict=True):
        cv2.imwrite(str(path), pixels)
    families = {family.name: family for family in FAMILIES}
    made = []
    for number, case in enumerate(choose(FAMILIES, 0, 0, "pictures/png-16/bits/7") * 2 + [Case("pictures", "png", 1)]):
        case = case if number < 2 else replace(case, kind="png-16/bits", number=8)
        (tmp_path / str(number)).mkdir()
        command = families[case.family].makers[case.kind](tmp_path / str(number), stock, case.random(0))
        made.append((command, snapshot(tmp_path / str(number))))
    assert made[0] == made[1]
    assert made[0][1] != made[2][1]


def test_every_kind_comes_once_before_one_comes_twice():
    cases = choose(FAMILIES, 2000, 0, "")
    assert abs(len(cases) - 2000) < len(FAMILIES)
    for family in FAMILIES:
        numbers = [case.number for case in cases if case.family == family.name]
        assert sorted(numbers) == numbers
        assert {case.kind for case in cases if case.family == family.name} == set(family.makers)
    assert len({case.name for case in cases}) == len(cases)
    only = choose(FAMILIES, 50, 0, "outputs/full")
    assert len(only) == 50
    assert all(case.name.startswith("outputs/full") for case in only)


def run_attack(*options):
    command = [sys.executable, str(ROOT / "benchmarks" / "attack.py"), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)


@pytest.mark.slow
def test_parastitch_withstands_a_part_of_the_attack():
    """Some cases of every family; benchmarks/attack.py alone tries 1,000."""
    found = run_attack("--count", "40")
    assert found.returncode == 0, found.stdout + found.stderr
    total = next(line for line in found.stdout.splitlines() if line.startswith("| all "))
    tried, refused, accepted, failed = (int(cell) for cell in total.split("|")[2:6])
    assert tried == refused + accepted == 40
    assert failed == 0
