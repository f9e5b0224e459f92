"""Protocols of the papers whose methods `mtl` has: options, how it is trained, what is compared, what was published.

What a paper does not tell is taken from the code that it builds on, or left at the default of the option;
docs/training/public-datasets.md says which, and what differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from apps.benchmarking.experiment.published_scores import (
    CITYSCAPES_SCORES,
    NYUD_SCORES,
    PASCAL_SCORES,
    SURREAL_SCORES,
    PublishedScores,
)
from apps.benchmarking.experiment.recipe import PLAIN, Recipe
from apps.benchmarking.metrics.metric import (
    ABSOLUTE_ERROR,
    BEST_IOU,
    MIOU,
    PIXEL_ACCURACY,
    RELATIVE_ERROR,
    RMS_ERROR,
    Metric,
)
from stitching.errors import did_you_mean, require

Words = tuple[str, ...]
Metrics = dict[str, tuple[Metric, ...]]  # by task


@dataclass(frozen=True)
class Protocol:
    """A paper's experiment on a public data set.

    Attributes:
        data: name of the set.
        tasks: those that count.
        methods: what is compared.
        network, size, batch_size, epochs, rate: as the options of these names.
        auxiliary: tasks that are trained and do not count.
        metrics: by task, the metrics that delta_m averages over; of others the main metric of their labels.
        recipe: how it is trained.
        published: the paper's scores; None: none could be found.
        classes: by task, how many the paper has, where a set has several forms.
    """

    data: str
    tasks: Words
    methods: Words
    network: str
    size: tuple[int, int]
    batch_size: int = 16
    epochs: int = 20
    rate: float = 1e-3
    auxiliary: Words = ()
    metrics: Metrics = field(default_factory=dict)
    recipe: Recipe = PLAIN
    published: PublishedScores | None = None
    classes: dict[str, int] = field(default_factory=dict)

    def options(self) -> list[str]:
        """The options as words of a command line; the last of them takes one value, so anything may follow."""
        words = ["--methods", *self.methods, "--tasks", *self.tasks]
        words += ["--auxiliary", *self.auxiliary] if self.auxiliary else []
        words += ["--network", self.network, "--size", *map(str, self.size), "--batch-size", str(self.batch_size)]
        words += ["--epochs", str(self.epochs), "--rates", str(self.rate)]
        # All training pictures but one: there is only one rate, and nothing to choose.
        words += ["--validation", "1", "--curve-points", "0"]
        return [*words, "--data", self.data]


_BASELINES = "equal", "mgda", "pcgrad", "cagrad", "aligned-mtl"
_NYUD_METRICS: Metrics = {"depth": (RMS_ERROR,)}
_PASCAL_METRICS: Metrics = {"saliency": (BEST_IOU,)}
_CITYSCAPES_METRICS: Metrics = {
    "segmentation": (MIOU, PIXEL_ACCURACY),
    "depth": (ABSOLUTE_ERROR, RELATIVE_ERROR),
}

# Weights of the papers; their loss of normals is the mean over the components, ours the sum: a third.
PROTOCOLS = {
    "connection-strength-nyud": Protocol(
        "nyud", ("segmentation", "depth", "normals"), (*_BASELINES, "task-priority"),
        "hrnet18-imagenet", (640, 480), 8, 100, 1e-4, ("edges",), _NYUD_METRICS,
        Recipe("adam", 1e-4, "poly", 1.0, 1.5, "label", "segmentation=1,depth=1,normals=3.333,edges=50"), NYUD_SCORES,
    ),
    "connection-strength-pascal": Protocol(
        "pascal-context", ("segmentation", "parts", "saliency", "normals"), (*_BASELINES, "task-priority"),
        "hrnet18-imagenet", (512, 512), 8, 100, 1e-4, ("edges",), _PASCAL_METRICS,
        Recipe("adam", 1e-4, "poly", 0.75, 1.25, "label", "segmentation=1,parts=2,saliency=5,normals=3.333,edges=50"),
        PASCAL_SCORES,
    ),
    "connection-strength-cityscapes": Protocol(
        "cityscapes", ("segmentation", "depth"), ("equal", "mgda", "graddrop", "pcgrad", "cagrad", "task-priority"),
        "segnet", (256, 128), 8, 200, 1e-4, (), _CITYSCAPES_METRICS,
        Recipe("adam", 0.0, "halved", 1.0, 1.5, "label"), CITYSCAPES_SCORES, {"segmentation": 7},
    ),
    "task-groups-nyud": Protocol(
        "nyud", ("segmentation", "depth", "normals"),
        (*_BASELINES, "uncertainty", "task-groups:beta=0.001", "task-groups:beta=0.001/heads=4"),
        "vit-tiny-imagenet", (576, 448), 8, 404, 2e-5, ("edges",), _NYUD_METRICS,
        Recipe("adam", 1e-6, "poly", 0.5, 2.0, "label", "segmentation=1,depth=1,normals=0.3333,edges=1"),
    ),
    "task-groups-pascal": Protocol(
        "pascal-context", ("segmentation", "parts", "saliency", "normals"),
        (*_BASELINES, "uncertainty", "task-groups:beta=0.001", "task-groups:beta=0.001/heads=5"),
        "vit-tiny-imagenet", (512, 512), 8, 64, 2e-5, ("edges",), _PASCAL_METRICS,
        Recipe("adam", 1e-6, "poly", 0.5, 2.0, "label", "segmentation=1,parts=1,saliency=1,normals=0.3333,edges=1"),
    ),
    "instance-parameters-surreal": Protocol(
        "surreal", ("parts", "depth"), ("equal", "uncertainty", "gradient-norms", "dynamic", "instances"),
        "small", (320, 240), published=SURREAL_SCORES,
    ),
}  # fmt: skip


def find_protocol(name: str) -> Protocol:
    """Raises InputError where there is none of this name."""
    known = f"one of {', '.join(PROTOCOLS)}{did_you_mean(name, PROTOCOLS)}"
    require(name in PROTOCOLS, f"--protocol {name}", known)
    return PROTOCOLS[name]


def with_protocol(words: Sequence[str]) -> list[str]:
    """A command line with the options of the protocol that it names before its own, which win.

    Raises InputError where it names two, or one that there is not.
    """
    named = [after for word, after in pairwise(words) if word == "--protocol"]
    named += [word.partition("=")[2] for word in words if word.startswith("--protocol=")]
    require(len(named) < 2, f"--protocol {' and '.join(named)}", "one protocol")
    return [*(find_protocol(named[0]).options() if named else ()), *words]
