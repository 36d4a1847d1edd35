"""`python -m bench [NAME...]`: runs the benchmarks (all of them without a name), prints a table, writes JSON.

The list of benchmarks is here and nowhere else: a module with NAME and `measure`, which returns figures and skips. One that cannot run
here is skipped with its reason; a fault in one ends the run, so that a table with holes is never taken for a whole one.
What each figure means and what limits it: docs/bench.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench import fleet, footprint, pod_start, schedule, writes
from bench.report import Figure, Skip, document, machine, table
from common.errors import SteersmanError
from lab.open import PROJECT

BENCHMARKS = {module.NAME: module.measure for module in (writes, footprint, schedule, fleet, pod_start)}
RESULT = PROJECT / "build" / "bench.json"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "target", type=click.Path(path_type=Path), default=RESULT, help="Where the JSON goes: build/bench.json.")
def main(names: tuple[str, ...], target: Path) -> None:
    about = machine()
    figures: list[Figure] = []
    skips: list[Skip] = []
    for name in names or BENCHMARKS:
        print(f"running {name}", file=sys.stderr)
        try:
            for result in BENCHMARKS[name]():
                if isinstance(result, Figure):
                    figures.append(result)
                else:
                    skips.append(result)
        except SteersmanError as error:
            sys.exit(f"bench: {name}: {error}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(document(about, figures, skips))
    print(table(figures, skips))


if __name__ == "__main__":
    main()
