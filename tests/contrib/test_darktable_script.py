"""The script for darktable: its syntax, and what it does inside of a stand-in for darktable."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest
from luaparser import ast

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "contrib" / "darktable" / "parastitch.lua"
STAND_IN = Path(__file__).with_name("stand_in_darktable.lua")
LUA = which("lua5.4") or which("lua")
AWKWARD = ("it's $HOME.png", 'a "b" `c`; é 100%.png')
FAKE = """#!{python}
import shutil, sys
arguments = sys.argv[1:]
print(repr(arguments))
output = arguments[arguments.index("--output") + 1]
if {code}:
    sys.exit("parastitch: no overlap")
print("parastitch: warning: little texture", file=sys.stderr)
shutil.copy(arguments[1], output)
"""

needs_lua = pytest.mark.skipif(LUA is None, reason="no lua to run the script with")


@dataclass(frozen=True)
class Setup:
    """A folder of pictures, and what darktable and the command have around it."""

    pictures: Path
    temporary: Path
    command: Path

    def press(self, *names: str, command: str | None = None, cancel_after: int = 0) -> list[list[str]]:
        """The events, each a kind and its texts, when the button is pressed with images selected."""
        command = str(self.command) if command is None else command
        arguments = [str(SCRIPT), str(self.temporary), command, str(cancel_after), str(self.pictures), *names]
        run = [str(LUA), str(STAND_IN), *arguments]
        done = subprocess.run(run, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]


def make_setup(tmp_path: Path, code: int = 0) -> Setup:
    setup = Setup(tmp_path / "holiday's $(touch x)", tmp_path / "temporary files", tmp_path / "para stitch")
    setup.pictures.mkdir()
    setup.temporary.mkdir()
    for number, name in enumerate(AWKWARD):
        (setup.pictures / name).write_text(f"picture {number}")
    setup.command.write_text(FAKE.format(python=sys.executable, code=code))
    setup.command.chmod(0o755)
    return setup


def test_script_is_lua() -> None:
    assert ast.parse(SCRIPT.read_text(encoding="utf-8"))


@needs_lua
def test_selected_images_are_stitched_and_the_panorama_is_imported_beside_them(tmp_path: Path) -> None:
    setup = make_setup(tmp_path)
    events = setup.press(*AWKWARD)
    assert [event for event in events if event[0] in ("format", "export", "group", "tag", "job")] == [
        ["format", "tiff"],
        *(["export", name, "16"] for name in AWKWARD),
        ["group", AWKWARD[0]],
        ["tag", "parastitch"],
        ["job", "false"],
    ]
    (imported,) = (Path(event[1]) for event in events if event[0] == "import")
    assert imported.parent == setup.pictures
    assert imported.name.startswith("it's $HOME-panorama-")
    assert imported.read_text() == "picture 0"
    (told,) = (event[1] for event in events if event[0] == "told")
    assert told == f"parastitch: {imported.name}: warning: little texture"


@needs_lua
@pytest.mark.parametrize(
    ("code", "command", "said"),
    [(1, None, "no overlap"), (0, "/nowhere/parastitch", "/nowhere/parastitch"), (0, "false", "the command failed")],
)
def test_failures_are_told_and_nothing_is_imported(tmp_path: Path, code: int, command: str | None, said: str) -> None:
    events = make_setup(tmp_path, code).press(*AWKWARD, command=command)
    (told,) = (event[1] for event in events if event[0] == "told")
    assert said in told
    assert "import" not in {event[0] for event in events}


@needs_lua
def test_one_image_is_not_enough(tmp_path: Path) -> None:
    assert make_setup(tmp_path).press(AWKWARD[0]) == [
        ["told", "parastitch: select two or more images that overlap"],
        ["job", "none"],
    ]


@needs_lua
def test_a_cancelled_job_ends_after_the_export_at_work(tmp_path: Path) -> None:
    events = make_setup(tmp_path).press(*AWKWARD, cancel_after=1)
    assert [event[0] for event in events] == ["format", "export", "told", "job"]
    assert events[2] == ["told", "parastitch: cancelled"]


@needs_lua
@pytest.mark.parametrize("code", [0, 1])
def test_no_temporary_file_is_left(tmp_path: Path, code: int) -> None:
    setup = make_setup(tmp_path, code)
    setup.press(*AWKWARD)
    assert not list(setup.temporary.iterdir())
    assert len(list(setup.pictures.iterdir())) == len(AWKWARD) + (code == 0)
