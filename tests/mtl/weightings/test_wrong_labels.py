"""Two tasks on a shared network; 40 % of the labels of one of them belong to other instances."""

import pytest
import torch
from torch import nn

from mtl.noisy_labels import detection
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy

COUNT, WRONG, EPOCHS, BATCH = 600, 240, 50, 20
TASKS = ("place", "colour")


class Problem:
    """Instances with a place (three numbers) and a class, a small network, and a clean test set."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        self.trunk = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.heads = nn.ModuleDict({"place": nn.Linear(32, 3), "colour": nn.Linear(32, 4)})
        truth = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 7)).requires_grad_(False)
        self.inputs, self.unseen = torch.randn(COUNT, 10), torch.randn(1000, 10)
        answers, self.wanted = 5 * truth(self.inputs), 5 * truth(self.unseen)
        self.labels = {"place": answers[:, :3].clone(), "colour": answers[:, 3:].argmax(1)}
        wrong = torch.randperm(COUNT)[:WRONG]
        self.labels["place"][wrong] = self.labels["place"][wrong.roll(1)]
        self.corrupted = torch.zeros(COUNT, dtype=torch.bool)
        self.corrupted[wrong] = True

    def losses(self, places, tasks):
        features = self.trunk(self.inputs[places])
        found = {}
        for task in tasks:
            answer, label = self.heads[task](features), self.labels[task][places]
            found[task] = (
                (answer - label).square().mean(1) if task == "place"
                else nn.functional.cross_entropy(answer, label, reduction="none")
            )  # fmt: skip
        return found

    def train(self, spec):
        parameters = Parameters(list(self.trunk.parameters()), {t: list(h.parameters()) for t, h in self.heads.items()})
        updates = ParameterUpdater(parameters, torch.optim.Adam(parameters, lr=3e-3))
        training = TrainingContext(dataset_size=COUNT, loss_forms={"place": "l2", "colour": "cross_entropy"})
        strategy = make_strategy(spec, TASKS, training)
        order = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for places in torch.randperm(COUNT, generator=order).split(BATCH):
                strategy.step(lambda tasks, places=places: self.losses(places, tasks), updates, places)
        return strategy

    @torch.no_grad()
    def error(self):
        """Mean squared error of the task with wrong labels, on clean instances."""
        return (self.heads["place"](self.trunk(self.unseen)) - self.wanted[:, :3]).square().mean().item()

    @torch.no_grad()
    def all_losses(self):
        return self.losses(torch.arange(COUNT), ["place"])["place"].numpy()


@pytest.mark.slow
def test_instance_weights_cut_the_error_and_find_the_wrong_labels():
    problems = {spec: Problem(seed=0) for spec in ("equal", "instances")}
    strategies = {spec: problem.train(spec) for spec, problem in problems.items()}
    corrupted = problems["equal"].corrupted.numpy()
    by_loss = detection(problems["equal"].all_losses(), corrupted)
    by_weight = detection(strategies["instances"].parameters[:, 0].numpy(), corrupted)
    assert problems["instances"].error() < 0.7 * problems["equal"].error()
    assert by_weight.roc_auc > max(0.95, by_loss.roc_auc)
