"""Trained networks by name: what is opened and when; what is missing or damaged is told, never gone around."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.cli import main
from stitching.blending.generators import find_generator
from stitching.errors import InputError
from stitching.network.runtime import exported_file as onnx_file
from stitching.network.runtime import network_files as trained
from stitching.network.runtime.network_files import find_network
from stitching.warping.estimators import find_estimator

SHIPPED = onnx_file.SHIPPED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair that every warp stitches, and files that are no network."""
    folder = tmp_path_factory.mktemp("trained")
    grain = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    scene = cv2.resize(grain, (400, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "left.png"), scene[:, :280])
    cv2.imwrite(str(folder / "right.png"), scene[:, 120:])
    content = SHIPPED.read_bytes()
    (folder / "half.onnx").write_bytes(content[: len(content) // 2])
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "half.safetensors").write_bytes(SHIPPED.with_name("network.safetensors").read_bytes()[:100_000])
    (folder / "folder.onnx").mkdir()
    return folder


def ship(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it the file that ships."""
    monkeypatch.setattr(onnx_file, "SHIPPED", path)
    monkeypatch.setattr(trained, "SHIPPED", path)


def refused(folder: Path, out: Path, capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line that `parastitch stitch` says; it ends with 2 and writes nothing."""
    capfd.readouterr()
    code = main(["stitch", str(folder / "left.png"), str(folder / "right.png"), "-o", str(out / "out.png"), *options])
    said = capfd.readouterr()
    assert (code, said.out) == (2, ""), said.err
    assert said.err.count("\n") == 1, said.err
    assert list(out.iterdir()) == []
    return said.err


# --- what is opened, and when ---


def test_a_network_is_opened_when_it_is_needed_and_once(folder: Path) -> None:
    opened = find_network("network:half.onnx", str(folder / "half.onnx"), "cpu")  # only looked for
    with pytest.raises(InputError, match="cut short"):
        opened()
    whole = find_network("network", "", "cpu")
    assert whole() is whole()


def test_two_networks_in_turns_are_opened_once_each(tmp_path: Path) -> None:
    """As a stitch with one for the warp and another for the blend asks for them."""
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(SHIPPED.read_bytes())
    shipped, other = find_network("network", "", "cpu"), find_network("network", str(copy), "cpu")
    first = shipped(), other()
    assert (shipped(), other()) == first
    assert first[0] is not first[1]


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("HOME", str(folder))
    with pytest.raises(InputError, match="cut short"):
        find_network("network", "~/half.onnx", "cpu")()


@pytest.mark.parametrize("name", ["network:", "pwm:", "networks", "Network", "refined:a.safetensors", ""])
def test_names_that_are_none_are_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(InputError, match=f"no warp called '{name}'; known: classical, .*network:FILE"):
        find_estimator(name)


@pytest.mark.parametrize("name", ["network:", "networks", "seam:a.onnx", "pwm", ""])
def test_blends_that_are_none_are_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(InputError, match=f"no blend called '{name}'; known: seam, network, network:FILE"):
        find_generator(name)


# --- what is missing ---


@pytest.mark.parametrize("name", ["network:no/such.onnx", "network:no/such.safetensors"])
def test_a_missing_file_is_told_with_its_name(name: str) -> None:
    for find in (find_estimator, find_generator):
        with pytest.raises(InputError, match=r"no weights at no/such\..*: expected .* or `parastitch export` wrote"):
            find(name)


def test_weights_of_a_training_need_torch_and_exported_ones_do_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "find_spec", lambda package: None)
    with pytest.raises(InputError, match=r"needs the package torch: pip install 'parastitch\[train\]'"):
        find_estimator(f"network:{folder / 'half.safetensors'}")
    find_estimator(f"network:{folder / 'half.onnx'}")
    find_estimator("network")


@pytest.mark.parametrize("option", ["--warp", "--blend"])
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("none.onnx", ("no weights at", "parastitch export")),
        ("none.safetensors", ("no weights at",)),
        ("folder.onnx", ("no weights at",)),
        ("half.onnx", ("damaged or cut short", "parastitch export")),
        ("empty.onnx", ("damaged or cut short", "parastitch export")),
        ("half.safetensors", ("half.safetensors",)),
        ("left.png", ("left.png",)),
    ],
)
def test_a_bad_file_ends_with_code_2(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, file: str, words: tuple[str, ...]
) -> None:
    said = refused(folder, tmp_path, capfd, option, f"network:{folder / file}")
    assert file in said
    assert all(word in said for word in words), said


# --- the file that ships ---

ASKING = [
    (), ("--warp", "auto", "--blend", "seam"), ("--warp", "network"),
    ("--blend", "network"), ("--warp", "homography", "--blend", "network"),
]  # fmt: skip


@pytest.mark.parametrize("options", ASKING)
def test_without_the_file_that_ships_nothing_that_may_use_it_begins(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Also where the classical warp alone would have done."""
    ship(folder / "gone.onnx", monkeypatch)
    said = refused(folder, tmp_path, capfd, *options)
    assert "gone.onnx" in said
    assert "reinstall parastitch" in said


def test_without_the_file_that_ships_other_methods_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(folder / "gone.onnx", monkeypatch)
    pair = [str(folder / name) for name in ("left.png", "right.png")]
    plain = ["--warp", "classical", "--blend", "seam", "--quiet"]
    assert main(["stitch", *pair, "-o", str(tmp_path / "out.png"), *plain]) == 0


@pytest.mark.parametrize("options", ASKING)
def test_where_the_file_that_ships_is_cut_short_no_other_method_steps_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """No stitch is good enough here, so that auto asks for the network."""
    monkeypatch.setattr("stitching.selection.ENOUGH", -1.0)
    path = folder / "half.onnx"
    path.with_suffix(".sha256").write_text(SHIPPED.with_suffix(".sha256").read_text())
    ship(path, monkeypatch)
    said = refused(folder, tmp_path, capfd, *options)
    assert "damaged or cut short" in said
    assert "reinstall parastitch" in said


def test_the_shipped_file_of_another_version_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "network.onnx").write_bytes(SHIPPED.read_bytes())
    (other / "network.sha256").write_text("0" * 64 + "  network.onnx\n")
    ship(other / "network.onnx", monkeypatch)
    out = tmp_path / "out"
    out.mkdir()
    assert "not the file that belongs to this version" in refused(folder, out, capfd, "--warp", "network")
