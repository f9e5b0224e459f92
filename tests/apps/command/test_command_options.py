"""Wrong options: each is one clear line."""

import cv2
import numpy as np
import pytest

from apps.cli import main
from stitching import InputError, Options
from stitching.options import check_options


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--no-such"], "unknown: --no-such"),
        (["--jsn"], "unknown: --jsn; similar: --json, --no-json"),
        (["third.jpg"], "unknown: third.jpg"),
        (["--report"], "--report: too few values; expected 1"),
        (["--background", "1", "2"], "--background: too few values; expected 3"),
        (["--background", "1", "2", "x"],
         "--background: invalid literal for int() with base 10: 'x'; expected R G B"),
        (["--work-megapix", "many"], "--work-megapix: could not convert string to float: 'many'; expected FLOAT"),
        (["--compensator", "magic"], "--compensator magic: expected field or gain or none"),
        (["--projection", "cylindr"],
         "--projection cylindr: expected auto or plane or cylinder or sphere; did you mean 'cylinder'?"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_wrong_option_is_one_clear_line(capsys, monkeypatch, arguments, words, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["stitch", "left.jpg", "right.jpg", "-o", "out.png", *arguments]) == 2
    assert capsys.readouterr() == ("", f"parastitch: {words} (see parastitch stitch --help)\n")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["stich", "a.jpg", "b.jpg"], "stitch"),
        (["stitch", "a.jpg", "b.jpg", "-o", "c.jpg", "--warp", "clasical"], "classical"),
        (["stitch", "a.jpg", "b.jpg", "-o", "c.jpg", "--blend", "seem"], "seam"),
    ],
)
def test_what_was_meant_is_asked(capsys, tmp_path, monkeypatch, arguments, meant):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(name, np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert main(arguments) == 2
    assert f"did you mean {meant!r}?" in capsys.readouterr().err


def test_python_asks_what_was_meant():
    with pytest.raises(InputError, match=r"no projection called 'cylindr'.*did you mean 'cylinder'"):
        check_options(Options(projection="cylindr"), estimates_warp=True)


def test_every_missing_argument_is_named(capsys):
    assert main(["evaluate"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("parastitch: missing: ")
    assert "PATH (" in err
    assert "; -o PATH, --output PATH (" in err


def test_the_words_of_our_own_checks_stay(capsys):
    assert main(["train", "flow", "out", "--steps", "0"]) == 2
    assert capsys.readouterr().err == "parastitch: --steps 0: expected 1 or more (see parastitch train --help)\n"
