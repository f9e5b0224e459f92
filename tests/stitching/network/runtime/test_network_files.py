"""Trained weights by name: what is opened and when; missing or damaged files are reported, nothing steps in."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from apps.cli import main
from stitching.blending.registry import find_generator
from stitching.errors import InputError
from stitching.network.interface import GRAPHS, MATCHING, PWM, SIGMO
from stitching.network.runtime import checked_file, network_files, torch_runtime
from stitching.network.runtime.checked_file import CHECKSUMS, SHIPPED
from stitching.network.runtime.network_files import graph_file, load_runtime
from stitching.network.stitching_network import StitchingNetwork
from stitching.warping.estimators.registry import find_estimator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair that every warp stitches, and weights that are damaged or missing."""
    folder = tmp_path_factory.mktemp("trained")
    grain = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    scene = cv2.resize(grain, (400, 240), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "left.png"), scene[:, :280])
    cv2.imwrite(str(folder / "right.png"), scene[:, 120:])
    for name in ("half", "empty", "nothing"):
        (folder / name).mkdir()
    for graph in GRAPHS:
        content = (SHIPPED / f"{graph.name}.onnx").read_bytes()
        (folder / "half" / f"{graph.name}.onnx").write_bytes(content[: len(content) // 2])
        (folder / "empty" / f"{graph.name}.onnx").write_bytes(b"")
        shutil.copy(SHIPPED / CHECKSUMS, folder / "half")
    (folder / "half.safetensors").write_bytes((SHIPPED / "network.safetensors").read_bytes()[:100_000])
    return folder


def ship(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it the folder that ships."""
    for module in (checked_file, network_files):
        monkeypatch.setattr(module, "SHIPPED", folder)


def refused(folder: Path, out: Path, capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line that `parastitch stitch` prints; it ends with code 2 and writes nothing."""
    capfd.readouterr()
    code = main(["stitch", str(folder / "left.png"), str(folder / "right.png"), "-o", str(out / "out.png"), *options])
    printed = capfd.readouterr()
    assert (code, printed.out) == (2, ""), printed.err
    assert printed.err.count("\n") == 1, printed.err
    assert list(out.iterdir()) == []
    return printed.err


# --- what is opened, and when ---


def test_weights_are_opened_when_they_are_needed_and_once(folder: Path) -> None:
    assert graph_file(MATCHING, str(folder / "half")) == folder / "half" / "matching.onnx"
    with pytest.raises(InputError, match="damaged"):
        load_runtime(MATCHING, str(folder / "half"), "cpu")
    assert load_runtime(MATCHING, "", "cpu") is load_runtime(MATCHING, "", "cpu")


def test_the_graphs_of_two_networks_in_turns_are_opened_once_each(tmp_path: Path) -> None:
    """As an evaluation with one for the warp and another for the blend asks for them."""
    copy = tmp_path / "copy"
    shutil.copytree(SHIPPED, copy)
    calls = [(graph, weights) for weights in ("", str(copy)) for graph in (MATCHING, PWM, SIGMO)]
    first = [load_runtime(graph, weights, "cpu") for graph, weights in calls]
    assert [load_runtime(graph, weights, "cpu") for graph, weights in calls] == first
    assert len({id(runtime) for runtime in first}) == len(calls)


def test_the_graphs_of_a_training_share_one_opened_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []

    def open_network(path: str) -> StitchingNetwork:
        opened.append(path)
        return StitchingNetwork()

    monkeypatch.setattr(torch_runtime, "open_network", open_network)
    weights = tmp_path / "network.safetensors"
    weights.touch()
    for graph in GRAPHS:
        load_runtime(graph, str(weights), "cpu")
    assert opened == [str(weights)]
    os.utime(weights, ns=(1, 1))  # other weights were written there
    load_runtime(SIGMO, str(weights), "cpu")
    assert len(opened) == 2


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert graph_file(SIGMO, "~/half") == folder / "half" / "sigmo.onnx"


@pytest.mark.parametrize("name", ["matches:", "network", "pwm:", "Matches", "refined:a.safetensors", ""])
def test_unknown_warps_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=f"no warp called '{name}'; known: classical, .*matches:WEIGHTS"):
        find_estimator(name)


@pytest.mark.parametrize("name", ["network:", "networks", "seam:a.onnx", "pwm", ""])
def test_unknown_blends_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=f"no blend called '{name}'; known: seam, network, network:WEIGHTS"):
        find_generator(name)


# --- what is missing ---


@pytest.mark.parametrize("path", ["no/such", "no/such.safetensors", "no/such.onnx"])
def test_missing_weights_are_reported_with_their_path(path: str) -> None:
    for find, kind in ((find_estimator, "matches"), (find_generator, "network")):
        with pytest.raises(InputError, match=rf"no weights at {path}: expected .* that `parastitch export` wrote"):
            find(f"{kind}:{path}")


@pytest.mark.parametrize("missing", [("torch",), ("safetensors",), ("torch", "safetensors")], ids=" and ".join)
def test_weights_of_a_training_need_torch_and_safetensors_and_exported_ones_do_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    monkeypatch.setattr(network_files, "find_spec", lambda package: None if package in missing else package)
    with pytest.raises(InputError, match=rf"needs {' and '.join(missing)}: pip install 'parastitch\[train\]'"):
        find_estimator(f"matches:{folder / 'half.safetensors'}")
    find_estimator("matches")
    find_estimator("matches")


@pytest.mark.parametrize("option", ["--warp matches", "--blend network"])
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("none", ("no weights at", "parastitch export")),
        ("none.safetensors", ("no weights at",)),
        ("nothing", ("no weights at",)),
        ("half", ("damaged, or not the file", "parastitch export")),
        ("empty", ("SHA256SUMS: No such file", "parastitch export")),
        ("half.safetensors", ("half.safetensors",)),
        ("left.png", ("no weights at",)),
    ],
)
def test_bad_weights_end_with_code_2(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, weights: str, words: tuple[str, ...]
) -> None:
    message = refused(folder, tmp_path, capfd, *f"{option}:{folder / weights}".split())
    assert weights in message
    assert all(word in message for word in words), message


# --- the weights that ship ---

ASKING = [
    (), ("--warp", "auto", "--blend", "seam"), ("--warp", "matches"),
    ("--blend", "network"), ("--warp", "homography", "--blend", "network"),
]  # fmt: skip


@pytest.mark.parametrize("options", ASKING)
def test_missing_shipped_weights_are_reported_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Also where `auto` would not ask for the network."""
    ship(folder / "gone", monkeypatch)
    message = refused(folder, tmp_path, capfd, *options)
    assert "gone" in message
    assert "reinstall parastitch" in message


def test_without_shipped_weights_other_methods_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(folder / "gone", monkeypatch)
    pair = [str(folder / name) for name in ("left.png", "right.png")]
    plain = ["--warp", "classical", "--blend", "seam", "--quiet"]
    assert main(["stitch", *pair, "-o", str(tmp_path / "out.png"), *plain]) == 0


@pytest.mark.parametrize("options", ASKING)
def test_where_shipped_weights_are_cut_short_no_other_method_steps_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """No warp is sure here, so that auto asks for the network."""
    monkeypatch.setattr("stitching.warping.estimators.classical.UNSURE_SHARE", -1)
    ship(folder / "half", monkeypatch)
    message = refused(folder, tmp_path, capfd, *options)
    assert "damaged, or not the file" in message
    assert "reinstall parastitch" in message


def test_shipped_weights_of_another_version_are_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stitching.warping.estimators.classical.UNSURE_SHARE", -1)  # the network is asked
    other, out = tmp_path / "other", tmp_path / "out"
    shutil.copytree(SHIPPED, other)
    out.mkdir()
    (other / CHECKSUMS).write_text("0" * 64 + "  matching.onnx\n")
    ship(other, monkeypatch)
    assert "not the file that belongs to its SHA256SUMS" in refused(folder, out, capfd, "--warp", "matches")


def test_a_single_exported_file_is_refused_with_its_folder_named_instead(tmp_path: Path) -> None:
    file = tmp_path / "matching.onnx"
    file.write_bytes(b"")
    with pytest.raises(InputError, match="single file: expected the folder"):
        graph_file(MATCHING, str(file))
