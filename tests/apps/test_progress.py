"""Progress bars: on a terminal, nothing elsewhere."""

import io
import sys

import pytest

from apps.progress import sample_progress, stage_progress


@pytest.mark.parametrize(
    ("bar", "calls", "text"),
    [
        (stage_progress, [("read", 0.5), ("write", 0.5)], "write"),
        (sample_progress, [(0, 9), (7, 9)], "7/9"),
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
