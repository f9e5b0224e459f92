"""`parastitch export`: trained weights as files that need no torch."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stitching.errors import InputError
from stitching.io.file_conflicts import check_outputs


def export_command(
    weights: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    precision: Literal["fp32", "fp16"] = "fp32",
) -> None:
    """Turn trained weights into three ONNX files (matching, pwm, sigmo), each checked against torch before it is there.

    Args:
        weights: .safetensors file that parastitch train wrote.
        output: folder to write the files to.
        precision: how weights are stored: fp16 halves the files. They compute in fp32 either way.
    """
    if missing := [package for package in ("torch", "safetensors", "onnx") if find_spec(package) is None]:
        raise InputError(f"export needs {', '.join(missing)}: pip install 'parastitch[train]'")
    from stitching.network.runtime.onnx_export import EXPORTED_FILES, export_network
    from stitching.network.stitching_network import StitchingNetwork
    from stitching.network.weights import load_into, load_weights

    check_outputs([("OUTPUT", output / name) for name in EXPORTED_FILES], [("WEIGHTS", weights)])
    checkpoint, network = load_weights(weights), StitchingNetwork()
    checkpoint.require_pwm()
    load_into(network, checkpoint)
    differences = export_network(network, output, checkpoint.architecture, precision)
    print("largest differences from torch with the stored weights, px or shares:")
    for graph, outputs in differences.items():
        for name, difference in outputs.items():
            print(f"  {graph}: {name:20} {difference:.1e}")
    for graph in differences:
        path = output / f"{graph}.onnx"
        print(f"written: {path} ({path.stat().st_size / 1e6:.1f} MB)")
