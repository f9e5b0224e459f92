"""The options of a training run, and the tasks that each mode trains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stitching.errors import require
from stitching.network.interface import MULTIPLE

MIN_SIDE, MAX_SIDE = 64, 2048  # px of a window

Mode = Literal["flow", "blend", "joint"]
Schedule = Literal["cosine", "constant"]

TASKS: dict[Mode, tuple[str, ...]] = {
    "flow": ("warp", "geometry", "visibility"),
    "blend": ("stitch",),
    "joint": ("warp", "geometry", "visibility", "stitch"),
}
MATCHING_TASKS = ("matching",)  # of the first stage: the cells, nothing else
FLOW_TASKS = ("warp", "geometry")  # of a flow network that is not PWM: it predicts no visibility and has no such stage
PWM = "pwm"


def tasks_at(step: int, mode: Mode, options: "TrainOptions") -> tuple[str, ...]:
    """What a step trains: matching in the first stage of a run that trains PWM, then the tasks of the run."""
    has_matching = has_matching_stage(mode, options)
    return MATCHING_TASKS if has_matching and step < options.matching_steps else tasks_of(mode, options)


def has_matching_stage(mode: Mode, options: "TrainOptions") -> bool:
    """Whether a run begins with --matching-steps; a run that does not train PWM ignores them."""
    return mode != "blend" and options.flow == PWM


def tasks_of(mode: Mode, options: "TrainOptions") -> tuple[str, ...]:
    """What a run trains."""
    return TASKS[mode] if options.flow == PWM else FLOW_TASKS


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained; the command line has the same options."""

    data: Path | None = None
    """Data set that `parastitch generate` wrote; without it, samples are generated while training."""
    textures: Path | None = None
    """Photographs to move about, and for the surfaces of samples generated while training; default: scikit-image's."""
    validation: Path | None = None
    """Data set whose first 32 samples are validated on; without it, 32 samples generated with another seed."""
    pairs: Path | None = None
    """Photographed pairs without ground truth to fine-tune on as well: input1/NAME.jpg and input2/NAME.jpg, or
    NAME/1.jpg and NAME/2.jpg. Every second step takes them."""
    cache: Path | None = None
    """Folder that keeps prepared examples and labels of --pairs (about 2 MB each), so that later epochs and runs need
    not align them and estimate their warp again, which takes seconds."""
    photograph_share: float = 0.4
    """Share of the examples with ground truth that are photographs moved about, instead of generated scenes."""
    pairs_per_scene: int = 8
    """Pairs that are rendered of each scene that is generated while training, from other viewpoints each."""
    raw_share: float = 0.4
    """Share of the examples with ground truth whose pictures are not aligned but turned, scaled and shifted."""
    flow: str = PWM
    """Network that `train flow` trains: pwm, or ptlflow:MODEL, a flow network of the package ptlflow in PWM's place;
    ptlflow:MODEL:FILE begins from its weights."""
    size: tuple[int, int] = (320, 256)
    """Width and height of the window that a network sees, px; multiples of 8. Samples are generated in this size."""
    batch_size: int = 8
    """Examples in a step (on each GPU)."""
    steps: int = 20000
    """Steps of the whole run; the learning rate rises and falls over them, see --schedule."""
    schedule: Schedule = "cosine"
    """Learning rate after its rise: cosine falls all the time; constant falls over the last tenth of the steps only,
    and a run may go on with more or fewer --steps."""
    matching_steps: int = 200
    """First steps, in which only the matching of the cells is trained."""
    minutes: float | None = None
    """Save and stop this long after the first step began; the same command resumes."""
    rate: float = 4e-4
    """Highest learning rate."""
    weight_decay: float = 1e-4
    """Weight decay of AdamW."""
    clip: float = 1.0
    """Gradients longer than this are scaled down to it."""
    ema: float = 0.999
    """Decay of the weights' moving average, which is what is validated and kept as best."""
    strategy: str = "equal"
    """Multi-task optimizer, NAME or NAME:OPTION=VALUE,...: equal, static, uncertainty, dynamic, instances,
    gradient-norms, pcgrad, cagrad, aligned-mtl, ..., task-priority, task-groups, same-steps; with + before another one,
    the first four weigh its losses: instances+task-groups."""
    classical_start: float = 0.5
    """Share of the batches in which PWM starts from the classical warp instead of its own matches."""
    device: str = "auto"
    """cpu, cuda, or auto: a GPU where there is one."""
    devices: int = 1
    """GPUs of each machine (with --device cpu processes); several train with DistributedDataParallel."""
    nodes: int = 1
    """Machines that train together: start the same command on each with torchrun."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Arithmetic of the convolutions."""
    workers: int | None = None
    """Processes that prepare examples; default: one less than the cores."""
    threads: int | None = None
    """Threads of the training process on a CPU; default: torch's."""
    seed: int = 0
    """Of weights, samples and their order."""
    validate_every: int = 500
    """Steps between validations."""
    validate_matches: Path | None = None
    """Pairs with ground truth, as `parastitch evaluate` takes them: each validation also measures the matching there.
    It decides nothing."""
    save_every: int = 250
    """Steps between checkpoints; one is saved at the end, on Ctrl-C and on SIGTERM, too."""
    log_every: int = 20
    """Steps between lines of the log."""
    begin_from: Path | None = None
    """Weights to begin with (.safetensors) instead of random ones."""
    freeze_backbone: bool = False
    """Do not train the backbone's convolutions, so that the other module still works with them."""
    overfit_batch: bool = False
    """Train on the first batch alone, to check that the network can learn at all."""

    def __post_init__(self) -> None:
        """Raise InputError where an option is impossible; it names the option, its value and what is possible."""
        w, h = self.size
        fits = all(side % MULTIPLE == 0 and MIN_SIDE <= side <= MAX_SIDE for side in (w, h))
        require(fits, f"--size {w} {h}", f"multiples of {MULTIPLE}, {MIN_SIDE} to {MAX_SIDE}")
        counts = ("batch_size", "pairs_per_scene", "steps", "devices", "nodes")
        for name in (*counts, "validate_every", "save_every", "log_every"):
            self._require(name, getattr(self, name) >= 1, "1 or more")
        self._require("matching_steps", self.matching_steps >= 0, "0 or more")
        for name in ("rate", "clip"):
            self._require(name, getattr(self, name) > 0, "above 0")
        self._require("flow", self.flow == PWM or self.flow.startswith("ptlflow:"), "pwm or ptlflow:MODEL[:FILE]")
        for name in ("weight_decay", "seed"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("ema", 0 <= self.ema < 1, "at least 0 and below 1")
        self._require("device", self.device in ("auto", "cpu", "cuda"), "auto, cpu or cuda")
        self._require("threads", self.threads is None or self.threads >= 1, "1 or more")
        for name in ("photograph_share", "raw_share", "classical_start"):
            self._require(name, 0 <= getattr(self, name) <= 1, "0 to 1")
        self._require("minutes", self.minutes is None or self.minutes > 0, "above 0")
        self._require("workers", self.workers is None or self.workers >= 0, "0 or more")

    def _require(self, name: str, condition: bool, expected: str) -> None:
        require(condition, f"--{name.replace('_', '-')} {getattr(self, name)}", expected)
