"""Generators by name. A generator is a function of an `AlignedPair`; see `stitching.blending.blend.Generator`."""

from stitching.blending.blend import Blend, Generator
from stitching.blending.seam import seam
from stitching.errors import InputError
from stitching.network.runtime.network_files import find_network
from stitching.network.runtime.onnx_runtime import Device
from stitching.warping.warp import AlignedPair


def find_generator(name: str, device: Device = "auto") -> Generator:
    """The generator called `name`: `seam`, or `network` or `network:FILE`, SIGMo of a trained network.

    Nothing heavy is imported before the generator is called.

    Raises:
        InputError: there is none, a package is not installed, or the weights are a file that is missing.
    """
    if name == "seam":
        return seam
    kind, _, file = name.partition(":")
    if kind != "network" or name == "network:":
        raise InputError(f"no blend called {name!r}; known: seam, network, network:FILE")
    opened = find_network(name, file, device)

    def generate(pair: AlignedPair, compensator: str) -> Blend:
        from stitching.blending.sigmo import NetworkGenerator

        return NetworkGenerator(opened())(pair, compensator)

    return generate
