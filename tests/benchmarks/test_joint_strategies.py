"""The comparison of strategies for joint training: kept lessons, measured conflict, two rounds; on tiny data."""

import copy
import json
from dataclasses import replace
from itertools import islice

import joint_strategies
import pytest
import torch
from joint_conflict import ConflictWatch, conflict_rows
from joint_lessons import KeptLessons
from joint_strategies import finalists, gains_of, run_round
from training_runs import SIZE, quiet, write_data

from apps.training.data.batches import training_batches
from apps.training.options import TASKS, TrainOptions
from apps.training.trainer import train
from datasets.examples.batch import map_tensors
from stitching.errors import JobError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = write_data(tmp_path_factory.mktemp("joint") / "data", 2)
    return TrainOptions(
        data=folder, validation=folder, size=SIZE, photograph_share=0, raw_share=0, batch_size=2, steps=1,
        matching_steps=0, precision="fp32", workers=0, threads=1, device="cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def lessons(options, tmp_path_factory):
    """Two of each pair."""
    kept = KeptLessons(tmp_path_factory.mktemp("lessons"), 4)
    kept.make(options)
    return kept


def tensors(batch):
    found = []
    map_tensors(batch, found.append)
    return found


def test_kept_lessons_are_those_of_the_training(options, lessons):
    made = list(islice(training_batches(options, 0, CPU), 2))
    pictures = [picture for batch in made for picture in batch.reference]
    for seed in range(3):
        epoch = list(islice(lessons(replace(options, seed=seed), 0, CPU), 2))
        found = [picture for batch in epoch for picture in batch.reference]
        places = [next(k for k, one in enumerate(pictures) if torch.equal(one, picture)) for picture in found]
        assert sorted(places) == [0, 1, 2, 3]
        in_order = [made[place // 2].sample_ids[place % 2] for place in places]
        assert torch.equal(torch.cat([batch.sample_ids for batch in epoch]), torch.stack(in_order))


def test_a_run_that_goes_on_gets_the_lessons_that_were_next(options, lessons):
    from_start, resumed = islice(lessons(options, 0, CPU), 3, 5), islice(lessons(options, 3, CPU), 2)
    for expected, found in zip(from_start, resumed, strict=True):
        assert all(map(torch.equal, tensors(expected), tensors(found)))


def test_only_missing_lessons_are_made(options, lessons):
    lost, kept = sorted(lessons.folder.iterdir())[1:3]
    content, before = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    KeptLessons(lessons.folder, 2).make(options)
    assert lost.read_bytes() == content
    assert kept.stat().st_mtime_ns == before


def test_measuring_the_conflict_leaves_the_training_as_it_is(options, lessons, tmp_path):
    file = tmp_path / "conflict.jsonl"

    def watch(run, batch):
        before = copy.deepcopy(run.network.state_dict())
        ConflictWatch(file)(run, batch)
        assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())
        assert all(parameter.grad is None for parameter in run.network.parameters())

    train("joint", tmp_path / "run", options, quiet, batches=lessons, watch=watch)
    headings, *rows = conflict_rows(file)
    assert len(rows) == 6
    for row in rows:
        cells = dict(zip(headings, row, strict=True))
        assert -1 <= float(cells["backbone: cosine"]) <= 1
        assert float(cells["backbone: lengths"]) > 0
        assert (cells["PWM: cosine"] == "-") == ("stitch" in cells["tasks"])


def test_a_line_that_a_killed_run_has_cut_short_is_left_out(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    first, second, *_ = TASKS["joint"]
    moment = {"step": 0, "start": "matches", "part": "backbone"}
    line = json.dumps({**moment, "cosines": {f"{first} / {second}": 0.5}, "lengths": {first: 1.0, second: 2.0}})
    whole.write_text(f"{line}\n")
    cut.write_text(f"{line}\n{line[:30]}{line}\n{line[:30]}")
    assert conflict_rows(cut) == conflict_rows(whole)
    assert conflict_rows(whole)[1][1:4] == ["0.50", "0%", "0.5"]


def figures(error):
    return {
        "matches/ov": error, "classical/ov": error, "classical/nov": error,
        "classical/visibility right": 1 - error / 100, "classical/PSNR estimated": 20.0, "classical/PSNR true": 20.0,
        "minutes": 1.0,
    }  # fmt: skip


def both(error):
    return {"validation": figures(error), "test": figures(10 - error)}


def test_finalists_are_those_that_were_best_on_the_validation_pairs_and_our_own_strategies():
    errors = {"separate": 4.0, "equal": 4.2, "pcgrad": 3.0, "cagrad": 5.0, "instances": 6.0, "uncertainty": 3.5}
    results = {strategy: {0: both(error)} for strategy, error in errors.items()}
    assert finalists(results, 0, 2) == ["separate", "equal", "pcgrad", "instances", "uncertainty"]


def test_delta_m_is_the_mean_gain_against_separate_trainings():
    results = {"separate": {0: both(4.0), 1: both(6.0)}, "equal": {1: both(4.0)}}
    gains = gains_of(results, "validation")
    assert gains["equal"][1] == pytest.approx(4 / 5 * 20)  # four of five errors fall by a fifth, the stitch's stays
    assert sum(gains["separate"].values()) == pytest.approx(0)


def test_a_strategy_that_fails_does_not_stop_the_others(capsys):
    class Measured:
        def measured(self, strategy, seed):
            if strategy == "bad":
                raise JobError("loss is nan")
            return both(1.0)

    results = {}
    run_round(Measured(), ["bad", "good"], [0, 1], results)
    assert {strategy: list(by_seed) for strategy, by_seed in results.items()} == {"good": [0, 1]}
    assert "seed 1, bad: loss is nan" in capsys.readouterr().out


def test_our_own_strategies_are_among_all():
    assert set(joint_strategies.ALWAYS) <= set(joint_strategies.STRATEGIES)
