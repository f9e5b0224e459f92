"""Defaults of options out of files."""

import pytest

from apps.cli import main
from apps.command.config import ConfigChoice, configured, split_config
from apps.command.options import parse_options
from apps.mtl_bench import mtl_bench_command
from apps.stitch import stitch_command
from stitching import InputError

COMMANDS = ["stitch", "batch"]
GIVEN = ["left.jpg", "right.jpg", "-o", "out.png"]


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own" / "parastitch.toml"


def parsed(choice, *arguments):
    """The options that `stitch` is called with."""
    command = configured(stitch_command, "stitch", choice, COMMANDS)
    keywords = parse_options(command, "parastitch stitch", [*GIVEN, *arguments]).keywords
    return keywords["options"], keywords["outputs"], keywords


def test_the_command_line_goes_before_the_named_file_and_that_before_the_own_file(own_file, tmp_path):
    own_file.write_text("[stitch]\ncrop = true\nwork-megapix = 0.1\nblend = 'network'\nstrict = true\n")
    named = tmp_path / "named.toml"
    named.write_text("[stitch]\nwork_megapix = 0.2\nblend = 'seam'\nbackground = [1, 2, 3]\n[batch]\njobs = 3\n")
    options, outputs, keywords = parsed(ConfigChoice(named, own=True), "--blend", "auto")
    assert (options.crop, options.work_megapix, options.blend) == (True, 0.2, "auto")
    assert tuple(outputs.background) == (1, 2, 3)
    assert keywords["strict"]
    options, _, keywords = parsed(ConfigChoice(named, own=False), "--no-crop")
    assert (options.crop, options.work_megapix, options.blend) == (False, 0.2, "seam")
    assert not keywords["strict"]


def test_the_command_line_completes_what_a_file_alone_would_not_allow(tmp_path):
    named = tmp_path / "parastitch.toml"
    named.write_text("[mtl-bench]\ndata = 'nyud'\n")  # which needs --folder
    command = configured(mtl_bench_command, "mtl-bench", ConfigChoice(named, own=False), ["mtl-bench"])
    options = parse_options(command, "parastitch mtl-bench", ["out", "--folder", "set"]).keywords["options"]
    assert (options.data, str(options.folder)) == ("nyud", "set")
    with pytest.raises(InputError, match="--folder with a public data set"):
        parse_options(command, "parastitch mtl-bench", ["out"])


def test_a_value_of_a_file_that_is_refused_later_names_the_file(tmp_path, capsys):
    named = tmp_path / "named.toml"
    named.write_text("[mtl-bench]\ntrain = 1\n")
    assert main(["mtl-bench", str(tmp_path / "out"), "--config", str(named)]) == 2
    err = capsys.readouterr().err
    assert "--train 1: expected 2 to" in err
    assert f"defaults are from {named}" in err


def test_files_are_sought_beside_the_config(tmp_path):
    (tmp_path / "gopro.yml").touch()
    (tmp_path / "net.safetensors").touch()
    named = tmp_path / "parastitch.toml"
    named.write_text("[stitch]\nreport = 'page.html'\nlens = 'gopro.yml'\nwarp = 'matches:net.safetensors'\n")
    options, outputs, _ = parsed(ConfigChoice(named, own=False))
    assert outputs.report == tmp_path / "page.html"
    assert options.lens == str(tmp_path / "gopro.yml")
    assert options.warp == f"matches:{tmp_path / 'net.safetensors'}"


def test_config_options_may_stand_anywhere():
    for words in (["--config", "a.toml", "stitch", "x"], ["stitch", "--config=a.toml", "x"]):
        choice, others = split_config([*words, "--no-config"])
        assert (str(choice.file), choice.own, others) == ("a.toml", False, ["stitch", "x"])
    with pytest.raises(InputError, match="--config: expected a file"):
        split_config(["stitch", "--config"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("crop = true", "crop outside of a table: expected tables named like commands: stitch"),
        ("[stich]", "[stich]: expected tables named like commands"),
        ("[stich]", "did you mean 'stitch'?"),
        ("stitch = 3", "stitch = 3: expected a table, [stitch]"),
        ("[stitch]\ncop = true", "no option called 'cop'; did you mean 'crop'?"),
        ("[stitch]\npictures = 'x'", "no option called 'pictures'"),
        ("[stitch]\ncrop = 1", "crop = 1: expected true or false"),
        ("[stitch]\nwork-megapix = 'many'", "--work-megapix: could not convert string to float: 'many'"),
        ("[stitch]\nwork-megapix = true", "expected text, a number or a list of these"),
        ("[stitch]\nprojection = 'cylindr'", "did you mean 'cylinder'?"),
        ("[stitch]\nbackground = [1, 2]", "--background: too few values; expected 3"),
        ("[stitch", "is no TOML ("),
        ('[stitch]\nwarp = "\\ud800"', "is no TOML ("),
        ("[stitch]\nwarp = " + 30_000 * "[", "is no TOML ("),
        ('[stitch]\nload-warp = "a\\u0000b"', "expected text, a number or a list of these"),
        ("#" * 100_001, "too large: expected at most 100000 bytes"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_name(tmp_path, capsys, text, words):
    named = tmp_path / "named.toml"
    named.write_text(text)
    assert main(["stitch", *GIVEN, "--config", str(named)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"parastitch: {named}: ")
    assert words in err


def test_a_file_that_is_named_must_be_there(tmp_path, capsys):
    assert main(["stitch", *GIVEN, "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: no such file; expected a text file, .toml" in capsys.readouterr().err
    assert main(["stitch", *GIVEN, "--config", "/dev/zero"]) == 2
    assert "/dev/zero: a pipe or a device" in capsys.readouterr().err
    assert main(["stitch", *GIVEN, "--config", 500 * "x"]) == 2
    assert "File name too long" in capsys.readouterr().err


def test_a_byte_order_mark_is_no_damage(tmp_path):
    named = tmp_path / "named.toml"
    named.write_text("\ufeff[stitch]\ncrop = true\n")
    assert parsed(ConfigChoice(named, own=False))[0].crop


def test_homes_and_paths_that_cannot_be_are_no_defects(tmp_path, monkeypatch):
    named = tmp_path / "named.toml"
    named.write_text(f"[stitch]\nreport = '~nobody-has-this-name/page.html'\nlens = '{5000 * 'x'}.yml'\n")
    for home in (str(tmp_path / "no folder"), "/" + 5000 * "x"):
        monkeypatch.setenv("XDG_CONFIG_HOME", home)
        _, outputs, _ = parsed(ConfigChoice(named, own=True))
        assert outputs.report == tmp_path / "~nobody-has-this-name" / "page.html"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where the system does not know the user
    parsed(ConfigChoice(None, own=True))


def test_a_broken_own_file_stops_a_command_but_no_help(own_file, capsys):
    own_file.write_text("[stitch")
    assert main(["stitch", *GIVEN]) == 2
    assert "; repair it, or --no-config" in capsys.readouterr().err
    for arguments in (["--help"], ["-V"], ["stitch", "--help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out
    assert main(["stitch", *GIVEN, "--no-config"]) == 2
    assert "cannot read left.jpg" in capsys.readouterr().err


def test_the_help_shows_the_defaults_of_the_files(own_file, capsys):
    own_file.write_text("[stitch]\nwork-megapix = 0.123\n")
    assert main(["stitch", "--help"]) == 0
    assert "(default: 0.123)" in capsys.readouterr().out
