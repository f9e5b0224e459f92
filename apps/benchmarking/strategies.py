"""The strategies of the benchmark, as its command line names them."""

from apps.benchmarking.network import MultiTaskNetwork
from apps.benchmarking.prepared import BenchmarkData
from apps.benchmarking.settings import RunSettings
from datasets.labels import Kind
from mtl.registry import TrainingContext, make_strategy
from mtl.strategy import Strategy
from mtl.weightings.instance_weights import LossForm

LOSS_FORMS: dict[Kind, LossForm] = {
    "classes": "cross_entropy", "binary": "cross_entropy", "distance": "l1", "normals": "l1",
}  # fmt: skip


def open_strategy(
    spec: str, settings: RunSettings, network: MultiTaskNetwork, data: BenchmarkData, epoch: int
) -> Strategy:
    """For a network. epoch: batches of an epoch. Raises ValueError as make_strategy and find_layers."""
    loss_forms = {task: LOSS_FORMS[meaning.kind] for task, meaning in data.labels.items()}
    layers = network.layers(settings.data.size) if network.norms else []
    total_steps = settings.epochs * epoch
    context = TrainingContext(layers, total_steps, epoch, len(data.train), loss_forms, settings.seed)
    return make_strategy(spec, settings.tasks, context)
