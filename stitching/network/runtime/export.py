"""All that the networks give, as one graph: a pair on its window in, fields out; and as a file for ONNX Runtime."""

import json
import warnings
from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.errors import InputError, JobError
from stitching.io.files import AnyPath, check_writable, replacing
from stitching.network.backbone import Features
from stitching.network.correlation import CELL, best_match
from stitching.network.inputs import PairTensors, Start
from stitching.network.runtime.exported_file import FORMAT, VERSION, sealed
from stitching.network.runtime.onnx_runtime import INPUTS, NEEDS, OUTPUTS, PARTS, OnnxRunner, parts_of
from stitching.network.sampling import pixels
from stitching.network.splatting import Splatted, splat
from stitching.network.stitching_network import StitchingNetwork
from stitching.warping.splat import LEAST_SUPPORT, SHARPNESS

Precision = Literal["fp32", "fp16"]

OPSET = 18  # of ONNX; AveragePool and ScatterElements as they are used here
LIMIT = 1e-3  # px, or shares, by which a file may differ from torch
_TRACED, _TRIED = (64, 96), (136, 104)  # (h, w) px; tried on odd numbers of cells


class ExportedNetwork(nn.Module):
    """A network whose inputs and outputs are tensors: `onnx_runtime.INPUTS` and `OUTPUTS`, in their order."""

    def __init__(self, network: StitchingNetwork) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, *planes: Tensor) -> tuple[Tensor, ...]:
        """All `OUTPUTS` of all `INPUTS`."""
        found = self.fields(OUTPUTS, planes)
        return tuple(found[name] for name in OUTPUTS)

    def fields(self, outputs: Collection[str], planes: Iterable[Tensor]) -> dict[str, Tensor]:
        """The outputs of all parts that must run for these, of all `INPUTS`."""
        reference, target, reference_valid, target_valid, residual, trusted = planes
        pair = PairTensors(reference, target, reference_valid, target_valid)
        parts = parts_of(outputs)
        there, here = self.network.warp_features(pair)
        found: list[Tensor] = []
        if "match" in parts:
            found += self._matched(pair, there, here)
        if "match_back" in parts:
            found += self._matched(PairTensors(target, reference, target_valid, reference_valid), here, there)
        if "move" in parts:
            warp = self.network.warping(pair, there, here, Start(residual, trusted))
            confidence = torch.sigmoid(warp.visibility)
            found += [warp.residual, warp.free, confidence]
        if "splat" in parts:
            brought = torch.cat([target, -warp.residual], dim=1)
            moved = splat(brought, warp.residual, SHARPNESS * confidence, target_valid)
            found += [pixels(target) + moved.values[:, 3:], moved.coverage]
        if "blend" in parts:
            made = self.network.generate(pair, Splatted(moved.values[:, :3], moved.coverage)).generated
            found += [made.weight, made.gain, made.fill]
        names = (name for part, outputs in PARTS.items() if part in parts for name in outputs)
        return dict(zip(names, found, strict=True))

    def _matched(self, pair: PairTensors, there: Features, here: Features) -> tuple[Tensor, Tensor]:
        """(1, 2, h / 8, w / 8) px and (1, 1, h / 8, w / 8)."""
        logits = self.network.warping.match(pair, there, here)
        move, sure = best_match(logits, *here.eighth.shape[2:])
        return CELL * move / sure.clamp_min(1e-6), sure  # the less sure, the shorter is what best_match says


def export_network(
    network: StitchingNetwork, path: AnyPath, facts: Mapping[str, Any], precision: Precision = "fp32"
) -> dict[str, float]:
    """Write the network as a file for `open_runner`: the new file whole, or the old one as it was.

    Args:
        network: in evaluation mode afterwards.
        path: of the file, .onnx.
        facts: what the file says about its weights; anything that JSON holds.
        precision: fp16 stores large weights in half precision; it computes in float32 either way.

    Returns:
        How far each of `OUTPUTS` is off from torch at most, on a random window: px, or shares.

    Raises:
        InputError: no file can be written at `path`, or the weights do not fit into fp16.
        JobError: writing failed, or the file does not compute what torch does.
    """
    check_writable(path)
    rounded = _rounded(network) if precision == "fp16" else network
    facts = {"format": FORMAT, "version": VERSION, "precision": precision, "architecture": json.dumps(dict(facts))}
    with replacing(path) as temporary:
        _trace(ExportedNetwork(rounded), temporary)
        temporary.write_bytes(sealed(_finished(temporary, facts, precision)))
        runner = OnnxRunner.open(temporary, "cpu")
        differences = _differences(runner, rounded)
        if worst := {name: error for name, error in differences.items() if not error <= LIMIT}:
            raise JobError(f"{path}: not written, it would differ from torch by {worst}; at most {LIMIT} is expected")
        return differences if rounded is network else _differences(runner, network)


def _rounded(network: StitchingNetwork) -> StitchingNetwork:
    """With the weights that a file of half precision holds."""
    from stitching.network.runtime.onnx_graph import SMALL

    rounded = deepcopy(network)
    with torch.no_grad():
        for name, weight in rounded.named_parameters():
            if weight.numel() > SMALL:
                weight.copy_(weight.half())
                if not weight.isfinite().all():
                    raise InputError(f"{name} does not fit into half precision; use --precision fp32")
    return rounded


def _trace(network: ExportedNetwork, path: Path) -> None:
    """Write the graph of the network, for windows of any size."""
    axes = {name: {2: "height", 3: "width"} for name in (*INPUTS, *OUTPUTS)}
    axes |= {name: {2: "rows", 3: "columns"} for part in ("match", "match_back") for name in PARTS[part]}
    with warnings.catch_warnings(), torch.no_grad():
        # Of an exporter that is old, but 70 times as fast as the new one, with the same results; and of sizes that may
        # have stayed in the graph: another one is tried afterwards.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            _window(_TRACED),
            path,
            dynamo=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            # Norms stay apart: merged into them, the convolutions that two tasks share would be there twice.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )


def _finished(path: Path, facts: Mapping[str, str], precision: Precision) -> bytes:
    """The graph of that file, its parts on demand, with facts."""
    import onnx  # half a second

    from stitching.network.runtime.onnx_graph import halve_weights, run_on_demand

    model = onnx.load(path)
    run_on_demand(model, PARTS, NEEDS)
    if precision == "fp16":
        halve_weights(model)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _differences(runner: OnnxRunner, network: StitchingNetwork) -> dict[str, float]:
    """The largest difference of each output on a random window; of `backward`, where enough landed."""
    planes = _window(_TRIED)
    with torch.inference_mode():
        expected = dict(zip(OUTPUTS, ExportedNetwork(network)(*planes), strict=True))
    found = runner(OUTPUTS, {name: plane.numpy() for name, plane in zip(INPUTS, planes, strict=True)})
    off = {name: np.abs(found[name] - expected[name].numpy()) for name in OUTPUTS}
    off["backward"] *= expected["coverage"].numpy() > LEAST_SUPPORT  # with less, rounding is divided by next to nothing
    return {name: float(error.max()) for name, error in off.items()}


def _window(size: tuple[int, int]) -> tuple[Tensor, ...]:
    """`INPUTS` (1, c, h, w): a smooth random picture, moved, both seen in part; a smooth start, trusted in part."""
    generator = torch.Generator().manual_seed(0)
    h, w = size

    def smooth(channels: int, scale: int) -> Tensor:
        small = torch.rand(1, channels, h // scale, w // scale, generator=generator)
        return functional.interpolate(small, size, mode="bilinear", align_corners=False)

    picture = 0.6 * smooth(3, 8) + 0.4 * smooth(3, 2)
    valid = torch.ones(2, 1, 1, h, w)
    valid[0, ..., 3 * w // 4 :], valid[1, ..., : w // 4] = 0, 0
    moved = 0.9 * torch.roll(picture, (3, -5), (2, 3))
    start, trusted = 8 * smooth(2, 8) - 4, (smooth(1, 4) > 0.5).float()
    return picture * valid[0], moved * valid[1], valid[0], valid[1], start, trusted
