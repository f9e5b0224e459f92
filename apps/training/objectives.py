"""The network with the losses of its tasks, as one module: a batch in, losses out."""

import torch
from torch import nn

from apps.training.losses.per_example import select_example
from apps.training.losses.reduction import Terms
from apps.training.losses.self_supervised_tasks import self_supervised_losses, swapped
from apps.training.losses.supervised_tasks import supervised_losses
from apps.training.losses.targets import true_cells
from apps.training.losses.warp_losses import matching_loss
from apps.training.options import MATCHING_TASKS
from apps.training.prediction import pair_of, predict
from datasets.examples.batch import ExampleBatch
from stitching.network.stitching_network import StitchingNetwork


class Objectives(nn.Module):
    """The network with the losses of its tasks. Forward is one call, as DistributedDataParallel needs it."""

    def __init__(
        self, network: StitchingNetwork, half: bool, per_example: bool = False, trains_warp: bool = False
    ) -> None:
        """Wrap a network.

        Args:
            network: what is trained.
            half: run the network in bfloat16 where autocast allows it; losses are always computed in float32.
            per_example: losses (b,), one for each example, instead of () over all pixels of the batch. Photographs
                have losses () all the same.
            trains_warp: PWM is trained, too, so the loss of the stitch is that on PWM's warp even where no other task
                is asked for: strategies that ask for one task at a time then minimize the same as the others.
        """
        super().__init__()
        self.network, self._half, self._per_example = network, half, per_example
        self._trains_warp = trains_warp

    def forward(self, batch: ExampleBatch, tasks: tuple[str, ...], start_from_classical: bool) -> tuple[Terms, Terms]:
        """The loss of each task, and the unweighted terms () that losses are made of, for the log.

        Args:
            batch: generated examples, or photographs, which have no ground truth.
            tasks: of warp, geometry, visibility, stitch; or MATCHING_TASKS.
            start_from_classical: start PWM from the classical warp, else from its own matches.
        """
        if batch.truth is None:
            return self._on_photographs(batch, tasks, start_from_classical)
        if tasks == MATCHING_TASKS:
            with self._autocast(batch):
                matching = self.network.match(pair_of(batch))
                losses = {"matching": matching_loss(matching, true_cells(batch, batch.truth))}
            return losses, losses
        with self._autocast(batch):
            prediction = predict(self.network, batch, tasks, start_from_classical, self._trains_warp)
        if not self._per_example:
            return supervised_losses(prediction, batch, batch.truth, tasks)
        examples = [
            supervised_losses(*select_example((prediction, batch, batch.truth), index), tasks)
            for index in range(len(batch.reference))
        ]
        losses = {task: torch.stack([losses[task] for losses, _ in examples]) for task in tasks}
        return losses, {name: torch.stack([terms[name] for _, terms in examples]).mean() for name in examples[0][1]}

    def _on_photographs(
        self, batch: ExampleBatch, tasks: tuple[str, ...], start_from_classical: bool
    ) -> tuple[Terms, Terms]:
        with self._autocast(batch):
            prediction = predict(self.network, batch, tasks, start_from_classical, self._trains_warp)
            backward = None if prediction.warp is None else self.network.warp(swapped(pair_of(batch)))
        return self_supervised_losses(batch, prediction.warp, backward, prediction.stitched.get("estimated"), tasks)

    def _autocast(self, batch: ExampleBatch) -> torch.autocast:
        return torch.autocast(batch.reference.device.type, torch.bfloat16, enabled=self._half)
