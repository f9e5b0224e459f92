"""Progress bars: on a terminal, nothing elsewhere."""

import io
import sys

import pytest

from apps.progress import PAIR_STAGES, count_progress, stage_progress, step_progress


@pytest.mark.parametrize(
    ("bar", "calls", "text"),
    [
        (lambda quiet: stage_progress(quiet, PAIR_STAGES), [("read", 0.5), ("write", 0.5)], "write"),
        (count_progress, [(0, 9), (7, 9)], "7/9"),
    ],
)
def test_only_a_terminal_shows_the_progress_and_not_where_it_is_to_be_quiet(monkeypatch, bar, calls, text):
    monkeypatch.setenv("TERM", "xterm")
    for quiet, terminal in ((False, True), (True, True), (False, False)):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(sys, "stderr", stream)
        with bar(quiet) as progress:
            for call in calls:
                progress(*call)
        assert (text in stream.getvalue()) == (terminal and not quiet)


def test_a_bar_that_never_moves_is_not_shown(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    with step_progress() as bar:
        assert bar is not None
    assert not stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_steps_of_a_training_have_a_bar_on_a_terminal_and_what_is_printed_still_reaches_its_file(
    monkeypatch, capsys, terminal
):
    monkeypatch.setenv("TERM", "xterm")
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    with step_progress() as bar:
        assert (bar is not None) == terminal
        if bar is not None:
            bar("step 3/9, 8 min left", 3, 9)
        print("validation")
    assert ("step 3/9" in stream.getvalue()) == terminal
    assert "validation" not in stream.getvalue()
    assert capsys.readouterr().out == "validation\n"
