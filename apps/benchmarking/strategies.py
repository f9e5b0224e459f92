"""The strategies of the benchmark, as its command line names them."""

from apps.benchmarking.network import MultiTaskNetwork
from apps.benchmarking.prepared import BenchmarkData
from apps.benchmarking.settings import RunSettings
from datasets.labels import Kind
from mtl.instance_weights import Form
from mtl.registry import Training, make_strategy
from mtl.strategy import Strategy

FORMS: dict[Kind, Form] = {
    "classes": "cross_entropy", "binary": "cross_entropy", "distance": "l1", "normals": "l1",
}  # fmt: skip


def open_strategy(
    spec: str, settings: RunSettings, network: MultiTaskNetwork, data: BenchmarkData, epoch: int
) -> Strategy:
    """For a network. epoch: batches of an epoch. Raises ValueError as make_strategy and find_layers."""
    forms = {task: FORMS[meaning.kind] for task, meaning in data.labels.items()}
    layers = network.layers(settings.data.size) if network.norms else []
    steps = settings.epochs * epoch
    return make_strategy(spec, settings.tasks, Training(layers, steps, epoch, len(data.train), forms, settings.seed))
