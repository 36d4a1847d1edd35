"""`python -m bench [NAME...]`: runs the benchmarks (all of them without a name), prints a table, writes JSON.

The list of benchmarks is here and nowhere else: a module with NAME and `measure`, which gives figures and skips. One that cannot run
here is skipped with its reason. One that fails is told as such, in the table, the JSON and the exit code 1, so that a table with
holes is never taken for a whole one; what it had measured stays, and the others still run.
What each figure means and what limits it: docs/bench.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import aiohttp
import click
import grpc

from bench import api, fleet, footprint, pod_start, schedule, writes
from bench.report import Failure, Figure, Run, Skip, document, machine, table
from common.errors import SteersmanError
from lab.open import PROJECT

Measure = Callable[[], Iterable[Figure | Skip]]
BENCHMARKS: dict[str, Measure] = {module.NAME: module.measure for module in (writes, api, footprint, schedule, fleet, pod_start)}
RESULT = PROJECT / "build" / "bench.json"
FAULTS = (SteersmanError, RuntimeError, OSError, aiohttp.ClientError, grpc.RpcError, subprocess.SubprocessError)
"""What may befall a benchmark: a lab that does not come up, a refusal, a timeout, a peer that ends. All else is a bug of its own."""


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHMARKS)))
@click.option("--json", "target", type=click.Path(path_type=Path), default=RESULT, help="Where the JSON goes: build/bench.json.")
def main(names: tuple[str, ...], target: Path) -> None:
    run = Run(machine(), [])
    for name in names or BENCHMARKS:
        print(f"running {name}", file=sys.stderr)
        try:
            for result in BENCHMARKS[name]():
                if isinstance(result, Figure):
                    run.figures.append(result)
                else:
                    run.skipped.append(result)
        except FAULTS as error:
            why = " ".join(str(error).split()) or type(error).__name__
            run.failed.append(Failure(name, why))
            print(f"bench: {name}: {why}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(document(run))
    print(table(run))
    sys.exit(1 if run.failed else 0)


if __name__ == "__main__":
    main()
