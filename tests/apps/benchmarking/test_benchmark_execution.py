"""Trainings in this process and in processes of their own."""

import re
from contextlib import closing
from dataclasses import replace
from multiprocessing import active_children
from threading import Thread
from time import sleep

import pytest
from benchmark_toys import DATA, TASKS, execute_in_process, toy_run, use_toys

from apps.benchmarking.execution import execute_in_subprocesses
from apps.benchmarking.result_store import ResultStore
from apps.benchmarking.single_run import make_trainer
from stitching.errors import InputError, JobError


@pytest.fixture
def store(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    made = ResultStore(tmp_path, tmp_path / "cache")
    made.data(DATA)
    return made


def train(store, **changes):
    run = toy_run(**changes)
    list(execute_in_process([run], store))
    return store.read(run)


@pytest.mark.parametrize("method", ["equal", "equal/norms", "task-groups", "task-priority", "instances+equal/heads=2"])
def test_methods_train_and_are_measured(store, method):
    found = train(store, method=method, epochs=2)
    assert set(found.scores) == set(found.validation) == set(TASKS)
    assert all(len(curve) == 2 for curve in found.losses.values())
    assert found.losses["depth"][1] < found.losses["depth"][0]
    assert min(found.seconds, found.peak_mb, found.forwards) > 0


def test_the_same_settings_give_the_same_network(store):
    first = train(store)
    store.path(toy_run()).unlink()
    again, other = train(store), train(store, seed=1)
    assert (again.scores, again.losses) == (first.scores, first.losses)
    assert other.scores != first.scores


@pytest.mark.parametrize("method", ["equal", "task-priority"])
def test_measuring_changes_nothing_of_the_training(store, method):
    """Tasks with norms of their own need a forward pass each for it."""
    plain = train(store, method=method, epochs=2)
    store.path(toy_run(method=method)).unlink()
    measured = train(store, method=method, epochs=2, curve_points=4, conflict_points=3)
    assert (measured.scores, measured.validation, measured.losses) == (plain.scores, plain.validation, plain.losses)
    assert (measured.forwards, measured.updates, measured.report) == (plain.forwards, plain.updates, plain.report)
    assert [point.progress for point in measured.curve] == [0.25, 0.5, 0.75, 1]
    assert [point.epochs for point in measured.curve] == [0.5, 1, 1.5, 2]
    assert measured.curve[-1].scores == measured.validation
    assert [point.progress for point in measured.conflict] == [0, 0.5, 0.75]  # at 1/3, 2/3 of four steps, or next
    assert all(len(of_pair) == 1 + len(measured.layers) for of_pair in measured.conflict[0].cosines.values())
    assert set(measured.conflict[0].lengths) == set(TASKS)


@pytest.mark.parametrize("method", ["equal", "same-steps", "equal:updates=2", "task-groups", "task-priority"])
def test_a_training_ends_after_the_updates_that_were_asked_for(store, method):
    found = train(store, method=method, updates=9)
    assert 9 <= found.updates < 9 + len(TASKS)  # the updates on the last batch are finished
    assert (found.epochs > 4) == (method == "equal")
    assert found.curve == []


@pytest.mark.parametrize("method", ["same-steps", "task-groups", "task-priority", "uncertainty+pcgrad", "groups"])
def test_updates_are_those_of_the_optimizer(store, method):
    trainer, seen = make_trainer(toy_run(method=method, updates=9), store.data(DATA)), []
    trainer.updater.optimizer.register_step_post_hook(lambda *_: seen.append(1))
    trainer.train_epoch(0)
    assert trainer.updates == len(seen) > 0


def test_one_method_can_be_trained_for_more_epochs(store):
    twice = train(store, method="equal/epochs=2")
    assert (twice.updates, twice.epochs) == (4, 2)
    assert twice.losses == train(store, method="equal", epochs=2).losses


def test_a_single_task_is_trained_alone(store):
    found = train(store, tasks=("edges",))
    assert set(found.scores) == {"edges"}
    assert found.parameters < train(store).parameters


def test_wrong_labels_are_looked_for(store):
    noisy = replace(DATA, train=16, noisy="depth", share=0.25)
    plain = train(store, data=noisy)
    assert set(plain.detection) == {"final loss", "mean of late losses"}
    weighted = train(store, data=noisy, method="instances")
    assert 0 <= weighted.detection["instance weights"]["ROC-AUC"] <= 1
    assert not train(store).detection


def test_a_loss_that_is_not_finite_ends_a_run_and_is_kept(store):
    found = train(store, rate=1e30, epochs=3)
    assert "is nan" in found.error or "not finite" in found.error or "is inf" in found.error
    assert not found.scores


def test_methods_that_do_not_fit_are_refused(store):
    with pytest.raises(InputError, match="--methods nonsense"):
        train(store, method="nonsense")


@pytest.mark.slow
def test_processes_train_side_by_side_and_end_when_the_generator_is_closed(store):
    quick, slow = toy_run(), toy_run(seed=1, epochs=100000)
    with closing(execute_in_subprocesses(2)([quick, slow], store)) as finished:
        assert next(finished) == quick
    assert store.read(quick).scores
    assert store.read(slow) is None
    assert not active_children()


@pytest.mark.slow
def test_errors_of_a_process_are_those_of_the_training(store):
    with pytest.raises(InputError, match="--methods nonsense"):
        list(execute_in_subprocesses(1)([toy_run(method="nonsense")], store))


@pytest.mark.slow
def test_a_process_that_is_killed_is_reported(store):
    others = set(active_children())

    def kill_workers():
        while not (workers := set(active_children()) - others):
            sleep(0.05)
        for process in workers:
            process.kill()

    run = toy_run(epochs=100000)
    Thread(target=kill_workers).start()
    with pytest.raises(JobError, match=f"run {re.escape(run.name)}: its process ended unexpectedly; if memory ran out"):
        list(execute_in_subprocesses(1)([run], store))
