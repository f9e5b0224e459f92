"""Training on photographed pairs without ground truth."""

import os
import pickle
import signal
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import torch
from banks import small_bank
from safetensors.torch import load_file

from apps.training import data
from apps.training.checkpoints import LAST
from apps.training.data import FromPairs, training_batches
from apps.training.objectives import Objectives, pair_of
from apps.training.options import TASKS, TrainOptions
from apps.training.pair_objectives import disagreement, exchanged, stitch_terms
from apps.training.run import score_of, train
from datasets.examples.batch import collate_examples
from datasets.examples.example import Example
from stitching.errors import InputError
from stitching.io.picture_writer import write_picture
from stitching.network.stitched_image_generating import Generated, StitchInputs
from stitching.network.stitching_network import StitchedPair, StitchingNetwork

SIZE = 64, 64
CPU = torch.device("cpu")


def scene(seed, side=96):
    """(side, side, 3) uint8, soft blobs of several sizes."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(0, 1, (side // cell, side // cell, 3)), (side, side), interpolation=cv2.INTER_CUBIC)
        for cell in (8, 12, 24)
    ]
    return np.clip(20 + 75 * sum(layers), 0, 255).astype(np.uint8)


def views(seed, shift=12):
    """The scene seen by two cameras, the target `shift` px farther right."""
    whole = scene(seed)
    return whole[:64, :64], whole[:64, shift : 64 + shift]


def write_pairs(folder, count):
    for side in ("input1", "input2"):
        (folder / side).mkdir(parents=True)
    for number in range(count):
        reference, target = views(number)
        write_picture(folder / "input1" / f"{number}.jpg", reference)
        write_picture(folder / "input2" / f"{number}.jpg", target)
    return folder


def shifted(shift=2):
    """An example whose target belongs `shift` px to the right, which nobody has found yet."""
    reference, target = views(5, shift)
    everywhere = np.ones((64, 64), bool)
    start = np.zeros((64, 64, 2), np.float32)
    return Example(reference, target, everywhere, everywhere, start, everywhere, np.eye(3), np.eye(3), None)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Tiny windows; generated examples are made once."""
    folder = tmp_path_factory.mktemp("training")
    return TrainOptions(
        pairs=write_pairs(folder / "pairs", 3), cache=folder / "cache", size=SIZE, batch_size=2, steps=4,
        matching_steps=0, workers=0, device="cpu", precision="fp32", log_every=1, ema=0.5,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Generated examples without textures, of which few are validated on."""
    monkeypatch.setattr(data, "VALIDATION_COUNT", 1)
    monkeypatch.setattr("datasets.sample_renderer.load_bank", lambda folder: small_bank())


def test_every_second_step_is_one_of_photographs_once_matching_is_learned(options):
    later = replace(options, matching_steps=1)
    for first in (0, 2, 3):
        batches = training_batches(later, first, CPU)
        kinds = [next(batches).truth is None for _ in range(6 - first)]
        assert kinds == [False, False, True, False, True, False][first:]


def test_batches_do_not_depend_on_where_a_run_was_taken_up(options):
    whole = training_batches(options, 0, CPU)
    expected = [next(whole) for _ in range(6)]
    for first in (1, 2, 5):
        taken_up = next(training_batches(options, first, CPU))
        assert torch.equal(taken_up.reference, expected[first].reference)
        assert torch.equal(taken_up.target, expected[first].target)


def test_photographs_leave_out_no_generated_example(options):
    with_pairs, without = training_batches(options, 0, CPU), training_batches(replace(options, pairs=None), 0, CPU)
    generated = [next(with_pairs) for _ in range(5)][::2]
    for one, other in zip(generated, without, strict=False):
        assert torch.equal(one.target, other.target)


def test_every_rank_trains_on_photographs_of_its_own_in_the_same_step(options):
    ranks = [training_batches(replace(options, batch_size=1), 0, CPU, rank, 2) for rank in range(2)]
    for _ in range(2):
        one, other = (next(batches) for batches in ranks)
        assert (one.truth is None) == (other.truth is None)
        assert not torch.equal(one.target, other.target)


def test_a_tenth_of_many_pairs_is_kept_to_validate_on(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "VALIDATION_COUNT", 32)
    pairs = FromPairs(write_pairs(tmp_path / "many", 20), SIZE, jitter_alignment=False)
    training, validation = pairs.split()
    assert (len(training), len(validation)) == (18, 2)
    assert not set(training) & set(validation)


def test_the_number_of_a_pair_stays_when_others_join(tmp_path):
    few, many = (FromPairs(write_pairs(tmp_path / str(n), n), SIZE, jitter_alignment=False) for n in (2, 5))
    for number in few.split()[0]:
        assert np.array_equal(few(number).reference, many(number).reference)


def test_a_process_gets_a_copy_that_makes_the_same_examples(options):
    source = FromPairs(options.pairs, SIZE, jitter_alignment=True)
    copy = pickle.loads(pickle.dumps(source))
    for number in source.split()[0]:
        assert np.array_equal(copy(number).target, source(number).target)


def test_large_photographs_are_made_small_and_16_bits_become_8(tmp_path):
    (tmp_path / "a").mkdir()
    for name, picture in zip(("1.png", "2.png"), views(1), strict=True):
        large = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC)
        write_picture(tmp_path / "a" / name, large.astype(np.uint16) * 257)
    source = FromPairs(tmp_path, SIZE, jitter_alignment=False)
    example = source(source.split()[0][0])
    assert example.reference.shape == (64, 64, 3)
    assert example.target_valid.mean() > 0.7  # all of the target, not a quarter of it


@pytest.mark.parametrize("mode", ["flow", "blend", "joint"])
def test_a_run_with_pairs_trains_and_tells_of_both(options, tmp_path, mode):
    lines = []
    figures = train(mode, tmp_path / "run", options, lines.append)
    steps = [line for line in lines if line.startswith("step")]
    told = ["pairs/" in line for line in steps]
    assert told == [False, True, False, True]
    expected = {"pairs/gain", "pairs/seam", "pairs/ghost"} if mode != "flow" else set()
    expected |= {"pairs/baseline", "pairs/matches", "pairs/classical"} if mode != "blend" else set()
    assert {name for name in figures if name.startswith("pairs/")} == expected
    assert np.isfinite(score_of(figures))


def test_an_interrupted_run_ends_as_an_uninterrupted_one(options, tmp_path):
    def interrupt(line):
        if line.startswith("step 3"):
            os.kill(os.getpid(), signal.SIGINT)

    train("joint", tmp_path / "whole", options, lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        train("joint", tmp_path / "parts", options, interrupt)
    lines = []
    train("joint", tmp_path / "parts", options, lines.append)
    assert "goes on at step 3" in lines
    whole, parts = (load_file(tmp_path / name / LAST) for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_weights_to_begin_from_are_tuned(options, tmp_path):
    train("flow", tmp_path / "first", replace(options, pairs=None, steps=1), lambda line: None)
    begun = tmp_path / "first" / LAST
    train("flow", tmp_path / "second", replace(options, begin_from=begun, steps=2, rate=1e-9), lambda line: None)
    before, after = load_file(begun), load_file(tmp_path / "second" / LAST)
    moved = [(after[name] - before[name]).abs().max() for name in before if "weight" in name]
    assert 0 < max(moved) < 1e-6


@pytest.mark.parametrize("mode", ["flow", "blend"])
def test_an_empty_folder_is_refused(options, tmp_path, mode):
    with pytest.raises(InputError, match="no picture pair"):
        train(mode, tmp_path / "run", replace(options, pairs=tmp_path), lambda line: None)


def test_a_damaged_picture_is_refused_by_name(options, tmp_path):
    pairs = write_pairs(tmp_path / "pairs", 1)
    damaged = pairs / "input2" / "0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:300])
    with pytest.raises(InputError, match=str(damaged)):
        list(islice(training_batches(replace(options, pairs=pairs, cache=None), 0, CPU), 2))


def test_a_transparent_picture_is_refused_by_name(options, tmp_path):
    pairs = write_pairs(tmp_path / "pairs", 1)
    transparent = pairs / "input1" / "0.png"  # goes before 0.jpg
    write_picture(transparent, views(0)[0], np.eye(64, dtype=np.uint8) * 255)
    source = FromPairs(pairs, SIZE, jitter_alignment=False)
    with pytest.raises(InputError, match=str(transparent)):
        source(source.split()[0][0])


def test_a_shift_is_learned_from_the_pictures_alone():
    torch.manual_seed(0)
    batch = collate_examples([shifted()])
    objectives = Objectives(StitchingNetwork(), half=False)
    optimizer = torch.optim.AdamW(objectives.parameters(), 2e-4)
    costs = []
    for _ in range(30):
        losses, terms = objectives(batch, TASKS["flow"], classical=False)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(objectives.parameters(), 1.0)
        optimizer.step()
        costs.append(float(terms["pairs/photometric"].detach()))
    assert np.mean(costs[-5:]) < 0.6 * costs[0]


def test_pictures_disagree_least_under_the_true_warp_both_ways():
    batch = collate_examples([shifted()])
    there = torch.tensor([2.0, 0.0])[None, :, None, None].expand(1, 2, 64, 64)
    pair = pair_of(batch)
    for way, residual in ((pair, there), (exchanged(pair), -there)):
        assert disagreement(way, residual, way.target_valid) < 0.2 * disagreement(way, 0 * residual, way.target_valid)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("classical", [False, True])
def test_every_task_has_a_loss_with_a_gradient_and_those_without_truth_cost_nothing(half, classical):
    losses, _ = Objectives(StitchingNetwork(), half)(collate_examples([shifted()]), TASKS["joint"], classical)
    assert list(losses) == list(TASKS["joint"])
    assert all(loss.requires_grad and loss.shape == () for loss in losses.values())
    assert losses["geometry"] == losses["visibility"] == 0
    assert losses["warp"] > 0
    assert losses["stitch"] > 0


def test_pairs_that_have_nothing_in_common_teach_nothing():
    example = shifted()
    nowhere = np.zeros((64, 64), bool)
    network = Objectives(StitchingNetwork(), half=False).eval()
    for changes in ({"trusted": nowhere}, {"target_valid": nowhere, "target": 0 * example.target}):
        losses, terms = network(collate_examples([replace(example, **changes)]), TASKS["joint"], False)
        assert all(loss == 0 for loss in losses.values())
        assert all(torch.isfinite(term) for term in terms.values())


def stitched(weight, gain=1.0, target_gain=1.0, ghost=False):
    """A stitch of pictures that overlap in columns 16 to 47 and agree there, but for columns 24 to 31 of a ghost."""
    whole = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) / 2
    column = torch.arange(64).expand(1, 1, 64, 64)
    reference_valid, target_valid = (column < 48).float(), (column >= 16).float()
    other = torch.where((column >= 24) & (column < 32), 0.5 - whole, whole) if ghost else whole
    inputs = StitchInputs(whole * reference_valid, target_gain * other * target_valid, reference_valid, target_valid)
    share = torch.where(column < 16, 1.0, torch.where(column < 48, weight, 0.0))
    gains = torch.full_like(whole, gain).requires_grad_(True)
    return StitchedPair(inputs, Generated(share.requires_grad_(True), gains, whole, whole)), torch.ones(1, 1, 64, 64)


def cut(column):
    """Weights (64,): the reference left of the column, the target from there on."""
    return (torch.arange(64) < column).float()


def test_the_right_gain_costs_nothing():
    right, wrong = (stitch_terms(*stitched(cut(40), gain, target_gain=0.5)) for gain in (2.0, 1.0))
    assert right["pairs/gain"] < 1e-6 < 0.05 < wrong["pairs/gain"]


def test_a_seam_costs_where_the_pictures_differ_also_along_the_border_of_the_overlap():
    good, through, along = (stitch_terms(*stitched(cut(at), ghost=True)) for at in (40, 28, 24))
    assert good["pairs/seam"] < 1e-6
    assert through["pairs/seam"] > 0.001
    assert 0 < along["pairs/seam"] < through["pairs/seam"]
    border = stitch_terms(*stitched(cut(48), gain=1.5))
    inside = stitch_terms(*stitched(cut(40), gain=1.5))
    assert border["pairs/seam"] > 0.3 * inside["pairs/seam"]


def test_mixing_costs_where_the_pictures_differ():
    mixed, either = stitched(torch.tensor(0.5), ghost=True), stitched(cut(40), ghost=True)
    assert stitch_terms(*either)["pairs/ghost"] == 0 < stitch_terms(*mixed)["pairs/ghost"]
    assert stitch_terms(*stitched(torch.tensor(0.5)))["pairs/ghost"] == 0


def test_the_seam_moves_not_the_pictures():
    pair, where = stitched(cut(28), ghost=True)
    terms = stitch_terms(pair, where)
    (terms["pairs/seam"] + terms["pairs/ghost"]).backward()
    assert pair.generated.weight.grad.abs().sum() > 0
    assert pair.generated.gain.grad is None
