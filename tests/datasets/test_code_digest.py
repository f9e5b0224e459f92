"""What counts as a change of code."""

from pathlib import Path

from datasets.digests import code_digest


def test_code_is_told_apart_by_content_and_name(tmp_path: Path) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    digests = []
    for name, text in (("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "x = 2"), ("notes.txt", "x = 3")):
        (folder / name).write_text(text)
        digests.append(code_digest([folder]))
    assert len(set(digests)) == 3
    assert digests[2] == digests[3]  # no code
