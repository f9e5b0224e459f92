"""Files of exported networks, without torch: what is opened, what is refused, what a runner is asked."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from stitching.errors import InputError
from stitching.network.runtime import exported_file as onnx_file
from stitching.network.runtime import onnx_runtime as running
from stitching.network.runtime.exported_file import FORMAT, VERSION, read_model, sealed
from stitching.network.runtime.onnx_runtime import INPUTS, OUTPUTS, PARTS, OnnxRunner, complete, open_runner, parts_of

Planes = dict[str, NDArray[np.float32]]


def small_model(**metadata: str) -> bytes:
    """Every output is a picture of threes where its part was asked for, else empty: a graph of the right names."""
    nodes, inputs, outputs = [], [], []
    for name, channels in INPUTS.items():
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "h", "w"]))
    for part, names in PARTS.items():
        inputs.append(helper.make_tensor_value_info(part, TensorProto.BOOL, []))
        nodes.append(helper.make_node("Cast", [part], [f"{part}/n"], to=TensorProto.FLOAT))
        nodes += [helper.make_node("Add", ["target", f"{part}/n"], [name]) for name in names]
        outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in names]
    graph = helper.make_graph(nodes, "small", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"format": FORMAT, "version": VERSION, **metadata})
    return bytes(model.SerializeToString())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    path.write_bytes(sealed(small_model(step="7")))
    return path


def ship(path: Path, monkeypatch: pytest.MonkeyPatch, digest: str | None = None) -> None:
    """Make it the file that ships, with that hash beside it or its own."""
    monkeypatch.setattr(onnx_file, "SHIPPED", path)
    digest = digest or hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".sha256").write_text(f"{digest}  network.onnx\n")


def planes(h: int = 32, w: int = 40) -> Planes:
    return {name: np.ones((1, channels, h, w), np.float32) for name, channels in INPUTS.items()}


def test_a_sealed_file_is_whole_onnx_and_says_what_it_is(file: Path) -> None:
    onnx.checker.check_model(onnx.load(file))
    runner = open_runner(file, "cpu")
    assert isinstance(runner, OnnxRunner)
    assert runner.facts["step"] == "7"
    assert runner.facts["sha256"] == hashlib.sha256(small_model(step="7")).hexdigest()


def test_only_parts_that_are_needed_are_switched_on(file: Path) -> None:
    """A part's outputs are the target plus 1 where it was switched on."""
    runner = open_runner(file, "cpu")
    assert runner(["weight", "matches"], planes()).keys() == {"weight", "matches"}
    assert (runner(["weight"], planes())["weight"] == 2).all()
    assert parts_of(["weight"]) == {"move", "splat", "blend"}
    assert parts_of(["coverage", "back_matches"]) == {"move", "splat", "match_back"}
    assert parts_of(["free"]) == {"move"}
    assert parts_of(OUTPUTS) == {*PARTS}
    assert runner([], planes()) == {}
    assert runner(["fill", "fill"], planes()).keys() == {"fill"}


def test_what_is_left_out_is_zero(file: Path) -> None:
    """A target of zeros plus 1."""
    runner = open_runner(file, "cpu")
    assert (runner(["warp"], {"reference_valid": planes()["reference_valid"]})["warp"] == 1).all()
    filled = complete([], {"start": planes()["start"]})
    assert filled.keys() == INPUTS.keys()
    assert not filled["target"].any()
    assert filled["target"].shape == (1, 3, 32, 40)


@pytest.mark.parametrize(
    ("outputs", "change", "words"),
    [
        (["warp", "depth"], {}, "no output 'depth'; known: matches, "),
        (["warp"], {"mask": np.ones((1, 1, 32, 40), np.float32)}, "no input 'mask'; known: reference, "),
        (["warp"], {"start": np.ones((1, 3, 32, 40), np.float32)}, r"start: .*\(1, 3, 32, 40\); .*\(1, 2, 32, 40\)"),
        (["warp"], {"target": np.ones((1, 3, 40, 40), np.float32)}, r"target: .*\(1, 3, 40, 40\); .*\(1, 3, 32, 40\)"),
        (["warp"], {"target": np.ones((1, 3, 32, 40), np.uint8)}, "target: uint8 .* expected float32"),
        (["warp"], {"reference": np.ones((1, 3, 33, 40), np.float32)}, "40 x 33 px: .* multiples of 8"),
        (["warp"], {"reference": np.ones((3,), np.float32)}, r"reference: .*\(3,\); expected .*\(1, 3, h, w\)"),
    ],
)
def test_wrong_requests_are_refused_with_what_is_expected(
    file: Path, outputs: list[str], change: Planes, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        open_runner(file, "cpu")(outputs, planes() | change)


def test_no_inputs_are_refused(file: Path) -> None:
    with pytest.raises(InputError, match="no input; expected some of reference, "):
        open_runner(file, "cpu")(["warp"], {})


def bad_files(folder: Path) -> dict[str, str]:
    """Files that are no exported network, and what is said about them."""
    whole = sealed(small_model())
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    contents = {
        "short": (whole[:-9], "damaged or cut short"),
        "head": (whole[: len(whole) // 2], "damaged or cut short"),
        "empty": (b"", "damaged or cut short"),
        "flipped": (bytes(flipped), "its content has changed"),
        "seal": (whole[:-1] + bytes([whole[-1] ^ 1]), "its content has changed"),
        "foreign": (small_model(), r"no network that `parastitch export` wrote"),
        "text": (sealed(b"no graph"), "ONNX Runtime cannot use it"),
        "other": (sealed(small_model(format="x")), f"format x, version 1; .* {FORMAT}, version 1"),
        "newer": (sealed(small_model(version="2")), "version 2; this program reads"),
    }
    for name, (content, _) in contents.items():
        (folder / f"{name}.onnx").write_bytes(content)
    (folder / "folder.onnx").mkdir()
    words = {name: said for name, (_, said) in contents.items()}
    return words | {"missing": "No such file", "folder": "cannot read .*directory"}


@pytest.mark.parametrize("ships", [False, True])
def test_bad_files_are_refused_with_how_to_get_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], ships: bool
) -> None:
    for name, words in bad_files(tmp_path).items():
        path = tmp_path / f"{name}.onnx"
        if ships and path.is_file():
            ship(path, monkeypatch)
        monkeypatch.setattr(onnx_file, "SHIPPED", path if ships else None)
        with pytest.raises(InputError, match=words) as caught:
            open_runner(path, "cpu")
        message = str(caught.value)
        assert str(path) in message
        assert ("reinstall parastitch" if ships else "parastitch export") in message
        assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_the_file_that_ships_must_have_its_hash(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(file, monkeypatch)
    assert read_model(file) == file.read_bytes()
    ship(file, monkeypatch, digest="0" * 64)
    with pytest.raises(InputError, match="not the file that belongs to this version; reinstall"):
        read_model(file)
    file.with_suffix(".sha256").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"cannot read .*: damaged; reinstall"):
        read_model(file)
    file.with_suffix(".sha256").write_text("")
    with pytest.raises(InputError, match="not the file that belongs to this version; reinstall"):
        read_model(file)
    file.with_suffix(".sha256").unlink()
    with pytest.raises(InputError, match=r"cannot read .*network\.sha256: No such file.*; reinstall"):
        read_model(file)


def test_a_gpu_that_is_not_there_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match=r"--device cuda: .*onnxruntime-gpu.* or use --device cpu"):
        open_runner(file, "cuda")
    runner = open_runner(file, "auto")
    assert runner.device == "cpu"
    assert runner(["gain"], planes())


def test_a_gpu_counts_where_it_is_used_not_where_it_could_be(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package knows CUDA, the machine has none: ONNX Runtime goes on with the CPU."""
    import onnxruntime

    known = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    session = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime, "InferenceSession",
        lambda content, options, providers: session(content, options, providers=["CPUExecutionProvider"]),
    )  # fmt: skip
    assert open_runner(file, "auto").device == "cpu"
    with pytest.raises(InputError, match="--device cuda: ONNX Runtime finds no GPU"):
        open_runner(file, "cuda")


def test_as_many_threads_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert running._options().intra_op_num_threads == 3
    monkeypatch.setattr("cv2.getNumThreads", lambda: 5)
    for nothing in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert running._options().intra_op_num_threads == 5


def test_an_exported_network_runs_without_torch(file: Path) -> None:
    script = f"""if True:
        import sys, numpy as np
        from stitching.network.runtime.onnx_runtime import open_runner
        assert "onnxruntime" not in sys.modules
        runner = open_runner({str(file)!r}, "cpu")
        assert runner(["warp"], {{"target": np.zeros((1, 3, 32, 32), np.float32)}})["warp"].any()
        assert "onnxruntime" in sys.modules
        print(*{{"torch", "onnx", "safetensors", "scipy"}} & {{*sys.modules}})
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == done.stderr.strip() == ""
