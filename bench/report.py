"""What a benchmark hands back, and how it is shown: figures, each beside a floor or a peer measured in the same run.

Numbers of two machines, or of one machine on two days, cannot be compared; ratios within one run can, more or less. So a figure
carries what it stands beside, and the ratio is computed here and nowhere else. A figure with neither (memory at rest) says so with a dash.
What could not be measured is a `Skip` with its reason: it is printed, and kept in the JSON, so that nobody takes silence for success.

Owns the table, the JSON document and the description of the machine; measures nothing itself.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata

import apsw
import msgspec

from common import version

LIBRARIES = ("aiohttp", "apsw", "grpcio", "msgspec", "numpy", "pyzmq")


class Figure(msgspec.Struct, frozen=True):
    """beside: the name of the floor or peer, beside_value: what it reached in this run, in the same unit."""

    benchmark: str
    name: str
    value: float
    unit: str
    beside: str = ""
    beside_value: float = 0.0

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside_value if self.beside and self.beside_value else None


class Skip(msgspec.Struct, frozen=True):
    benchmark: str
    why: str


def machine() -> dict[str, object]:
    """Cores, memory, load before the run, and every version that a figure depends on."""
    versions = {name: metadata.version(name) for name in LIBRARIES}
    versions |= {"steersman": version.VERSION, "python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    return {
        "system": platform.platform(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "versions": versions,
    }


def table(figures: Sequence[Figure], skips: Sequence[Skip]) -> str:
    rows = [("BENCHMARK", "FIGURE", "VALUE", "UNIT", "RATIO", "BESIDE")]
    for figure in figures:
        ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
        beside = f"{figure.beside} ({amount(figure.beside_value)})" if figure.beside else "-"
        rows.append((figure.benchmark, figure.name, amount(figure.value), figure.unit, ratio, beside))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"SKIPPED {skip.benchmark}: {skip.why}" for skip in skips)])


def amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def document(about: dict[str, object], figures: Sequence[Figure], skips: Sequence[Skip]) -> bytes:
    """One JSON object: machine, figures with their ratios, skipped."""
    listed = [{**msgspec.structs.asdict(figure), "ratio": figure.ratio} for figure in figures]
    return msgspec.json.format(msgspec.json.encode({"machine": about, "figures": listed, "skipped": skips}), indent=1) + b"\n"
