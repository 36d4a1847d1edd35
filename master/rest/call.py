"""One API request, taken apart: who calls, what the path names, in what form the answer is wanted.

Made once per request by `app.py` and passed to the verbs, the watch and the logs, which share nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from master.api.contract import Actor
from master.rest.negotiate import Accepted
from master.rest.routes import Route


class Call(msgspec.Struct, frozen=True):
    request: web.BaseRequest
    actor: Actor
    route: Route
    query: Mapping[str, str]
    accepted: Accepted
