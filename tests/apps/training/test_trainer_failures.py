"""A run that cannot go on says why in one line, and leaves good checkpoints."""

from dataclasses import replace

import pytest
import torch
from fake_renderer import open_fake
from training_runs import fail_at, nan_weights, quiet, write_data

from apps.training import trainer
from apps.training.checkpoints import LAST, STATE, load_state
from apps.training.trainer import train
from stitching.errors import InputError, JobError
from stitching.network.stitching_network import StitchingNetwork
from stitching.network.weights import load_weights, save_weights


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_task(options, tmp_path):
    broken = replace(options, begin_from=nan_weights(tmp_path / "nan.safetensors"))
    with pytest.raises(JobError, match=r"step 0: loss of task 'matching' is nan.*; lower --rate$"):
        train("joint", tmp_path / "run", broken, quiet)
    assert not (tmp_path / "run" / LAST).exists()


def test_the_last_checkpoint_survives_a_loss_that_is_no_number(options, tmp_path, monkeypatch):
    some, step = replace(options, save_every=1), trainer._step

    def poisoned(run, batch):
        if run.step == 3:
            with torch.no_grad():
                next(run.network.warping.see.parameters()).fill_(float("nan"))
        return step(run, batch)

    monkeypatch.setattr(trainer, "_step", poisoned)
    with pytest.raises(JobError, match=r"step 3: loss of task 'visibility' is nan.*last\.safetensors holds the last"):
        train("joint", tmp_path, some, quiet)
    assert load_state(tmp_path / STATE)["step"] == 3
    assert load_weights(tmp_path / LAST).architecture["step"] == 3
    assert all(value.isfinite().all() for value in load_weights(tmp_path / LAST).weights.values())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        MemoryError(),
    ],
)
def test_too_little_memory_is_told_with_the_way_out(options, tmp_path, monkeypatch, error):
    fail_at(monkeypatch, 1, error)
    with pytest.raises(JobError, match=r"--batch-size 1 and --size 64 64; lower one of them"):
        train("joint", tmp_path, options, quiet)


def test_other_defects_are_not_taken_for_too_little_memory(options, tmp_path, monkeypatch):
    fail_at(monkeypatch, 0, RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal"):
        train("joint", tmp_path, options, quiet)


@pytest.mark.parametrize("option", ["data", "validation"])
def test_folders_that_are_no_data_set_are_refused(options, tmp_path, option):
    empty = tmp_path / "empty"
    empty.mkdir()
    none = write_data(tmp_path / "none", 1, open_fake)
    (none / "meta.jsonl").write_bytes(b"")
    shards = write_data(tmp_path / "shards", 2, open_fake, shards=True)
    for folder, words in (
        (tmp_path / "gone", "expected a folder that `parastitch generate` wrote"),
        (empty, "expected a folder that `parastitch generate` wrote"),
        (none, "holds no sample"),
        (shards, "holds shards.*expected a folder"),
    ):
        with pytest.raises(InputError, match=words):
            train("joint", tmp_path / "run", replace(options, cache=None, **{option: folder}), quiet)
    assert not (tmp_path / "run" / LAST).exists()


def test_a_sample_with_a_missing_file_stops_the_run(options, tmp_path):
    own = write_data(tmp_path / "data", 2)
    for path in (own / "input2").iterdir():
        path.unlink()
    with pytest.raises(InputError, match=r"input2/00000\d\.jpg is missing"):
        train("flow", tmp_path / "run", replace(options, data=own, cache=None), quiet)


def test_weights_to_begin_from_must_fit(options, tmp_path):
    torch.save(StitchingNetwork().state_dict(), tmp_path / "pickled.safetensors")
    save_weights(tmp_path / "other.safetensors", {"weight": torch.zeros(3)}, {"network": "Other"})
    for name, words in (
        ("pickled.safetensors", "pickled weights, which could run code"),
        ("other.safetensors", "do not fit StitchingNetwork"),
        ("gone.safetensors", "cannot read"),
    ):
        with pytest.raises(InputError, match=words):
            train("joint", tmp_path / "run", replace(options, begin_from=tmp_path / name), quiet)


def test_an_output_that_is_a_file_is_refused(options, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match="no folder that can be written"):
        train("joint", tmp_path / "run", options, quiet)


def test_only_a_run_that_begins_with_matching_needs_as_many_steps_as_that(options, tmp_path):
    some = replace(options, steps=1, matching_steps=2)
    with pytest.raises(InputError, match="--matching-steps 2: expected at most --steps 1"):
        train("joint", tmp_path / "joint", some, quiet)
    train("blend", tmp_path / "blend", some, quiet)
    assert load_state(tmp_path / "blend" / STATE)["step"] == 1


def test_more_devices_than_the_machine_has_are_refused(options, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="--devices 2: expected at most 1, the GPUs of this machine"):
        train("joint", tmp_path, replace(options, device="auto", devices=2), quiet)
