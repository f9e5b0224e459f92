"""The tables that an attack ends with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from attacks.pictures import NOTICEABLE

FORMATS = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WebP"}


@dataclass(frozen=True)
class Result:
    """What came of a case: `wrong` lists the promises that were broken."""

    name: str
    code: int
    seconds: float
    cpu_seconds: float
    peak: float
    arguments: str
    stderr: str
    wrong: list[str] = field(default_factory=list)

    @property
    def family(self) -> str:  # noqa: D102
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Reading:
    """What the reader made of a damaged picture: the share of wrong pixels, and whether it was accepted."""

    encoding: str
    damage: str
    wrong: float
    accepted: bool


def family_table(results: Sequence[Result]) -> list[list[str]]:
    """A line for each family and one for all."""
    rows = [["family", "tried", "refused", "accepted", "failed", "longest, s", "largest, MiB"]]
    for family in [*dict.fromkeys(result.family for result in results), "all"]:
        group = [result for result in results if family in (result.family, "all")]
        accepted = sum(result.code == 0 for result in group)
        rows.append([
            family, str(len(group)), str(len(group) - accepted), str(accepted), str(sum(bool(r.wrong) for r in group)),
            f"{max(r.seconds for r in group):.1f}", f"{max(r.peak for r in group):.0f}",
        ])  # fmt: skip
    return rows


def reading_table(readings: Sequence[Reading]) -> list[list[str]]:
    """For each format and encoding: files read, those with noticeably many wrong pixels, and those of them accepted."""
    rows = [["format", "files", f"over {NOTICEABLE:.0%} wrong", "of these accepted", "damaged less, accepted"]]
    for prefix, name in FORMATS.items():
        group = [reading for reading in readings if reading.encoding.partition("-")[0] == prefix]
        rows.append([name, *_reading_figures(group)])
        for encoding in dict.fromkeys(reading.encoding for reading in group):
            one = [reading for reading in group if reading.encoding == encoding]
            rows.append([f"&nbsp; {encoding}", *_reading_figures(one)])
    return rows


def _reading_figures(readings: Sequence[Reading]) -> list[str]:
    wrong = [reading for reading in readings if reading.wrong > NOTICEABLE]
    less = [reading for reading in readings if reading.wrong <= NOTICEABLE]
    accepted = [sum(reading.accepted for reading in group) for group in (wrong, less)]
    return [str(len(readings)), str(len(wrong)), str(accepted[0]), f"{accepted[1]} of {len(less)}"]
