"""The network of hollow hosts, as probes see it: whatever is asked, answers. What a container does is played by the runtime."""

from __future__ import annotations

from agent.probes.contract import Answer, Result
from common.objects.handlers import HTTPGetAction


class HollowReach:
    """`contract.Reach`."""

    async def http(self, ask: HTTPGetAction, *, host: str, port: int) -> Result:
        return Result(Answer.SUCCESS)

    async def tcp(self, *, host: str, port: int) -> Result:
        return Result(Answer.SUCCESS)

    async def grpc(self, service: str, *, host: str, port: int) -> Result:
        return Result(Answer.SUCCESS)
