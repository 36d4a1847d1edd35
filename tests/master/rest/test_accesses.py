"""One line a request in the log, when one asks for it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.master.rest.served import served

PODS = "/api/v1/namespaces/default/pods"


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "master.rest.accesses"]


async def ask(*requests: tuple[str, str, dict[str, str]]) -> None:
    async with asyncio.timeout(20), served() as server:
        for method, path, headers in requests:
            async with server.client.request(method, server.url(path), headers=headers) as answer:
                await answer.read()


def test_a_request_is_told_with_its_client_and_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "master.rest.accesses")
    kubectl = {"User-Agent": "kubectl/v1.33.0 'x'\t", "Kubectl-Command": "kubectl get"}
    asyncio.run(ask(
        ("GET", f"{PODS}?limit=5&labelSelector=secret%3Dyes", kubectl), ("GET", f"{PODS}/absent", kubectl),
        ("GET", f"{PODS}?watch=1&timeoutSeconds=1", kubectl), ("PATCH", f"{PODS}/a%0Ab", {"Content-Type": "application/json-patch+json"}),
    ))  # fmt: skip
    found = lines(caplog)
    assert [line.partition(" agent=")[0] for line in found] == [
        f"request method=GET path={PODS} type=- watch=False code=200",
        f"request method=GET path={PODS}/absent type=- watch=False code=404",
        f"request method=GET path={PODS} type=- watch=True code=200",
        f"request method=PATCH path={PODS}/a%0Ab type=application/json-patch+json watch=False code=400",
    ]
    assert found[0].endswith("""agent="kubectl/v1.33.0 'x'" command='kubectl get'""")


def test_nothing_is_told_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asyncio.run(ask(("GET", PODS, {})))
    assert lines(caplog) == []
