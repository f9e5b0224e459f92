import sys

import cv2
import many_pictures
import numpy as np
import pytest


def test_what_programs_say_they_used_is_read():
    assert many_pictures.pictures_used("WARNING: x\npictures used: 12\n") == 12
    assert many_pictures.pictures_used('a warning\n{"pictures": [{"number": 1}, {"number": 2}]}\n') == 2
    assert many_pictures.pictures_used("done") is None


@pytest.fixture
def halves(tmp_path):
    """Two pictures that a program of the test joins without overlap."""
    rng = np.random.default_rng(0)
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    for file in files:
        cv2.imwrite(str(file), rng.integers(1, 255, (40, 50, 3), np.uint8))
    return files


def test_a_row_tells_what_a_program_did(tmp_path, halves):
    code = "import cv2, sys; *given, out = sys.argv[1:]; cv2.imwrite(out, cv2.hconcat([cv2.imread(x) for x in given]))"
    code += "; print('pictures used:', len(given))"
    row = many_pictures.run(lambda pictures, out: [sys.executable, "-c", code, *pictures, out], halves, tmp_path, "it")
    line = many_pictures.in_words("a set", halves, "it", row)
    assert line.split()[:5] == ["a", "set", "2", "it", "2"]
    assert "100 x 40" in line


def test_a_failure_is_told_in_the_words_of_the_program(tmp_path, halves):
    code = "import sys; print('first'); sys.exit('no match')"
    row = many_pictures.run(lambda *_: [sys.executable, "-c", code], halves, tmp_path / "new", "it")
    assert many_pictures.in_words("a set", halves, "it", row).endswith("failed      - no match")
