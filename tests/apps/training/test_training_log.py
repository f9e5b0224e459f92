"""What a run tells: lines, a bar, the table of its validations."""

from dataclasses import replace

import pytest
from training_runs import fail_at, quiet, table

from apps.training.checkpoints import BEST, CURVE, LAST, STATE
from apps.training.train_log import duration
from apps.training.trainer import train


def test_a_step_is_one_short_line_with_what_is_left_and_what_the_strategy_does(options, tmp_path):
    lines = []
    train("joint", tmp_path, replace(options, strategy="task-groups:warm_up=1"), lines.append)
    assert max(map(len, lines[:-2])) < 120
    first, *_, last = [line for line in lines if line.startswith("step ")]
    assert first.startswith("step 1/4, ")
    assert " left, " in first
    assert " examples/s, " in first
    assert ": matching " in first
    assert ": warp " in last
    assert last.endswith(" groups")


def test_beside_a_bar_the_lines_of_steps_are_not_printed(options, tmp_path):
    lines, calls = [], []
    train("flow", tmp_path, replace(options, log_every=2), lines.append, lambda *call: calls.append(call))
    assert [call[1:] for call in calls] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not calls[0][0]
    assert calls[2][0].startswith("step 2/4, ")
    assert not any(line.startswith("step ") for line in lines)
    assert any(line.startswith("validation ") for line in lines)


def test_the_last_lines_say_what_was_saved_and_how_to_go_on(options, tmp_path):
    for schedule, words in (("cosine", f"--begin-from {BEST}"), ("constant", "the same command with more --steps")):
        folder, lines = tmp_path / schedule, []
        train("blend", folder, replace(options, steps=1, matching_steps=0, schedule=schedule), lines.append)
        assert lines[-2].startswith("finished: all 1 steps are done")
        assert words in lines[-2]
        assert lines[-1] == f"saved in {folder}: {LAST}, {BEST}, {STATE}, {CURVE}"


@pytest.mark.parametrize(
    ("seconds", "words"), [(7, "7 s"), (125, "2 min"), (5000, "83 min"), (32760, "9.1 h"), (86400 * 50, "50 days")]
)
def test_times_have_a_fitting_unit(seconds, words):
    assert duration(seconds) == words


def test_every_validation_is_a_row_of_the_table_with_the_matching_on_real_pairs(options, tmp_path, folder, monkeypatch):
    some = replace(options, validate_every=1, save_every=2, validate_matches=folder, batch_size=2)
    with monkeypatch.context() as patch:
        fail_at(patch, 3, OSError("killed"))
        with pytest.raises(OSError, match="killed"):
            train("flow", tmp_path, some, quiet)
    assert [row["step"] for row in table(tmp_path)] == ["1", "2", "3"]
    metrics = train("flow", tmp_path, some, quiet)  # resumed after step 2
    rows = table(tmp_path)
    assert [(row["step"], row["examples"]) for row in rows] == [("1", "2"), ("2", "4"), ("3", "6"), ("4", "8")]
    assert float(rows[-1]["matched/raw"]) == metrics["matched/raw"]
    assert float(rows[-1]["classical/ov"]) == metrics["classical/ov"]
    assert all(0 <= float(row[f"matched/{kind}"]) <= 1 for row in rows for kind in ("raw", "aligned"))
    assert float(rows[-1]["minutes"]) >= float(rows[0]["minutes"])
