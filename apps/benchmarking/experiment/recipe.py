"""How networks are trained, apart from what the options say: as papers' protocols have it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Optimizer, learning rate over time, augmentation, unit of distances.

    Attributes:
        optimizer: "adamw", or "adam", which adds the weight decay to the gradient.
        weight_decay: of the optimizer.
        schedule: share of the highest learning rate at the time t, 0 to 1: "cosine" (1 + cos(pi t)) / 2; "poly"
            (1 - t)^0.9; "halved" 1, from t = 1/2 on 1/2.
        least_zoom, most_zoom: pictures are enlarged by a random factor between these, then a random part is cut out, or
            the rest is filled.
        distances: what the loss and the network's output of distances are in: "mean", that of the training labels, or
            "label", the labels' own unit.
        weights: of the losses where several tasks are trained, under every method: TASK=WEIGHT,...; "": all 1.
    """

    optimizer: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "poly", "halved"] = "cosine"
    least_zoom: float = 1.0
    most_zoom: float = 1.0
    distances: Literal["mean", "label"] = "mean"
    weights: str = ""

    @property
    def zooms(self) -> tuple[float, float]:
        """The limits of the zoom; both are 1 where there is none."""
        return self.least_zoom, self.most_zoom

    def strategy(self, spec: str, tasks: Sequence[str]) -> str:
        """A strategy, as mtl.registry names it, on the weighted losses of these tasks."""
        weights = self.loss_weights(tasks)
        return f"static:{weights}+{spec}" if weights and len(tasks) > 1 else spec

    def loss_weights(self, tasks: Sequence[str]) -> str:
        """Those of the weights that are of these tasks: TASK=WEIGHT,...; "": all are 1."""
        return ",".join(pair for pair in self.weights.split(",") if pair.partition("=")[0] in tasks)

    def rate_factor(self, time: float) -> float:
        """Share of the highest learning rate at a time from 0, the start, to 1, the end."""
        if self.schedule == "poly":
            return float((1 - time) ** 0.9)
        if self.schedule == "halved":
            return 1.0 if time < 0.5 else 0.5
        return (1 + cos(pi * time)) / 2


PLAIN = Recipe()
