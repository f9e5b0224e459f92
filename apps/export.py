"""`parastitch export`: trained weights as a file that needs no torch."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stitching.errors import InputError


def export_command(
    weights: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    precision: Literal["fp32", "fp16"] = "fp32",
) -> None:
    """Turn trained weights into an ONNX file, checked against torch before it is there.

    Args:
        weights: .safetensors file that parastitch train wrote.
        output: .onnx file to write.
        precision: how weights are stored: fp16 halves the file. It computes in fp32 either way.
    """
    if output.suffix != ".onnx":
        raise InputError(f"cannot write {output}: expected a name that ends in .onnx")
    if missing := [package for package in ("torch", "safetensors", "onnx") if find_spec(package) is None]:
        raise InputError(f"export needs {', '.join(missing)}: pip install 'parastitch[train]'")
    from stitching.io.files import check_writable
    from stitching.network.runtime.export import export_network
    from stitching.network.stitching_network import StitchingNetwork
    from stitching.network.weights import load_into, load_weights

    check_writable(output)
    checkpoint, network = load_weights(weights), StitchingNetwork()
    load_into(network, checkpoint)
    differences = export_network(network, output, checkpoint.architecture, precision)
    print("largest differences from torch, px or shares:")
    for name, difference in differences.items():
        print(f"  {name:16} {difference:.1e}")
    print(f"written: {output} ({output.stat().st_size / 1e6:.1f} MB)")
