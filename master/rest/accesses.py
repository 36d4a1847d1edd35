"""What was asked of the front, one line a request: for who wonders what a client does, and what became of it.

Only with `--log-level debug`; this is not an audit log (it says nothing of who asked and what was sent). Owns the form of the line:

    request method=PATCH path=/api/v1/namespaces/shop/pods/a type=application/merge-patch+json watch=False code=200
            agent='kubectl/v1.33.4 (linux/amd64) kubernetes/abcdef' command='kubectl label'

command is what kubectl says of itself. Of the query only `watch` is told, since the words of an exec are in it. A stream is told of
when it begins: who watches does not wait for its end.
"""

from __future__ import annotations

import logging

from aiohttp import hdrs, web

from master.api import query

log = logging.getLogger(__name__)

MAX_WORDS = 120
COMMAND = "Kubectl-Command"


def note(request: web.BaseRequest, code: int) -> None:
    """Idempotent."""
    connection = request.protocol
    if not log.isEnabledFor(logging.DEBUG) or connection.noted is request:  # type: ignore[attr-defined]
        return
    connection.noted = request  # type: ignore[attr-defined]
    media = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0]
    watches = query.flag(request.query, "watch")
    log.debug(
        "request method=%s path=%s type=%s watch=%s code=%d agent=%r command=%r",
        request.method, request.rel_url.raw_path, media[:MAX_WORDS] or "-", watches, code,
        request.headers.get(hdrs.USER_AGENT, "")[:MAX_WORDS], request.headers.get(COMMAND, "")[:MAX_WORDS],
    )  # fmt: skip
