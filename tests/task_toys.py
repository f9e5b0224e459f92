"""Small networks with several tasks, steps on them, and all strategies."""

import torch
from torch import nn

from mtl.connection_strength import find_layers
from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy, strategy_names
from mtl.task_norm import convert_to_task_norms, use_task

TASKS = ("near", "far")
SPECS = [
    name + (":" + ",".join(f"{task}=1" for task in TASKS) if name == "static" else "")
    for name in strategy_names() if name != "nash-mtl"  # its solver is under the GPL
]  # fmt: skip
SPECS += [
    "gradient-norms:alpha=1.5", "instances+task-groups:warm_up=0,beta=0.1", "uncertainty+task-priority",
    "dynamic+instances+pcgrad", "famo:after=next", "uncertainty+db-mtl:sigma=0.5",
]  # fmt: skip


class Net(nn.Module):
    """A shared layer and one head for each task."""

    def __init__(self, tasks=TASKS):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Linear(5, 4)
        self.heads = nn.ModuleDict({task: nn.Linear(4, 1) for task in tasks})
        self.inputs = torch.randn(8, 5)

    def losses(self, tasks):
        features = torch.tanh(self.trunk(self.inputs))
        return {task: (self.heads[task](features) - len(task)).square().mean() for task in tasks}

    def steep_losses(self, tasks):
        """Those of `losses`; by the shared bias, that of "far" has an infinite slope."""
        part, losses = self.trunk.bias.sum(), self.losses(tasks)
        return {**losses, "far": losses["far"] + (part - part.detach()).sqrt()}

    def split(self):
        own = {task: list(head.parameters()) for task, head in self.heads.items()}
        return Parameters(list(self.trunk.parameters()), own)

    def copy(self):
        return [parameter.detach().clone() for parameter in self.parameters()]


def adam(net):
    return torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.1)


def updating(net, optimizer=None, **more):
    return ParameterUpdater(net.split(), optimizer or adam(net), **more)


def step(strategy, net, optimizer=None, closure=None, **more):
    return strategy.step(closure or net.losses, updating(net, optimizer, **more))


def train_plainly(net, weights, steps, clip=None):
    optimizer = adam(net)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(weights[task] * loss for task, loss in net.losses(TASKS).items()).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()


def check_reported_weights(strategy):
    """A step moves the parameters along the gradient of the losses' sum with the weights that its result reports."""
    net, plain = Net(), Net()
    weights = step(strategy, net, torch.optim.SGD(net.parameters(), 0.1)).weights
    optimizer = torch.optim.SGD(plain.parameters(), 0.1)
    sum(weights[task] * loss for task, loss in plain.losses(TASKS).items()).backward()
    optimizer.step()
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


class Each(Net):
    """Losses of each instance, and a norm for each task."""

    def __init__(self, tasks=TASKS):
        super().__init__(tasks)
        self.trunk = convert_to_task_norms(nn.Sequential(nn.Linear(5, 4, bias=False), nn.BatchNorm1d(4)), tasks)

    def losses(self, tasks):
        found = {}
        for task in tasks:
            with use_task(self.trunk, task):
                found[task] = (self.heads[task](torch.tanh(self.trunk(self.inputs))) - 2.0).square().mean(1)
        return found

    def facts(self):
        def run():
            with use_task(self.trunk, next(iter(self.heads))):
                self.trunk(self.inputs)

        return TrainingContext(
            find_layers(self.trunk, run), total_steps=20, steps_per_epoch=2, dataset_size=len(self.inputs), seed=3
        )

    def make(self, spec):
        return make_strategy(spec, tuple(self.heads), self.facts())
