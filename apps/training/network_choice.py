"""The network that a run trains: PWM or another flow network, with the weights that it begins from."""

from pathlib import Path

import torch

from apps.training.options import PWM, Mode, TrainOptions
from mtl.registry import needs_task_norms
from stitching.errors import InputError, require
from stitching.network.matching.efficientnet_lite import load_imagenet_weights
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_into, load_weights


def new_network(mode: Mode, options: TrainOptions, resumed: bool = False) -> StitchingNetwork:
    """The network of a run, random but for what ImageNet taught, --begin-from replaces, or --flow names a file of.

    resumed: all its weights will come from a saved run.

    Raises InputError where --flow does not go with the mode or another option, there is no such network of ptlflow,
    or the file does not hold its weights.
    """
    if options.flow == PWM:
        network = StitchingNetwork()
        if options.begin_from is None and not resumed:
            load_imagenet_weights(network.warping.matching.encoder)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
    with_flow = f"with --flow {options.flow}"
    require(mode == "flow", f"train {mode} {with_flow}", "train flow: such a network shares no backbone with SIGMo")
    require(options.pairs is None, f"--pairs {with_flow}", "PWM, which predicts what photographs hide")
    require(options.validate_matches is None, f"--validate-matches {with_flow}", "PWM, whose matches it measures")
    norms = needs_task_norms(options.strategy)
    require(not norms, f"--strategy {options.strategy} {with_flow}", "a strategy that needs no norms of a backbone")
    from stitching.network.flow_networks.ptlflow_package import create_network
    from stitching.network.flow_networks.ptlflow_warping import PtlflowStitchingNetwork

    _, model, weights = [*options.flow.split(":", 2), ""][:3]
    return PtlflowStitchingNetwork(create_network(model, weights))


def flow_of(options: TrainOptions) -> str:
    """What estimates the warp, without its weights: pwm or ptlflow:MODEL."""
    return ":".join(options.flow.split(":")[:2])


def begin_from(network: StitchingNetwork, path: Path, options: TrainOptions) -> None:
    """Load the weights that an earlier run wrote. Raises InputError where they are of another network."""
    checkpoint = load_weights(path)
    if checkpoint.flow != flow_of(options):
        raise InputError(f"--begin-from {path}: holds {checkpoint.flow}; expected {flow_of(options)}, as --flow says")
    load_into(network, checkpoint)
