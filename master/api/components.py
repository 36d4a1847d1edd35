"""ComponentStatus: whether the scheduler, the controllers and the store are well, under the names that Kubernetes gives them.

Worked out when somebody asks (`computed.py`). `server.py` says which parts there are, with the same checks that `/readyz` uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from master.api.contract import Document, Ref, Views

KEY = "componentstatuses"


class Components:
    """checks: by name, "" when all is well, else what is wrong. They are added as the parts are made."""

    def __init__(self) -> None:
        self.checks: dict[str, Callable[[], str]] = {}

    def get(self, views: Views, ref: Ref) -> Document | None:
        check = self.checks.get(ref.name)
        return None if check is None else _document(ref.name, check())

    def list(self, views: Views, namespace: str) -> Iterable[Document]:
        return [_document(name, check()) for name, check in sorted(self.checks.items())]


def _document(name: str, trouble: str) -> Document:
    condition = {"type": "Healthy", "status": "False" if trouble else "True", "message": trouble or "ok"}
    return {"metadata": {"name": name}, "kind": "ComponentStatus", "apiVersion": "v1", "conditions": [condition]}
