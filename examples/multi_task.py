"""Train any PyTorch model on several losses with a multi-task optimizer: python multi_task.py [STRATEGY].

Needs the extra [mtl]. Strategies: docs/training/multi-task.md.
"""

import sys

import torch

import mtl

torch.manual_seed(0)
trunk = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh())
heads = torch.nn.ModuleDict({"height": torch.nn.Linear(32, 1), "slope": torch.nn.Linear(32, 1)})
points = torch.rand(256, 2) * 2 - 1
truth = {"height": torch.sin(3 * points[:, :1]), "slope": torch.cos(3 * points[:, :1])}


# All that a training needs:
def losses(tasks):
    """The losses of these tasks: called as often as the strategy needs them."""
    features = trunk(points)
    return {task: (heads[task](features) - truth[task]).square().mean() for task in tasks}


own = {task: list(head.parameters()) for task, head in heads.items()}
parameters = mtl.Parameters(list(trunk.parameters()), own)
updater = mtl.ParameterUpdater(parameters, torch.optim.Adam(list(parameters), lr=0.02))
strategy = mtl.make_strategy(sys.argv[1] if len(sys.argv) > 1 else "famo", list(heads))
for step in range(60):
    result = strategy.step(losses, updater)
    print(step, {task: round(loss, 3) for task, loss in result.losses.items()})
