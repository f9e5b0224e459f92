"""Completion in bash, which zsh runs, too."""

import shutil
import subprocess
import sys

import pytest

from apps.cli import COMMANDS, main


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "script.bash"
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli", "--print-completion", "bash"], capture_output=True, text=True, check=True
    )
    path.write_text(done.stdout)
    return path


def completed(script, *words):
    """What bash offers for the last of the words."""
    line = f"source {script}; COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; _parastitch; "
    done = subprocess.run(
        [shutil.which("bash"), "-c", line + 'printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_commands_options_and_choices_are_completed(script):
    assert completed(script, "parastitch", "") >= set(COMMANDS)
    assert completed(script, "parastitch", "sti") == {"stitch"}
    assert completed(script, "parastitch", "stitch", "--keep") == {"--keep-reference", "--keep-target"}
    assert completed(script, "parastitch", "batch", "--conf") == {"--config"}
    assert completed(script, "parastitch", "stitch", "a.jpg", "--projection", "") == {
        "auto", "plane", "cylinder", "sphere",
    }  # fmt: skip
    assert completed(script, "parastitch", "stitch", "--warp", "cl") == {"classical"}
    assert completed(script, "parastitch", "stitch", "--reference", "") == set()
    assert completed(script, "parastitch", "stitch", "le") == set()  # bash completes names of files then


def test_another_shell_is_refused(capsys):
    assert main(["--print-completion", "bahs"]) == 2
    assert capsys.readouterr().err == (
        "parastitch: --print-completion bahs: expected bash or zsh; did you mean 'bash'?\n"
    )  # fmt: skip
