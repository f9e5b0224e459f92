"""Two processes that train one network on different halves of a batch."""

import pytest
import torch
from task_toys import SPECS, Each, adam
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from mtl.optimization import ParameterUpdater
from mtl.strategies.aggregation import aggregator_names


class Trained(Each):
    def forward(self, tasks):
        return self.losses(tasks)


def averaged(values):
    distributed.all_reduce(values)
    return values / distributed.get_world_size()


# The aggregators share their code: one without and one with random numbers, and one that learns, stand for all.
DISTRIBUTED_SPECS = [spec for spec in SPECS if spec not in set(aggregator_names()) - {"mgda", "graddrop", "gradvac"}]


def train(rank, folder):
    """Four steps with every strategy; what was decided and learned goes into a file."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    outcome = {}
    for spec in DISTRIBUTED_SPECS:
        net = Trained()
        strategy, both = net.make(spec), DistributedDataParallel(net, find_unused_parameters=True)
        places = torch.arange(len(net.inputs))[rank::2]
        net.inputs = net.inputs[places]
        updates = ParameterUpdater(net.split(), adam(net), average=averaged, separate_forwards=True)
        decisions = [strategy.step(both, updates, places) for _ in range(4)]
        losses, groups = [dict(made.losses) for made in decisions], [made.groups for made in decisions]
        outcome[spec] = {
            "losses": losses, "groups": groups, "state": strategy.state_dict(),
            "parameters": [parameter.detach() for parameter in net.parameters()],
        }  # fmt: skip
    torch.save(outcome, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.slow
def test_processes_decide_and_learn_the_same_with_every_strategy(tmp_path):
    multiprocessing.spawn(train, (str(tmp_path),), nprocs=2)
    outcomes = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert set(outcomes[0]) == set(DISTRIBUTED_SPECS)
    for spec in DISTRIBUTED_SPECS:
        assert same(*(outcome[spec] for outcome in outcomes)), spec
        assert all(map(torch.isfinite, map(torch.sum, outcomes[0][spec]["parameters"]))), spec
