"""Generators by name. A generator is a function of an `AlignedPair`; see `stitching.blending.blend.Generator`."""

import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend, Generator
from stitching.blending.seam import seam
from stitching.blending.sigmo import SigmoGenerator
from stitching.errors import InputError, did_you_mean
from stitching.network.interface import SIGMO, Device
from stitching.network.runtime.network_files import graph_file, load_runtime
from stitching.warping.warp import AlignedPair


def find_generator(name: str, device: Device = "auto") -> Generator:
    """The generator called `name`: `seam`, or `network` or `network:WEIGHTS`, SIGMo; see `graph_file`.

    Nothing heavy is imported before the generator is called.

    Raises:
        InputError: there is none, a package is not installed, or the weights are missing.
    """
    if name == "seam":
        return seam
    kind, _, weights = name.partition(":")
    if kind != "network" or name == "network:":
        similar = did_you_mean(name, ("auto", "seam", "network"))
        raise InputError(f"no blend called {name!r}; known: seam, network, network:WEIGHTS{similar}")
    graph_file(SIGMO, weights)  # missing weights are reported before any work is done

    def generate(pair: AlignedPair, compensator: str, overall: NDArray[np.float32] | None = None) -> Blend:
        return SigmoGenerator(load_runtime(SIGMO, weights, device))(pair, compensator, overall)

    return generate
