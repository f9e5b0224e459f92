import pytest
import torch
from torch import nn

from mtl.connection_strength import channel_shares, connection_strengths, find_layers, top_tasks
from mtl.strategies.task_priority import project_on_priority
from mtl.task_norm import TaskNorm, convert_to_task_norms, use_task

TASKS = ("near", "far", "sky")


class Block(nn.Module):
    """Convolutions with norms behind them, one norm without a convolution before it, one convolution without a norm."""

    def __init__(self):
        super().__init__()
        self.odd = nn.BatchNorm2d(3)
        self.first = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 6, 1)
        self.second_norm = nn.BatchNorm2d(6)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = torch.relu(self.first_norm(self.first(self.odd(x))))
        return self.last(self.second_norm(self.second(x)))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.qkv = nn.LayerNorm(4), nn.Linear(4, 12)
        self.norm2, self.fc1, self.fc2 = nn.LayerNorm(4), nn.Linear(4, 8), nn.Linear(8, 4)

    def forward(self, x):
        x = x + self.qkv(self.norm1(x)).chunk(3, dim=-1)[2]
        return x + self.fc2(torch.relu(self.fc1(self.norm2(x))))


def disturbed(model, seed=0):
    """Each task's norms as a training might leave them."""
    random = torch.Generator().manual_seed(seed)
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if "norms." in name and value.is_floating_point():
            value.data = torch.rand(value.shape, generator=random) + 0.1
    return model


def run(model, x):
    def once():
        with use_task(model, "near"):
            return model(x)

    return once


@pytest.fixture
def layers():
    torch.manual_seed(0)
    model = disturbed(convert_to_task_norms(Block(), TASKS))
    return find_layers(model, run(model, torch.randn(2, 3, 5, 5)))


def test_layers_are_those_whose_output_goes_into_a_norm_of_each_task(layers):
    assert [layer.name for layer in layers] == ["first", "second"]
    assert all(set(layer.norms) == set(TASKS) for layer in layers)


def test_strength_equals_a_brute_force_computation(layers):
    for layer in layers:
        for task, found in zip(TASKS, connection_strengths(layer, TASKS), strict=True):
            norm, weight = layer.norms[task], layer.weight
            out, inputs, rows, columns = weight.shape
            strengths = []
            for p in range(out):
                energy = 0.0
                for q in range(inputs):
                    taps = [weight[p, q, m, n].item() ** 2 for m in range(rows) for n in range(columns)]
                    energy += sum(taps) / (rows * columns)
                gamma, variance = norm.weight[p].item(), norm.running_var[p].item()
                strengths.append(gamma**2 / (variance + norm.eps) * energy)
            expected = [strength / sum(strengths) for strength in strengths]
            assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_the_task_with_the_largest_scale_owns_a_channel(layers):
    layer = layers[0]
    for task in TASKS:
        layer.norms[task].weight.data[:] = 1
        layer.norms[task].running_var[:] = 1
    layer.norms["far"].weight.data[2] = 3
    layer.norms["sky"].running_var[0] = 0.01
    owners = top_tasks(layer, TASKS)
    assert owners[2] == TASKS.index("far")
    assert owners[0] == TASKS.index("sky")
    shares = channel_shares([layer], TASKS)["first"]
    assert shares == {task: pytest.approx((owners == place).sum() / 4) for place, task in enumerate(TASKS)}


def test_a_linear_layer_behind_a_layer_norm_is_found_and_has_the_documented_strength():
    torch.manual_seed(0)
    model = disturbed(convert_to_task_norms(Transformer(), TASKS))
    layers = find_layers(model, run(model, torch.randn(2, 7, 4)))
    assert [layer.name for layer in layers] == ["qkv", "fc1"]
    for layer in layers:
        gamma = layer.norms["sky"].weight
        expected = ((layer.weight * gamma) ** 2).sum(1)
        assert torch.allclose(connection_strengths(layer, TASKS)[2], expected / expected.sum(), rtol=1e-5)


def test_norms_without_a_scale_count_as_one():
    model = convert_to_task_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False)), TASKS)
    (layer,) = find_layers(model, run(model, torch.randn(2, 3, 5, 5)))
    energy = layer.weight.square().sum((1, 2, 3))
    strength = energy / (layer.norms["near"].running_var + 1e-5)
    assert torch.allclose(connection_strengths(layer, TASKS)[0], strength / strength.sum())


def test_a_network_without_such_layers_is_refused():
    model = convert_to_task_norms(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1)), TASKS)
    with pytest.raises(ValueError, match="no shared layer has a norm for each task"):
        find_layers(model, run(model, torch.randn(2, 3, 5, 5)))


def test_converting_changes_no_task_at_first_and_keeps_tasks_apart_afterwards():
    torch.manual_seed(0)
    plain, x = Block(), torch.randn(4, 3, 5, 5)
    expected = plain.eval()(x)
    model = convert_to_task_norms(plain, TASKS).eval()
    with use_task(model, "far"):
        assert torch.equal(model(x), expected)
    model.train()
    with use_task(model, "far"):
        model(x)
    norms = model.first_norm.norms
    assert not torch.equal(norms["far"].running_mean, torch.zeros(4))
    assert torch.equal(norms["near"].running_mean, torch.zeros(4))
    assert norms["far"].weight is not norms["near"].weight


def test_a_norm_alone_is_converted_too():
    assert isinstance(convert_to_task_norms(nn.BatchNorm2d(3), TASKS), TaskNorm)


def test_using_puts_back_what_was_chosen_before():
    model = convert_to_task_norms(Block(), TASKS)
    with use_task(model, "near"):
        with pytest.raises(KeyError), use_task(model, "far"):
            raise KeyError
        assert model.first_norm.task == "near"
    with pytest.raises(RuntimeError, match="runs for one task"):
        model(torch.randn(2, 3, 5, 5))


def test_what_has_no_norm_or_not_of_that_task_is_refused():
    with pytest.raises(ValueError, match="no batch or layer norm"):
        convert_to_task_norms(nn.Conv2d(3, 4, 1), TASKS)
    model = convert_to_task_norms(Block(), TASKS)
    with (
        pytest.raises(ValueError, match="task 'fog': the network has norms for 'near', 'far', 'sky'"),
        use_task(model, "fog"),
    ):
        pass


def test_projection_leaves_the_owner_untouched_and_the_others_without_conflict_in_each_group():
    random = torch.Generator().manual_seed(3)
    gradients = [torch.randn(8, 5, 3, 3, generator=random) for _ in TASKS]
    gradients[1][:4] -= 2 * gradients[0][:4]  # a conflict that is sure
    owners = torch.tensor([0, 0, 0, 0, 1, 2, 1, 2])
    before = [gradient.clone() for gradient in gradients]
    projected = project_on_priority(gradients, owners)
    for top in range(3):
        channels = owners == top
        assert torch.equal(projected[top][channels], before[top][channels])
        for other in {0, 1, 2} - {top}:
            product = (before[top][channels] * projected[other][channels]).sum()
            assert product > -1e-4
            if (before[top][channels] * before[other][channels]).sum() >= 0:
                assert torch.equal(projected[other][channels], before[other][channels])
            else:
                assert product == pytest.approx(0, abs=1e-4)
    assert all(torch.equal(one, other) for one, other in zip(gradients, before, strict=True))


def test_projection_by_hand():
    # Channel 0 is the first task's: (1, 0) against (-1, 2) -> (0, 2). Channel 1 is the second's: no conflict.
    first, second = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[-1.0, 2.0], [3.0, 0.0]])
    one, two = project_on_priority([first, second], torch.tensor([0, 1]))
    assert one.tolist() == [[1, 0], [1, 1]]
    assert two.tolist() == [[0, 2], [3, 0]]


def test_a_priority_without_gradient_changes_nothing():
    other = torch.randn(4, 3)
    assert torch.equal(project_on_priority([torch.zeros(4, 3), other], torch.zeros(4).long())[1], other)
