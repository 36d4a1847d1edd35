"""Counts what the HTTPS front does: requests by what they asked for and how they ended, how long they took, what is open.

On the path of a request that is one look into one dictionary and two additions; everything else is worked out when somebody reads
`/metrics`. The labels are bounded: verbs, the catalogue's resources, codes; of paths that are no resources the first word, if it is one
of ours. Once MOST_SERIES are known, whatever is new counts as "other".

Watches, logs and conversations last as long as their clients like: they are counted when they end, shown while they are open, and have no
part in the time that requests take.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import hdrs, web

from common import version
from master.api.contract import PatchType
from master.api.metrics import COUNTER, GAUGE, HISTOGRAM, Family, Labels, Spread
from master.rest.connection import Connection
from master.rest.routes import Route

BOUNDS_S = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
MOST_SERIES = 20_000
PATHS = frozenset((
    "api", "apis", "openapi", "version", "healthz", "livez", "readyz", "metrics", "openid", ".well-known",
))  # fmt: skip
MUTATING = frozenset(("POST", "PUT", "PATCH", "DELETE"))
OTHER: Labels = ("other", "", "", "", "", "")
NAMES = ("verb", "group", "version", "resource", "subresource", "scope")
_COLLECTION = {"GET": "LIST", "DELETE": "DELETECOLLECTION"}


def labels(request: web.BaseRequest, route: Route | None, verb: str = "") -> Labels:
    """Of one request, by Kubernetes' names. route: None for what is no resource. verb: that of a long one."""
    if route is None:
        head = request.path.split("/", 2)[1]
        return (request.method if request.method in MUTATING else "GET", "", "", "", f"/{head if head in PATHS else 'other'}", "")
    resource, method = route.resource, request.method
    if not verb:
        verb = method if route.name else _COLLECTION.get(method, method)
        if verb == "PATCH" and request.headers.get(hdrs.CONTENT_TYPE, "").startswith(PatchType.APPLY.value):
            verb = "APPLY"
    scope = "resource" if route.name else "namespace" if route.namespace else "cluster"
    return (verb, resource.group, resource.version, resource.plural, route.subresource, scope)


class Meter:
    CLIENT_GONE = 0

    def __init__(self) -> None:
        self._requests: dict[tuple[Labels, int], list[float]] = {}
        """(labels, code) → how many took at most each bound and not the one before, those beyond, and the sum of seconds."""
        self._ended: Counter[tuple[Labels, int]] = Counter()
        self._open: Counter[Labels] = Counter()
        self._in_flight = [0, 0]
        """Those that read, those that change."""

    def began(self, request: web.BaseRequest) -> None:
        self._in_flight[request.method in MUTATING] += 1

    def ended(self, request: web.BaseRequest, code: int, seconds: float) -> None:
        """code: CLIENT_GONE when nobody was there to have the answer; a watch that its client leaves has had its 200."""
        self._in_flight[request.method in MUTATING] -= 1
        connection = request.protocol
        assert isinstance(connection, Connection)
        if connection.lasting is not None:
            self._ended[connection.lasting, code or 200] += 1
            connection.lasting = None
            return
        key = (labels(request, connection.route), code)
        series = self._requests.get(key)
        if series is None:
            series = self._new(key)
        series[bisect_left(BOUNDS_S, seconds)] += 1
        series[-1] += seconds

    def _new(self, key: tuple[Labels, int]) -> list[float]:
        if len(self._requests) >= MOST_SERIES:
            key = (OTHER, key[1])
        return self._requests.setdefault(key, [0] * (len(BOUNDS_S) + 2))

    @contextmanager
    def lasting(self, request: web.BaseRequest, route: Route, verb: str) -> Iterator[None]:
        """A watch or a conversation, while it is open."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        key = labels(request, route, verb)
        if key not in self._open and len(self._open) >= MOST_SERIES:
            key = OTHER
        connection.lasting = key
        self._open[key] += 1
        self._in_flight[request.method in MUTATING] -= 1
        try:
            yield
        finally:
            self._in_flight[request.method in MUTATING] += 1
            self._open[key] -= 1

    def metrics(self) -> Iterator[Family]:
        shown = ("component", *NAMES)
        counts = [(("apiserver", *key, str(code)), sum(series[:-1])) for (key, code), series in self._requests.items()]
        counts += [(("apiserver", *key, str(code)), count) for (key, code), count in self._ended.items()]
        yield Family(
            "apiserver_request_total", COUNTER, "Requests by verb, resource and HTTP code.", (*shown, "code"), counts
        )
        took: dict[Labels, list[float]] = {}
        for (key, _), series in self._requests.items():
            took[key] = [one + other for one, other in zip(took.get(key) or [0] * len(series), series, strict=True)]
        spreads = [
            (("apiserver", *key), Spread(BOUNDS_S, tuple(int(count) for count in series[:-1]), series[-1])) for key, series in took.items()
        ]
        yield Family(
            "apiserver_request_duration_seconds", HISTOGRAM, "Seconds until the answer, of all but long-running requests.", shown, spreads
        )
        yield Family(
            "apiserver_current_inflight_requests", GAUGE, "Requests being worked on now.", ("request_kind",),
            ((("readOnly",), self._in_flight[0]), (("mutating",), self._in_flight[1])),
        )  # fmt: skip
        lasting = [(("apiserver", *key), count) for key, count in self._open.items()]
        yield Family("apiserver_longrunning_requests", GAUGE, "Open watches, logs and conversations.", shown, lasting)
        major, minor = version.KUBERNETES.removeprefix("v").split(".")[:2]
        yield Family(
            "kubernetes_build_info", GAUGE, "The version that is served.", ("git_version", "major", "minor"),
            (((version.KUBERNETES, major, minor), 1),),
        )  # fmt: skip
