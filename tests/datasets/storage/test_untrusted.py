"""Data sets that somebody damaged or made to harm: each attack is one line of `verify`, and none reads elsewhere."""

import hashlib
import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_renderer import open_fake, without_processes

from datasets.generate import GenerateJob, generate
from datasets.options import SampleOptions
from datasets.overview.overview import write_overview
from datasets.storage.lookup import SampleLookup
from datasets.storage.reading import read_records, read_samples
from datasets.storage.verify import verify
from stitching.errors import InputError

OPTIONS = SampleOptions(size=(64, 48))
HUGE = 10**12


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate(OPTIONS, GenerateJob(tmp_path / "set", 3), open_fake)
    (tmp_path / "secret.jpg").write_bytes(b"not for reading")
    return tmp_path / "set"


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    generate(OPTIONS, GenerateJob(tmp_path / "shards", 3, shards=True, shard_size=4), open_fake)
    return tmp_path / "shards"


def refused(folder: Path, words: str) -> None:
    """Every reader says in one line what is wrong."""
    for read in (lambda: list(verify(folder)), lambda: list(read_samples(folder)), lambda: write_overview(folder)):
        with pytest.raises(InputError, match=words) as caught:
            read()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", -3), ("count", 0), ("count", "x"), ("count", HUGE), ("count", 1.5), ("count", True), ("count", None),
        ("layout", "tape"), ("layout", ["folder"]), ("layout", "shards"), ("shard_size", 0), ("shard_size", 256),
        ("seed", -1), ("seed", 2**63), ("seed", 0.0), ("software", 7), ("software", "x" * 300), ("checksum", 7),
        ("version", True), ("version", 1.0), ("format", None), ("options", []), ("unknown", 1),
    ],
)  # fmt: skip
def test_impossible_values_of_the_description_are_refused(folder: Path, key: str, value: Any) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    refused(folder, rf"dataset\.json: .*{key}")


@pytest.mark.parametrize("value", [0, -1, HUGE, "4", True, None])
def test_impossible_shard_sizes_are_refused(shards: Path, value: Any) -> None:
    path = shards / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shard_size": value}))
    refused(shards, "shard_size")


@pytest.mark.parametrize("options", [{}, {"size": [64, HUGE]}, {"size": [64.0, 48]}, {"size": 64}, {"size": [0, 48]}])
def test_impossible_sizes_are_refused(folder: Path, options: dict[str, Any]) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"options": options}))
    refused(folder, "size")


def test_a_data_set_of_a_version_with_other_options_and_limits_is_read(folder: Path) -> None:
    path = folder / "dataset.json"
    values = json.loads(path.read_text())
    values["options"] |= {"baseline": [5000, 0, 0], "a later option": 1}
    del values["options"]["geometry"]
    path.write_text(json.dumps(values))
    assert not list(verify(folder))
    assert len(list(read_samples(folder))) == 3


@pytest.mark.parametrize(
    "contents",
    [
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"count": NaN}',
        b'{"count": 1, "count": 2}',
        b"\xff\xfe{}",
        b'{"count": ' + b"9" * 5000 + b"}",
        b" " * (1 << 17),
    ],
)
def test_a_description_that_no_generator_writes_is_refused(folder: Path, contents: bytes) -> None:
    (folder / "dataset.json").write_bytes(contents)
    refused(folder, r"dataset\.json")


def change_line(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what the first line says, with a digest that fits."""
    first, *others = (folder / "meta.jsonl").read_bytes().splitlines(keepends=True)
    values = json.loads(first)
    del values["digest"]
    change(values)
    text = json.dumps(values, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    line = f'{text[:-1]},"digest":"{digest}"}}\n'.encode()
    (folder / "meta.jsonl").write_bytes(b"".join([line, *others]))


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], object]:
    return lambda line: line["files"].update({new: line["files"].pop(old)})


@pytest.mark.parametrize(
    "change",
    [
        renamed("input1/000000.jpg", "../secret.jpg"),
        renamed("input1/000000.jpg", "/etc/passwd"),
        renamed("input1/000000.jpg", "input1/../../secret.jpg"),
        renamed("input1/000000.jpg", "input1/000001.jpg"),
        lambda line: line["files"].popitem(),
        lambda line: line.update(files={}),
        lambda line: line["files"].update({"input1/000000.jpg": 7}),
        lambda line: line.update(index=-1),
        lambda line: line.update(index=1),
        lambda line: line.update(index=HUGE),
        lambda line: line.update(index=False),
        lambda line: line.update(name="../x"),
        lambda line: line.update(origin=[0]),
        lambda line: line.update(origin=[0, HUGE]),
        lambda line: line["sizes"].update(stitched=[100_000, 100_000]),
        lambda line: line["sizes"].update(target=[65, 48]),
        lambda line: line["sizes"].pop("target"),
        lambda line: line.update(segments=[[[[1, 2], [3, 4]], [[1, 2], [3]]]]),
        lambda line: line.update(segments="none"),
        lambda line: line.update(segments=None),
        lambda line: line["segments"][0][0].__setitem__(0, [1e300, 0]),
        lambda line: line.update(segments_visible=[[1, 1]]),
        lambda line: line.update(segments_visible=[[1, 2], [1, 1]]),
        lambda line: line.update(facts=[]),
        lambda line: line.update(more=1),
    ],
)
def test_impossible_values_of_a_line_are_a_damaged_line(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    change_line(folder, change)
    problems = list(verify(folder))
    assert problems[0].startswith("meta.jsonl, line 1: damaged")
    assert problems[-1].startswith("1 of 3 samples are missing: 0;")
    with pytest.raises(InputError, match=r"meta\.jsonl, line 1: damaged"):
        list(read_samples(folder))


def test_lines_of_any_length_are_damaged_lines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = max(map(len, (folder / "meta.jsonl").read_bytes().splitlines(keepends=True)))
    monkeypatch.setattr("datasets.storage.paths.MAX_LINE", longest)
    lines = (folder / "meta.jsonl").read_bytes().splitlines(keepends=True)
    for long in (b"x" * (5 * longest), b"[" * longest * 2 + b"\n"):
        (folder / "meta.jsonl").write_bytes(b"".join([lines[0], long.rstrip(b"\n") + b"\n", *lines[1:]]))
        (problem,) = verify(folder)
        assert problem.startswith("meta.jsonl, line 2: damaged")
        assert SampleLookup(folder).indices == [0, 1, 2]
        assert SampleLookup(folder)[2].record.index == 2


def test_a_sample_beyond_the_count_is_named(folder: Path) -> None:
    path = folder / "dataset.json"
    path.write_text(path.read_text().replace('"count": 3', '"count": 2'))
    assert "meta.jsonl, line 3: sample 2 of 2; delete the line" in list(verify(folder))


def test_no_sample_at_all_is_a_problem(folder: Path) -> None:
    (folder / "meta.jsonl").write_bytes(b"")
    assert list(verify(folder))[-1] == "3 of 3 samples are missing: 0-2; generate them"


def linked(path: Path, folder: Path) -> None:
    path.unlink()
    path.symlink_to(folder.parent / "secret.jpg")


def piped(path: Path, folder: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def foldered(path: Path, folder: Path) -> None:
    path.unlink()
    path.mkdir()


def swollen(path: Path, folder: Path) -> None:
    os.truncate(path, 1 << 33)


@pytest.mark.parametrize(
    ("change", "words"),
    [(linked, "link that leads out"), (piped, "no regular file"), (foldered, "no regular file"), (swollen, "at most")],
)
@pytest.mark.parametrize("name", ["input1/000000.jpg", "warp/000000.npz"])
def test_only_files_of_the_folder_are_read(
    folder: Path, change: Callable[[Path, Path], None], words: str, name: str
) -> None:
    change(folder / name, folder)
    problem, *_ = verify(folder)
    assert re.match(f"sample 000000: .*{words}.* --index-range 0 1", problem)
    with pytest.raises(InputError, match=words):
        list(read_samples(folder))
    with pytest.raises(InputError, match=words):
        SampleLookup(folder).pair(0)


@pytest.mark.parametrize("change", [linked, piped])
def test_a_meta_file_elsewhere_is_neither_read_nor_written(folder: Path, change: Callable[[Path, Path], None]) -> None:
    change(folder / "meta.jsonl", folder)
    assert "meta.jsonl" in next(verify(folder))
    with pytest.raises(InputError, match=r"meta\.jsonl"):
        generate(OPTIONS, GenerateJob(folder, 3), open_fake)
    assert (folder.parent / "secret.jpg").read_bytes() == b"not for reading"


@pytest.mark.parametrize("change", [linked, piped, foldered])
def test_a_description_elsewhere_is_not_read(folder: Path, change: Callable[[Path, Path], None]) -> None:
    change(folder / "dataset.json", folder)
    refused(folder, r"dataset\.json")


@pytest.mark.parametrize("name", ["a\nb.jpg", "\x1b[2J.jpg", "\udcff.jpg"])
def test_names_of_other_files_are_printed_on_one_line(folder: Path, name: str) -> None:
    (folder / "input1" / name).write_bytes(b"")
    (problem,) = verify(folder)
    assert problem.isprintable()


# --- what is in the files of a sample ---


def replace_file(folder: Path, name: str, contents: bytes) -> None:
    (folder / name).write_bytes(contents)
    digest = hashlib.sha256(contents).hexdigest()
    change_line(folder, lambda line: line["files"].update({name: digest}))


def picture(shape: tuple[int, ...], ending: str = ".png", dtype: type = np.uint8) -> bytes:
    return cv2.imencode(ending, np.zeros(shape, dtype))[1].tobytes()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def false_npz(shape: tuple[int, ...], dtype: str = "<i4") -> bytes:
    """An array that says it is large, and is not."""
    header, file = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("target", "reference"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(100))
    return file.getvalue()


WARP = np.zeros((48, 64, 2), np.int32)


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("input1/000000.jpg", picture((9000, 9000, 3), ".jpg")),
        ("input2/000000.jpg", picture((48, 64), ".jpg")),
        ("stitched/000000.png", picture((9000, 9000))),
        ("mask/000000.png", picture((48, 64, 3))),
        ("mask/000000.png", picture((48, 64), dtype=np.uint16)),
        ("mask/000000.png", b""),
        ("mask/000000.png", picture((48, 64))[:40]),
        ("warp/000000.npz", npz(target=np.zeros((5000, 5000, 2), np.int32), reference=WARP)),
        ("warp/000000.npz", npz(target=WARP.astype(complex), reference=WARP)),
        ("warp/000000.npz", npz(target=WARP)),
        ("warp/000000.npz", false_npz((48, 64, 2))),
        ("warp/000000.npz", false_npz((1 << 40, 2))),
        ("warp/000000.npz", false_npz((48, 64, 2), "|O")),
        ("warp/000000.npz", b"PK\x03\x04"),
    ],
)
def test_contents_of_another_size_are_not_decoded(folder: Path, name: str, contents: bytes) -> None:
    replace_file(folder, name, contents)
    (problem,) = verify(folder)
    member = name.replace("/000000", "")
    assert problem.startswith(f"sample 000000: {member}")
    assert problem.endswith("--index-range 0 1")
    with pytest.raises(InputError, match=f"{member}|{name}"):
        list(read_samples(folder))


def test_a_sample_without_a_fundamental_matrix_is_refused_for_training(folder: Path) -> None:
    with pytest.raises(InputError, match="fundamental"):
        SampleLookup(folder).pair(0)


# --- shards ---


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def appended(path: Path, *infos: tarfile.TarInfo) -> None:
    """Put members behind those of a shard; their contents are zero."""
    with tarfile.open(path, "a") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)


@pytest.mark.parametrize(
    "info",
    [
        member("000002.clean1.png", tarfile.SYMTYPE, link="/etc/passwd"),
        member("000002.clean1.png", tarfile.LNKTYPE, link="000001.input1.jpg"),
        member("000002.clean1.png", tarfile.CHRTYPE),
        member("000002.clean1.png", tarfile.FIFOTYPE),
        member("000002.clean1.png", tarfile.DIRTYPE),
        member("000002.clean1.png", tarfile.GNUTYPE_SPARSE),
        member("000002.clean1.png", tarfile.GNUTYPE_LONGNAME),
        member("000002.clean1.png", size=300_000),
        member("000002.input1.jpg"),
        member("000002.json"),
        member("../000002.input1.jpg"),
        member("/etc/passwd"),
        member("000002.exe"),
        member("\n\x1b[2J.jpg"),
    ],
)
def test_members_that_no_generator_writes_are_named(shards: Path, info: tarfile.TarInfo) -> None:
    path = shards / "shard-000000.tar"
    appended(path, info)
    problems = list(verify(shards))
    assert problems
    assert all(problem.isprintable() for problem in problems)
    assert any("shard-000000.tar" in problem for problem in problems)
    with pytest.raises(InputError, match=r"shard-000000\.tar"):
        list(read_samples(shards))


def test_a_member_with_a_false_size_is_a_cut_shard(shards: Path) -> None:
    path = shards / "shard-000000.tar"
    info = member("000003.input1.jpg", size=1 << 40)
    path.write_bytes(path.read_bytes().rstrip(b"\0") + b"\0" * 1024 + info.tobuf(tarfile.GNU_FORMAT))
    assert any("cut short or damaged" in problem for problem in verify(shards))


def test_a_shard_elsewhere_is_not_read(shards: Path, tmp_path: Path) -> None:
    path = shards / "shard-000000.tar"
    path.rename(tmp_path / "elsewhere.tar")
    path.symlink_to(tmp_path / "elsewhere.tar")
    assert "link that leads out" in next(verify(shards))
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in next(verify(shards))


def test_a_million_missing_shards_are_one_line(shards: Path) -> None:
    path = shards / "dataset.json"
    path.write_text(path.read_text().replace('"count": 3', '"count": 1000000').replace('size": 4', 'size": 1'))
    problems = list(verify(shards))
    assert problems[0].startswith("999999 of 1000000 shards are missing: 1-999999")
    assert len(problems) < 10


def test_figures_of_any_size_are_shown(folder: Path) -> None:
    change_line(folder, lambda line: line["facts"]["achieved"].update(overlap=1e308, parallax=-1e308))
    assert len(write_overview(folder)) > 1
    assert len(read_records(folder)) == 3
