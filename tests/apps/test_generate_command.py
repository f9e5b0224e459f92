"""`parastitch generate` on the command line, with made-up samples in place of the ray caster."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from fake_renderer import open_fake, without_processes

from apps.cli import main
from datasets import generate as module

SIZE = ["--size", "64", "48"]


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)
    monkeypatch.setattr(module, "generate", partial(module.generate, open_renderer=open_fake))


def test_generates_verifies_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert main(["generate", out, "--count", "5", *SIZE, "--preview"]) == 0
    said = capsys.readouterr()
    assert f"{out}: 5 samples written, 0 were there already" in said.err
    assert "render 2.5" in said.err
    assert "pairs/s" in said.err
    assert said.out.splitlines()[1].startswith("overlap")
    assert {"preview.jpg", "histograms.png"} <= {path.name for path in Path(out).iterdir()}
    assert main(["generate", out, "--count", "5", *SIZE, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["generate", "--verify", out]) == 0
    assert capsys.readouterr() == ("", f"{out}: all is well\n")


def test_problems_are_printed_and_give_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    main(["generate", str(out), "--count", "5", *SIZE, "--shards", "--shard-size", "2"])
    (out / "shard-000001.tar").unlink()
    capsys.readouterr()
    assert main(["generate", "--verify", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "shard-000001.tar: missing; generate it",
        "2 of 5 samples are missing: 2-3; generate them",
    ]
    assert said.err == f"{out}: 2 problems\n"
    assert main(["generate", "--stats", str(out)]) == 0
    assert "3" in capsys.readouterr().out.splitlines()[1].split()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected one folder"),
        (["out", "--verify", "out"], "expected one folder"),
        (["out"], "--count is missing"),
        (["out", "--count", "-5"], "--count -5: expected 1 to"),
        (["out", "--count", "5", "--overlap", "0.5", "1.5"], "--overlap 0.5 1.5: expected lowest and highest"),
        (["out", "--count", "5", "--scenes", "moon"], "--scenes moon: expected one or more of room"),
        (["out", "--count", "5", "--index-range", "4", "9"], "--index-range 4 9"),
        (["out", "--count", "5", "--engine", "slurm"], "slurm"),
        (["--verify", "nowhere"], "nowhere/dataset.json"),
        (["--stats", "nowhere"], "nowhere/dataset.json"),
        (["file/out", "--count", "5"], "file is no folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    assert main(["generate", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("parastitch: ")
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_help_imports_no_large_library() -> None:
    script = "import sys; from apps.cli import main\ntry: main(['generate', '--help'])\n"
    script += "except SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    modules = set(done.stderr.split())
    assert "--index-range" in done.stdout
    assert "apps.generate" in modules
    assert not modules & {"torch", "cv2", "numpy", "scipy", "skimage", "albumentations", "ray"}


def test_sets_of_pictures_are_generated_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from worlds import CPU, gentle_bank

    from datasets.sample_renderer import SampleRenderer
    from datasets.view_sets import renderer

    monkeypatch.setattr(
        renderer, "open_renderer", lambda options, seed, device: SampleRenderer(options, seed, CPU, gentle_bank())
    )
    out, options = tmp_path / "out", ["--count", "1", "--scenes", "room", "--supersampling", "1", "--jobs", "1"]
    assert main(["generate", str(out), "--views", "3", *SIZE, *options]) == 0
    assert "1 sets written, 0 were there already" in capsys.readouterr().err
    assert {path.name for path in (out / "000000").iterdir()} == {"1.png", "2.png", "3.png", "truth.npz"}
    assert main(["generate", "--verify", str(out)]) == 0
    assert main(["generate", str(out), "--views", "3", *SIZE, *options, "--shards"]) == 2
    assert "--views or --ring with --shards: expected pairs" in capsys.readouterr().err
