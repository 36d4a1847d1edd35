"""Documents about the API itself: discovery, OpenAPI, version; and the health checks.

Owns their paths and forms; the discovery documents are generated in `master.api`, and OpenAPI's have a module of their own.

    /api /apis /apis/G /api/v1 /apis/G/V      discovery; /api and /apis aggregated when asked for by Accept
    /openapi/v3 /openapi/v3/PATH /openapi/v2   `openapi.py`
    /version /livez /readyz /healthz           open to everybody
    /livez/NAME and so on                      one check, for monitors
    /metrics                                   for Prometheus
    /.well-known/openid-configuration, /openid/v1/jwks    by which others check ServiceAccounts' tokens
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import platform
import sys
from collections.abc import Callable, Mapping

import msgspec
from aiohttp import hdrs, web

from common import architecture, version
from common.errors import NotFound
from master.api import discovery, faults, metrics, query
from master.api.access.tokens import TokenAuthority
from master.api.catalog import Catalog
from master.api.metrics import Source
from master.rest import negotiate, openapi, reply, routes
from master.rest.openapi import OpenApi

log = logging.getLogger(__name__)

OPEN_TO_ALL = frozenset(("livez", "readyz", "healthz", "version"))
NO_PAGE = "404 page not found\n"

Check = Callable[[], str]
"""A health check: "" when all is well, else what is wrong (for the log, not for callers)."""

_major, _minor, _ = version.KUBERNETES.removeprefix("v").split(".", 2)
VERSION = {
    "major": _major,
    "minor": _minor,
    "gitVersion": version.KUBERNETES,
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": f"python{platform.python_version()}",
    "compiler": platform.python_implementation().lower(),
    "platform": f"{sys.platform}/{architecture.name(platform.machine())}",
}


class Documents:
    """catalog: what is served. address: `HOST:PORT` that clients reach the server at. live and ready: named checks. authority: whose
    tokens others may check by its keys. metrics: who tells something at `/metrics`."""

    def __init__(
        self, catalog: Catalog, *, address: str, live: Mapping[str, Check], ready: Mapping[str, Check],
        authority: TokenAuthority | None = None, metrics: tuple[Source, ...] = (),
    ) -> None:  # fmt: skip
        self._metrics = metrics
        self._authority = authority
        self._catalog = catalog
        self._address = address
        self._checks = {"livez": live, "healthz": live, "readyz": ready}
        self._openapi = OpenApi(catalog)

    async def answer(self, request: web.BaseRequest, parts: list[str]) -> web.Response | None:
        """None when the path names no document of ours."""
        head = parts[0]
        if head in self._checks:
            return self._health(request, parts)
        if head == "version" and len(parts) == 1:
            return await self._json(request, VERSION)
        if parts == ["metrics"]:
            return await self._told(request)
        if head in openapi.HEADS:
            return await self._openapi.answer(request, parts)
        if head in ("api", "apis"):
            return await self._discovery(request, parts)
        if self._authority is not None and parts == [".well-known", "openid-configuration"]:
            return await self._json(request, self._authority.configuration(f"https://{self._address}"))
        if self._authority is not None and parts == ["openid", "v1", "jwks"]:
            return await self._json(request, self._authority.keys(), "application/jwk-set+json")
        return None

    async def _json(self, request: web.BaseRequest, document: object, content_type: str = "") -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise faults.not_allowed()
        return await reply.json(request, msgspec.json.encode(document), content_type=content_type)

    # Discovery.

    async def _discovery(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        core = parts[0] == "api"
        if len(parts) == 1:
            wish = negotiate.aggregated_discovery(request.headers.get(hdrs.ACCEPT, ""))
            if wish:
                kind = f"application/json;g=apidiscovery.k8s.io;v={wish};as=APIGroupDiscoveryList"
                return await self._json(request, discovery.aggregated(self._catalog, core=core, version=wish), kind)
            return await self._json(request, discovery.versions(self._catalog, self._address) if core else discovery.groups(self._catalog))
        if core:
            found = discovery.resources(self._catalog, "", parts[1])
        elif len(parts) == 2:
            found = discovery.group(self._catalog, parts[1])
        else:
            found = discovery.resources(self._catalog, parts[1], parts[2])
        if found is None:
            raise NotFound(routes.NOT_SERVED)
        return await self._json(request, found)

    async def _told(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise faults.not_allowed()
        body = metrics.text(family for source in self._metrics for family in source())
        headers = {hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8", hdrs.SERVER: "steersman", hdrs.VARY: "Accept-Encoding"}
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
        return web.Response(body=body, headers=headers)

    # Health.

    def _health(self, request: web.BaseRequest, parts: list[str]) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise faults.not_allowed()
        checks = self._checks[parts[0]]
        if len(parts) > 1:
            if len(parts) > 2 or parts[1] not in checks:
                return reply.plain(NO_PAGE, code=404)
            checks = {parts[1]: checks[parts[1]]}
        excluded = set(request.query.getall("exclude", ()))
        unknown = ", ".join(f'"{name}"' for name in sorted(excluded - set(checks)))
        failed = {name: why for name, check in checks.items() if name not in excluded and (why := check())}
        lines = [self._line(name, failed, excluded) for name in checks]
        if unknown:
            lines.append(f"warn: some health checks cannot be excluded: no matches for {unknown}")
        if not failed:
            if len(parts) > 1 or not query.flag(request.query, "verbose"):
                return reply.plain("ok")
            return reply.plain("\n".join([*lines, f"{parts[0]} check passed", ""]))
        for name, why in failed.items():
            log.warning("unhealthy check=%s why=%s", name, why)
        if len(parts) > 1:
            return reply.plain("internal server error: reason withheld\n", code=500)
        return reply.plain("\n".join([*lines, f"{parts[0]} check failed", ""]), code=500)

    @staticmethod
    def _line(name: str, failed: Mapping[str, str], excluded: set[str]) -> str:
        if name in excluded:
            return f"[+]{name} excluded: ok"
        return f"[-]{name} failed: reason withheld" if name in failed else f"[+]{name} ok"
