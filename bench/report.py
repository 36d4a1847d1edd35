"""What a benchmark hands back, and how it is shown: figures, each beside a floor or a peer measured in the same run.

Numbers of two machines, or of one machine on two days, cannot be compared; ratios within one run can, more or less. So a figure
carries what it stands beside, and the ratio is computed here and nowhere else. A figure with neither (memory at rest) says so with a dash.
What could not be measured is a `Skip` with its reason, or a `Failure`: both are printed, and kept in the JSON, so that nobody takes
silence for success. A figure that has a budget says whether it is held.

Owns the table, the JSON document and the description of the machine; measures nothing itself.
"""

from __future__ import annotations

import os
import platform
from importlib import metadata

import apsw
import msgspec

from common import version

LIBRARIES = ("aiohttp", "apsw", "grpcio", "msgspec", "numpy", "pyzmq")


class Budget(msgspec.Struct, frozen=True):
    """What a figure may be at most or must be at least; ratio: of its ratio instead of its value."""

    most: float | None = None
    least: float | None = None
    ratio: bool = False


class Figure(msgspec.Struct, frozen=True):
    """beside: the name of the floor or peer, beside_value: what it reached in this run, in the same unit."""

    benchmark: str
    name: str
    value: float
    unit: str
    beside: str = ""
    beside_value: float = 0.0
    budget: Budget | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.beside_value if self.beside and self.beside_value else None

    @property
    def held(self) -> bool | None:
        """Whether it is within its budget; None without one."""
        if self.budget is None:
            return None
        measured = self.ratio if self.budget.ratio else self.value
        if measured is None:
            return False
        most, least = self.budget.most, self.budget.least
        return (most is None or measured <= most) and (least is None or measured >= least)


class Skip(msgspec.Struct, frozen=True):
    benchmark: str
    why: str


class Failure(msgspec.Struct, frozen=True):
    """A benchmark that ended with an error: what it would have measured is missing."""

    benchmark: str
    why: str


class Run(msgspec.Struct, frozen=True):
    """All that one run of the command has to say."""

    machine: dict[str, object]
    figures: list[Figure]
    skipped: list[Skip] = []
    failed: list[Failure] = []


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


def table(run: Run) -> str:
    rows = [("BENCHMARK", "FIGURE", "VALUE", "UNIT", "RATIO", "BESIDE", "BUDGET")]
    for figure in run.figures:
        ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
        beside = f"{figure.beside} ({amount(figure.beside_value)})" if figure.beside else "-"
        rows.append((figure.benchmark, figure.name, amount(figure.value), figure.unit, ratio, beside, _budget(figure)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"SKIPPED {skip.benchmark}: {skip.why}" for skip in run.skipped]
    return "\n".join([*lines, *(f"FAILED {failure.benchmark}: {failure.why}" for failure in run.failed)])


def _budget(figure: Figure) -> str:
    budget = figure.budget
    if budget is None:
        return "-"
    limits = [*([f"≤ {budget.most:g}"] if budget.most is not None else []), *([f"≥ {budget.least:g}"] if budget.least is not None else [])]
    return f"{'ratio ' if budget.ratio else ''}{' and '.join(limits)}: {'held' if figure.held else 'EXCEEDED'}"


def amount(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def document(run: Run) -> bytes:
    """One JSON object: machine, figures with their ratios, skipped, failed."""
    figures = [{**msgspec.structs.asdict(figure), "ratio": figure.ratio, "held": figure.held} for figure in run.figures]
    whole = {"machine": run.machine, "figures": figures, "skipped": run.skipped, "failed": run.failed}
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"
