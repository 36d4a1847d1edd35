"""What a stream is asked for: the shapes that travel in `messages.Open`, as maps, from the master to an agent.

The master makes them of a client's query parameters, the agent reads them back. KINDS has the word that goes with each.
"""

from __future__ import annotations

import msgspec


class LogRequest(msgspec.Struct, frozen=True):
    """As the query parameters of `pods/log`. tail_lines -1: all. since_s/since_time (epoch seconds): at most one."""

    namespace: str
    pod: str
    uid: str
    container: str
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int = -1
    since_s: int | None = None
    since_time: float | None = None
    limit_bytes: int | None = None


class ExecRequest(msgspec.Struct, frozen=True):
    """As the query parameters of `pods/exec`. Its conversation has the channels of `flow`, STDIN and following."""

    namespace: str
    pod: str
    uid: str
    container: str
    command: tuple[str, ...]
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class AttachRequest(msgspec.Struct, frozen=True):
    """As the query parameters of `pods/attach`; the channels are exec's."""

    namespace: str
    pod: str
    uid: str
    container: str
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class PortRequest(msgspec.Struct, frozen=True):
    """One connection to a port in the pod's network. Channels: `flow.DATA` both ways, `flow.TROUBLE` with a sentence."""

    namespace: str
    pod: str
    uid: str
    port: int


class ImageRequest(msgspec.Struct, frozen=True):
    """Of the host's images. action: ls, pull, load, rm. Channel `flow.DATA` both ways: an archive in, ended by nothing; the answer out,
    as JSON."""

    action: str
    image: str = ""


TalkRequest = ExecRequest | AttachRequest | PortRequest | ImageRequest

KINDS: dict[str, type[LogRequest | TalkRequest]] = {
    "logs": LogRequest, "exec": ExecRequest, "attach": AttachRequest, "portforward": PortRequest, "images": ImageRequest,
}  # fmt: skip
