"""Numbers about the master in the words of Prometheus: what a part tells of itself, and the text that all of it becomes.

Each part that has something to tell has a method that yields families; `server.py` gathers them, and the HTTPS front serves the text
at `/metrics`. A family is made when somebody asks, out of plain counters that its part keeps anyway, so counting costs an increment and
telling costs nobody who did not ask. Names and labels are Kubernetes' wherever Kubernetes has the number.

The library for this, prometheus-client, would cost 1.5 MB of a master that wants to be small, and a lock for each increment; the text
format is a page, and the tests read ours back with that library's own parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from master.api.catalog import Catalog
from master.api.contract import Views

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
Labels = tuple[str, ...]


class Spread(msgspec.Struct, frozen=True):
    """One histogram: how many were at most each bound (not added up), those beyond the last bound, and the sum of all."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Family(msgspec.Struct, frozen=True):
    """labels: their names; samples: (their values, the number) each."""

    name: str
    kind: str
    help: str
    labels: Labels = ()
    samples: Iterable[tuple[Labels, float | Spread]] = ()


Source = Callable[[], Iterable[Family]]


def single(name: str, kind: str, help: str, value: float) -> Family:
    """A family of one number without labels."""
    return Family(name, kind, help, (), (((), value),))


def storage_objects(catalog: Catalog, views: Views) -> Iterator[Family]:
    """How many objects of each kind the store holds."""
    kept = [resource for resource in catalog.resources if not resource.stored and not resource.virtual and "watch" in resource.verbs]
    samples = [((resource.key,), float(views.count(resource.key))) for resource in kept]
    yield Family("apiserver_storage_objects", GAUGE, "Number of stored objects by kind.", ("resource",), samples)


def text(families: Iterable[Family]) -> bytes:
    """Prometheus' text format, version 0.0.4."""
    lines: list[str] = []
    for family in families:
        lines += (f"# HELP {family.name} {_escaped(family.help, quotes=False)}", f"# TYPE {family.name} {family.kind}")
        for values, number in family.samples:
            pairs = [f'{label}="{_escaped(value)}"' for label, value in zip(family.labels, values, strict=True)]
            if isinstance(number, Spread):
                lines += _spread(family.name, pairs, number)
            else:
                lines.append(f"{family.name}{_braced(pairs)} {number:.17g}")
    return ("\n".join(lines) + "\n").encode()


_LE = 'le="%s"'


def _spread(name: str, pairs: list[str], spread: Spread) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*(f"{bound:g}" for bound in spread.bounds), "+Inf"), spread.counts, strict=True):
        so_far += count
        yield f"{name}_bucket{_braced([*pairs, _LE % bound])} {so_far}"
    yield f"{name}_sum{_braced(pairs)} {spread.total:.17g}"
    yield f"{name}_count{_braced(pairs)} {so_far}"


def _braced(pairs: list[str]) -> str:
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str, *, quotes: bool = True) -> str:
    value = value.replace("\\", "\\\\").replace("\n", "\\n")
    return value.replace('"', '\\"') if quotes else value
