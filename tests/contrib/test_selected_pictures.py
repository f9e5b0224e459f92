"""The script for the menus of file managers, and its menu entry."""

import os
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

CONTRIB = Path(__file__).parents[2] / "contrib"
SCRIPT = CONTRIB / "parastitch-selected"
AWKWARD = ("it's $HOME; 1.png", 'the "second".png')
FAKE = """#!{python}
import shutil, sys
arguments = sys.argv[1:]
output = arguments[arguments.index("--output") + 1]
if not arguments[1].endswith(".png"):
    sys.exit("parastitch: not a picture")
shutil.copy(arguments[2], output)
"""


def select(tmp_path: Path, *pictures: Path) -> subprocess.CompletedProcess[str]:
    """What happens when the menu's entry is chosen with pictures selected."""
    command = tmp_path / "para stitch"
    command.write_text(FAKE.format(python=sys.executable))
    command.chmod(0o755)
    environment = {"PATH": os.defpath, "PARASTITCH": str(command)}
    return subprocess.run([SCRIPT, *pictures], env=environment, capture_output=True, text=True, cwd=tmp_path)


def make_pictures(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "my $(touch x) pictures"
    folder.mkdir()
    paths = [folder / name for name in AWKWARD]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_panorama_lies_beside_the_first_picture(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path)
    done = select(tmp_path, *pictures)
    assert done.returncode == 0, done.stderr
    (panorama,) = set(pictures[0].parent.iterdir()) - set(pictures)
    assert panorama.name.startswith("it's $HOME; 1-panorama-")
    assert panorama.suffix == ".tif"
    assert panorama.read_text() == AWKWARD[1]
    assert str(panorama) in done.stdout


def test_names_that_begin_with_a_minus_are_no_options(tmp_path: Path) -> None:
    (tmp_path / "--output").write_text("first")
    (tmp_path / "-2.png").write_text("second")
    done = select(tmp_path, Path("--output"), Path("-2.png"))
    assert "not a picture" in done.stdout  # what the command says of ./--output
    done = select(tmp_path, Path("-2.png"), Path("-2.png"))
    assert done.returncode == 0, done.stdout
    assert [path.read_text() for path in tmp_path.glob("-2-panorama-*.tif")] == ["second"]


def test_failures_keep_the_words_and_the_exit_code(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    done = select(tmp_path, text, *make_pictures(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (1, "parastitch: not a picture")
    assert select(tmp_path, text).returncode == 2


def test_menu_entry_hands_all_selected_files_to_the_script() -> None:
    entry = RawConfigParser(interpolation=None)
    entry.read(CONTRIB / "parastitch.desktop")
    keys = entry["Desktop Entry"]
    assert keys["type"] == "Application"
    assert keys["exec"] == f"{SCRIPT.name} %F"
    assert all(kind.startswith("image/") for kind in keys["mimetype"].rstrip(";").split(";"))
