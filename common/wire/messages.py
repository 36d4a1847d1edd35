"""The closed set of messages between master, agents and kctl. One struct each; nothing else travels.

A message is a map in msgpack with its type under `t`; `codec.py` packs and checks. Control and streams are two sockets
with one key. Every message after Welcome carries the session's epoch; a receiver drops what belongs to another epoch.

    agent                        master
      Join(token)           →                  once, with the token's key, before the agent has a key of its own
                            ←    Joined
      Hello                 →                  control socket
                            ←    Welcome(epoch) | Refused
                            ←    Sync, Assign…, Config…, Peers
      Heartbeat, NodeReport, PodReport, PodGone, Happened, Usage   →
                            ←    Ack, Forget, Assign, Config, Peers
      TokenRequest          →
                            ←    Token, DropVolume
      VolumeGone            →
      StreamHello           →                  stream socket
                            ←    Open, Cancel
      Data, Credit          ↔
      End                   →

    kctl                         master
      Call(id)              →
                            ←    Fault | Reply, the whole answer with end=True; else its head, and the rest is a stream:
      Credit(0, id)         ↔    Data(0, id)…, End(0, id)
      Cancel(0, id)         →

A Credit of 0 bytes asks whether the other end still knows the call; it is answered by another, or by End.
Times are wall-clock seconds since the epoch; documents are encoded JSON.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROTOCOL = 1
"""Protocol version. A master serves this one and the one before it."""


class Message(msgspec.Struct, frozen=True, tag_field="t"):
    """The root of all messages."""


class Join(Message):
    """Ask to become a node; the token is known by the key that authenticated this. public_key: the agent's own new
    CURVE key (Z85)."""

    protocol: int
    node: str
    public_key: str
    agent_version: str = ""


class Joined(Message):
    cluster: str
    node: str


class Refused(Message):
    """The master's no. reason as in `common.errors`; retry: whether trying again later can help."""

    reason: str
    message: str
    retry: bool = False


class Hello(Message):
    """First on the control socket. instance: random per agent process, so that a key in use twice is seen.
    document: the Node's labels, addresses, capacity, nodeInfo (encoded JSON of a partial Node).
    peers: whether it has to know the other nodes; one that makes no routes need not, and is told of itself alone."""

    protocol: int
    cluster: str
    node: str
    instance: str
    agent_version: str
    document: bytes
    peers: bool = True


class Welcome(Message):
    """pod_cidr may still be empty; it then comes with Peers. heartbeat_s: how often to beat."""

    epoch: int
    cluster: str
    heartbeat_s: float
    pod_cidr: str = ""
    settings: dict[str, str] = {}


class Heartbeat(Message):
    epoch: int
    sent_at: float = 0.0


class NodeReport(Message):
    """`node.status` as the agent sees it (conditions, capacity, images), sent when it changed."""

    epoch: int
    sequence: int
    document: bytes


class Sync(Message):
    """The uids of all pods that this node should hold; first after Welcome. What else the agent runs of this cluster is
    an orphan and goes. The Assigns for these uids follow."""

    epoch: int
    uids: tuple[str, ...]


class Assign(Message):
    """A pod that this node holds, as it is now. generation rises with every change of it that the agent must see
    (its store revision). pod: the document."""

    epoch: int
    uid: str
    generation: int
    pod: bytes


class Forget(Message):
    """The pod's object is gone: end its containers at once, if there are any; nothing needs to be reported."""

    epoch: int
    uid: str


class Config(Message):
    """A ConfigMap or Secret that an assigned pod names. document None: it does not exist (any more). Of kind PersistentVolumeClaim, the
    document is the PersistentVolume that is bound to it, None while there is none."""

    epoch: int
    kind: str
    namespace: str
    name: str
    revision: int
    document: bytes | None


class DropVolume(Message):
    """A folder of this host that was made for a PersistentVolume is to be removed. It is told once a session, until VolumeGone."""

    epoch: int
    name: str
    path: str


class VolumeGone(Message):
    """It is removed, or was not there. error: why it cannot be removed now; the agent tries again by itself."""

    epoch: int
    name: str
    error: str = ""


class Peer(msgspec.Struct, frozen=True):
    node: str
    address: str
    pod_cidr: str


class Peers(Message):
    """All nodes' addresses and pod CIDRs, this one's own included, for routes; this one's alone when Hello asked for no more."""

    epoch: int
    peers: tuple[Peer, ...]


class PodReport(Message):
    """The newest `pod.status` of an assigned pod. generation: the Assign it was computed on. Sent again until acknowledged."""

    epoch: int
    uid: str
    generation: int
    sequence: int
    status: bytes


class PodGone(Message):
    """All containers of a deleted pod are gone from this host. Sent again until acknowledged."""

    epoch: int
    uid: str
    sequence: int


class Happened(Message):
    """For a Kubernetes Event about a pod (uid set) or the node itself. Best effort."""

    epoch: int
    uid: str
    type: str
    reason: str
    message: str
    at: float
    field_path: str = ""


class ContainerUse(msgspec.Struct, frozen=True):
    """Nanocores over its pod's window; bytes of its working set at the end of it."""

    name: str
    cpu_nano: int
    memory_bytes: int


class PodUse(msgspec.Struct, frozen=True):
    uid: str
    window_s: float
    containers: tuple[ContainerUse, ...]


class Usage(Message):
    """What the host and its pods used during the last window_s seconds. Best effort, and only to a master whose Welcome has the setting
    `usage_s`: how often it wants to know."""

    epoch: int
    window_s: float
    cpu_nano: int
    memory_bytes: int
    pods: tuple[PodUse, ...]


class TokenRequest(Message):
    """A ServiceAccount token for an assigned pod's volume. audience "": the API's own. Asked again until it is answered, and only of a
    master whose Welcome has the setting `tokens`."""

    epoch: int
    uid: str
    audience: str
    lifetime_s: int


class Token(Message):
    """The answer, with the request's own words to know it by. lifetime_s: what it really has. reason, message: why there is no token."""

    epoch: int
    uid: str
    audience: str
    asked_s: int
    token: str = ""
    lifetime_s: int = 0
    reason: str = ""
    message: str = ""

    def __repr__(self) -> str:
        return f"Token(uid={self.uid!r}, audience={self.audience!r}, reason={self.reason!r})"


class Ack(Message):
    """Each PodReport, PodGone and NodeReport of these sequences is durable (or void: it will never be written, do not send
    it again). With no sequences it answers a Heartbeat."""

    epoch: int
    sequences: tuple[int, ...]


class StreamHello(Message):
    """First on the stream socket, after Welcome."""

    epoch: int
    node: str


class Open(Message):
    """Start a stream. kind: "logs", "exec", "attach", "portforward" or "images"; request: the msgpack map of its request struct."""

    epoch: int
    stream: int
    kind: str
    request: dict


class Credit(Message):
    """The receiver of Data allows so many more bytes. The agent's first one says that the stream is open; a log has none."""

    epoch: int
    stream: int
    bytes: int


class Data(Message):
    """Bytes of one of the stream's channels, as `flow.py` numbers them; empty: that channel has ended. Costs its length, or 1."""

    epoch: int
    stream: int
    data: bytes
    channel: int = 0


class End(Message):
    """The stream is over; reason "" means well."""

    epoch: int
    stream: int
    reason: str = ""
    message: str = ""


class Cancel(Message):
    """The client went away."""

    epoch: int
    stream: int


class Call(Message):
    """kctl to master: one request of the native front. method and args: see `master/native`. user, groups: whom to act as."""

    id: int
    method: str
    args: dict = {}
    user: str = ""
    groups: tuple[str, ...] = ()


class Reply(Message):
    """result: the answer (whatever msgpack carries); or, with end=False, the head of one whose bytes follow as a stream."""

    id: int
    result: Any = None
    end: bool = True


class Fault(Message):
    """A call that failed: `status` is the Kubernetes Status document."""

    id: int
    status: dict


CONTROL_FROM_AGENT = Join | Hello | Heartbeat | NodeReport | PodReport | PodGone | Happened | Usage | TokenRequest | VolumeGone
CONTROL_FROM_MASTER = Joined | Refused | Welcome | Sync | Assign | Forget | Config | Peers | Ack | Token | DropVolume
STREAM_FROM_AGENT = StreamHello | Data | Credit | End | Refused
STREAM_FROM_MASTER = Open | Data | Credit | Cancel | Refused
NATIVE_FROM_CLIENT = Call | Data | Credit | Cancel
NATIVE_FROM_MASTER = Reply | Fault | Data | Credit | End
