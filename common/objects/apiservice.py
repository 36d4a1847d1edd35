"""APIService, as the controller that says whether it can be reached reads it."""

from __future__ import annotations

from common.objects import meta


class Service(meta.View):
    namespace: str = ""
    name: str = ""


class Spec(meta.View):
    """service: another server, which serves this group and version; None: this server does."""

    group: str = ""
    version: str = ""
    service: Service | None = None


class Status(meta.View):
    conditions: tuple[meta.Condition, ...] = ()


class APIService(meta.View):
    metadata: meta.Meta
    spec: Spec = Spec()
    status: Status = Status()
