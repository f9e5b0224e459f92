"""Train any PyTorch model on two losses with a multi-task optimizer: python two_losses.py [STRATEGY].

Needs the extra [train]. Strategies: docs/training/multi-task.md.
"""

import sys

import torch

from mtl.optimization import Parameters, ParameterUpdater
from mtl.registry import TrainingContext, make_strategy

STEPS = 60
torch.manual_seed(0)
trunk = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh())
heads = torch.nn.ModuleDict({"height": torch.nn.Linear(32, 1), "slope": torch.nn.Linear(32, 1)})
points = torch.rand(256, 2) * 2 - 1
truth = {"height": torch.sin(3 * points[:, :1]), "slope": torch.cos(3 * points[:, :1])}


def losses(tasks):
    """The losses of these tasks: called as often as the strategy needs them."""
    features = trunk(points)
    return {task: (heads[task](features) - truth[task]).square().mean() for task in tasks}


optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=0.02)
own = {task: list(head.parameters()) for task, head in heads.items()}
updater = ParameterUpdater(Parameters(list(trunk.parameters()), own), optimizer)
strategy = make_strategy(sys.argv[1] if len(sys.argv) > 1 else "pcgrad", list(heads), TrainingContext(STEPS))
for step in range(STEPS):
    result = strategy.step(losses, updater)
    if step % 20 == 0 or step == STEPS - 1:
        print(step, {task: round(float(loss), 3) for task, loss in result.losses.items()})
