"""What the builder of the site has to know about our documents; mkdocs.yml names this file."""

import re


def on_page_markdown(markdown: str, **_: object) -> str:
    r"""Take the backslash out of `a\|b` in tables: code hosts need it there, the builder shows it."""
    row = re.compile(r"^\|.*$", re.MULTILINE)
    code = re.compile(r"`[^`]+`")
    return row.sub(lambda line: code.sub(lambda span: span[0].replace(r"\|", "|"), line[0]), markdown)
