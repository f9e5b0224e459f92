"""The help of a command: one list of options."""

import re

import pytest

from apps.cli import COMMANDS, GROUPS, main


def printed(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_nothing_is_wider_than_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = printed(capsys, "stitch", "--help")
    assert max(map(len, text.splitlines())) <= columns
    assert not set("│╭╰") & set(text)


def test_what_is_used_most_comes_first(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    text = printed(capsys, "stitch", "--help")
    assert text.startswith("usage: parastitch stitch [-h] [OPTIONS] REFERENCE TARGET [MORE ...]\n")
    options = re.findall(r"^  (?:-\w.*?, )?--([a-z-]+)", text, re.MULTILINE)
    assert options[:3] == ["output", "crop", "reference"]
    assert options[-1] == "help"
    assert len(options) == len(set(options))


def test_choices_and_defaults_are_told_but_nothing_of_python(capsys):
    text = printed(capsys, "stitch", "--help")
    assert "--projection {auto,plane,cylinder,sphere}" in text
    assert "(default: 0.4)" in text
    assert "None" not in text
    assert "False" not in text


def test_a_switch_that_is_on_shows_how_to_turn_it_off(capsys):
    assert "--no-browser" in printed(capsys, "ui", "--help")
    assert "--no-crop" not in printed(capsys, "stitch", "--help")


def test_the_overview_names_every_command_once(capsys):
    text = printed(capsys, "--help")
    assert sorted(sum(GROUPS.values(), ())) == sorted(COMMANDS)
    for name in COMMANDS:
        assert len(re.findall(rf"^  {name} ", text, re.MULTILINE)) == 1


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version(capsys, flag):
    assert re.fullmatch(r"parastitch \d+\.\d+\.\d+\n", printed(capsys, flag))
