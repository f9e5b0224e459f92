"""The documents: every link leads somewhere, and they build to a site without a warning."""

import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = "apps", "benchmarks", "contrib", "datasets", "demo", "docs", "examples", "mtl", "stitching"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
LIST_ITEM = r"(?:[-*+]|\d+\.) "


@cache
def text_of(document: Path) -> str:
    """A document without its blocks of code, and without code in its lines."""
    lines = document.read_text(encoding="utf-8")
    lines = re.sub(r"^```.*?^```", "", lines, flags=re.DOTALL | re.MULTILINE)
    lines = re.sub(r"^    .*", "", lines, flags=re.MULTILINE)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", lines)


@cache
def anchors_of(document: Path) -> frozenset[str]:
    """Anchors of the headings, as code hosts and our site make them: letters, digits, - and _ in lower case."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+?)\s*#*$", text, re.MULTILINE):
        shown = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return frozenset(found)


def targets_of(document: Path) -> list[str]:
    """Everything that a document links to or shows."""
    text = text_of(document)
    return re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r"^\[[^\]]+\]:\s*(\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    document = ROOT / name
    broken = []
    for target in targets_of(document):
        if re.match(r"[a-z]+:", target):  # another site: tests use no network
            continue
        place, _, anchor = target.partition("#")
        file = (document.parent / place).resolve() if place else document
        known = file.exists() and file.is_relative_to(ROOT)
        if not known or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_lists_and_tables_begin_after_a_blank_line(name: str) -> None:
    """Where they follow a line of text, the site shows them as part of it."""
    text = re.sub(r"^```.*?^```", "```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = text.splitlines()
    glued = [
        line
        for before, line in pairwise(lines)
        if re.match(rf"{LIST_ITEM}|\|", line) and before.strip() and not re.match(rf"{LIST_ITEM}|\||#|  ", before)
    ]
    assert not glued


def test_every_document_is_a_page_of_the_site() -> None:
    named = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


@pytest.mark.skipif(find_spec("material") is None, reason="no mkdocs-material ([docs]) to build the site with")
def test_site_builds_without_warnings_and_asks_no_other_site(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 10
    options = (tmp_path / "site" / "stitching" / "stitch.html").read_text(encoding="utf-8")
    assert "auto|cpu|cuda" in options  # no backslash, which code hosts need in tables
    loads = r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*stylesheet[^>]*\bhref=["']?https?:"""
    assert not [page.name for page in pages if re.search(loads, page.read_text(encoding="utf-8"))]


def commands_in_documents() -> dict[str, set[str]]:
    """Subcommand -> the options that command lines in the documents give to it."""
    found: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for name, arguments in re.findall(r"^ {4}(?:\S*/)?parastitch ([a-z][a-z-]*)\b([^#\n]*)", text, re.MULTILINE):
            found.setdefault(name, set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", arguments))
    return found


@pytest.mark.parametrize("command", sorted(commands_in_documents()))
def test_command_lines_in_documents_have_options_that_exist(command: str) -> None:
    ask = [sys.executable, "-m", "apps.cli", command, "--help"]
    environment = {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(ask, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", done.stdout))
    assert not {option for option in commands_in_documents()[command] if option.replace("--no-", "--") not in known}
