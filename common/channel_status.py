"""How a command ended, as Kubernetes says it on exec's error channel (v4 and v5): a Status, whose causes hold the exit code.

kubectl and the Python client take a command's exit code from exactly this form. Pure.
"""

from __future__ import annotations

import msgspec

from common.errors import SteersmanError


def exited(code: int) -> bytes:
    if code == 0:
        return msgspec.json.encode({"metadata": {}, "status": "Success"})
    return msgspec.json.encode({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    })  # fmt: skip


def failed(message: str, *, reason: str = SteersmanError.reason, code: int = SteersmanError.code) -> bytes:
    """It did not come to an end of its own."""
    return msgspec.json.encode({"metadata": {}, "status": "Failure", "reason": reason, "message": message, "code": code})
