"""The sets of folders and of CSV files."""

from pathlib import Path

import pytest

from apps.batching.picture_sets import find_sets
from stitching.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names_of(folder: Path, given: Path, output: Path = Path("nowhere")) -> dict[str, list[str]]:
    """Set -> its pictures, relative to a folder."""
    return {one.name: [str(path.relative_to(folder)) for path in one.inputs] for one in find_sets(given, output)}


def test_folders_in_a_folder_are_sets_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "10/2.jpg", "10/1.png", "10/1.jpg", "10/10.JPG", "10/notes.txt", "9/b.tif", "9/a.tif", "top.jpg")
    touch(tmp_path, ".hidden/1.jpg", "results/9.png", "earlier/summary.jsonl", "earlier/9.png", "10/deeper/3.jpg")
    assert names_of(tmp_path, tmp_path, tmp_path / "results") == {
        "9": ["9/a.tif", "9/b.tif"],
        "10": ["10/1.png", "10/2.jpg", "10/10.JPG"],  # of a picture in two formats the lossless one
    }


def test_a_folder_without_pictures_is_a_set_that_will_be_told_of(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/notes.txt")
    assert names_of(tmp_path, tmp_path)["b"] == ["b"]


def test_pairs_of_equal_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path, "input1/2.jpg", "input1/1.jpg", "input2/1.png", "input2/2.jpg", "input1/3.jpg")
    assert names_of(tmp_path, tmp_path) == {
        "1": ["input1/1.jpg", "input2/1.png"],
        "2": ["input1/2.jpg", "input2/2.jpg"],
    }
    assert "3: skipped" in capsys.readouterr().err


def test_lines_of_a_csv_file(tmp_path: Path) -> None:
    text = '\ufeffName,picture,picture,picture\r\nb,2.jpg,"1, old.jpg",\r\n\r\na,../x.png,/y.png,z.tif\r\n'
    (tmp_path / "sets.csv").write_text(text, encoding="utf-8", newline="")
    first, second = find_sets(tmp_path / "sets.csv", Path("nowhere"))
    assert (first.name, first.inputs) == ("b", (tmp_path / "2.jpg", tmp_path / "1, old.jpg"))
    assert (second.name, second.inputs) == ("a", (tmp_path / "../x.png", Path("/y.png"), tmp_path / "z.tif"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", r"sets.csv, line 1: '': expected lines of name,picture,picture"),
        (b"a,1.jpg,2.jpg\n", r"line 1: 'a': expected lines of name"),
        (b"name;picture;picture\na;1.jpg;2.jpg\n", r"line 1: 'name;picture;picture'"),
        (b"name\na,1.jpg\n", r"line 2: 1 pictures: expected at least two"),
        (b"name\na,1.jpg,2.jpg\na,3.jpg,4.jpg\n", r"line 3: the set a is in line 2, too"),
        (b"name\n../a,1.jpg,2.jpg\n", r"line 2: name '\.\./a': expected a name that a file can have"),
        (b"name\n.a,1.jpg,2.jpg\n", r"line 2: name '\.a'"),
        (b"name\n,1.jpg,2.jpg\n", r"line 2: name ''"),
        (b"name\na,1.jpg,2\0.jpg\n", r"sets\.csv"),
        (b"name\n\xff\xfe,1.jpg,2.jpg\n", r"no CSV file in UTF-8"),
        (b'name\n"a,1.jpg,2.jpg\n', r"no CSV file"),
        (b"name\na," + 200_000 * b"x" + b"\n", r"no CSV file"),
        (b"name,picture,picture\n", r"no set of pictures in it"),
    ],
)
def test_bad_csv_files_are_refused_with_the_line(tmp_path: Path, text: bytes, words: str) -> None:
    (tmp_path / "sets.csv").write_bytes(text)
    with pytest.raises(InputError, match=words):
        find_sets(tmp_path / "sets.csv", Path("nowhere"))


def test_what_holds_no_sets_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(InputError, match=r"no set of pictures in it; .*parastitch stitch"):
        find_sets(tmp_path, Path("nowhere"))
    for given in ("missing", "missing.csv", "1.jpg"):
        with pytest.raises(InputError, match=r"expected"):
            find_sets(tmp_path / given, Path("nowhere"))
