"""Joining, over real sockets and with the real dispatch: a key, a token, a node; then everything that must not work."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from agent import joining
from agent.link import Link
from common.aio.tasks import TaskGroup
from common.clock import SystemClock, SystemRng
from common.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Invalid,
    Timeout,
    Unauthorized,
)
from common.wire import codec, keys, zmq_transport
from common.wire import messages as m
from common.wire.transport import Dialer
from master.api import bootstrap
from master.api.contract import Document, Ref
from master.api.door import ApiDoor
from master.dispatch import tokens
from master.dispatch.dispatch import Dispatch, Settings
from master.dispatch.join import TokenDesk
from master.dispatch.keyring import KeyRing
from master.store.memory import MemoryStore
from tests.agent.test_link import Duties, Streams
from tests.master.dispatch.world import USER

CLUSTER = "c-1"
CLOCK, RNG = SystemClock(), SystemRng()
DEADLINE_S = 15.0


class Master:
    """Dispatch behind real sockets on free ports."""

    def __init__(self) -> None:
        self.store = MemoryStore(CLOCK)
        self.door = ApiDoor(self.store, CLOCK, RNG)
        self.ring = KeyRing(CLOCK)
        self.pair = keys.new_pair(RNG)
        self.signing = keys.new_signing_key(RNG)
        self.control = self._listener(self.ring.admit_control)
        self.streams = self._listener(self.ring.admit_stream)
        self.dispatch = Dispatch(
            self.door, control=self.control, streams=self.streams, clock=CLOCK, ring=self.ring,
            settings=Settings(CLUSTER, heartbeat_s=0.2, node_grace_s=2.0),
        )  # fmt: skip

    def _listener(self, admit: zmq_transport.Admit) -> zmq_transport.ZmqListener:
        return zmq_transport.ZmqListener("tcp://127.0.0.1:0", secret_key=self.pair.secret, admit=admit)

    def key(self) -> keys.MasterKey:
        control, stream = (int(one.endpoint.rpartition(":")[2]) for one in (self.control, self.streams))
        return keys.sign(self.signing, keys.MasterKey("127.0.0.1", control, stream, self.pair.public))

    async def token(self, ttl_s: int = 60) -> Document:
        desk = TokenDesk(
            self.door, CLOCK, RNG, cluster=CLUSTER, master=self.key(), signing_key=keys.signing_public(self.signing)
        )  # fmt: skip
        made = await desk.create(USER, ttl_s, "")
        await self.until(lambda: self.ring.token(made["id"]))
        return made

    async def until(self, condition: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # type: ignore[operator]
                await asyncio.sleep(0.01)

    def dialer(self, identity: joining.Identity) -> Dialer:
        return dial(identity.master, identity.pair)


def dial(master: keys.MasterKey, pair: keys.Pair) -> Dialer:
    return zmq_transport.ZmqDialer(master.endpoints, server_key=master.public_key, public_key=pair.public, secret_key=pair.secret)


@asynccontextmanager
async def running() -> AsyncIterator[Master]:
    master = Master()
    await master.store.open()
    await bootstrap.ensure(master.door)
    await master.control.open()
    await master.streams.open()
    async with TaskGroup() as group:
        task = group.start(master.dispatch.run())
        try:
            yield master
        finally:
            task.cancel()
    await master.control.close()
    await master.streams.close()
    await master.store.close()


def check(test: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            async with running() as master:
                await test(master)  # type: ignore[operator]

    asyncio.run(main())


async def join(made: Document, folder: Path, *, node: str = "n1", deadline_s: float = DEADLINE_S) -> joining.Identity:
    return await joining.join(made["join"], node=node, folder=folder, dialer=dial, rng=RNG, deadline_s=deadline_s)


def test_a_host_joins_and_its_key_opens_a_session(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        identity = await join(await master.token(), tmp_path)
        assert joining.load(tmp_path) == identity and identity.node == "n1"
        assert [path.name for path in tmp_path.iterdir()] == [joining.IDENTITY]
        assert stat.S_IMODE((tmp_path / joining.IDENTITY).stat().st_mode) == 0o600
        duties = Duties()
        link = Link(
            master.dialer(identity), node="n1", cluster=CLUSTER, duties=duties, streams=Streams(), document=lambda: b"{}",
            clock=CLOCK, rng=RNG,
        )  # fmt: skip
        async with TaskGroup() as group:
            task = group.start(link.run())
            await master.until(lambda: "sync" in duties.names())
            await master.until(lambda: master.dispatch._hub._peers.get("n1"))
            task.cancel()

    check(test)


def test_joining_again_changes_nothing_and_another_name_is_refused(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        made = await master.token()
        assert await join(made, tmp_path) == await join(made, tmp_path)
        with pytest.raises(Conflict, match="node n1 of cluster c-1 already"):
            await join(made, tmp_path, node="n2")

    check(test)


def test_a_lost_answer_is_made_good_by_joining_again(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        made = await master.token()
        first = await join(made, tmp_path)
        (tmp_path / joining.IDENTITY).unlink()
        keys.write_secret(tmp_path / joining.PENDING, msgspec.json.encode(first.pair))
        assert await join(made, tmp_path) == first

    check(test)


def test_what_the_master_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        made = await master.token()
        await join(made, tmp_path)
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(AlreadyExists, match='a node named "n1" exists'):
            await join(made, other)
        with pytest.raises(Invalid, match="cannot be a node's name"):
            await join(made, other, node="Not_A_Name")
        assert joining.load(other) is None

    check(test)


def test_a_revoked_token_gets_no_answer_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        made = await master.token()
        await master.door.delete(USER, tokens.ref(made["id"]))
        await master.until(lambda: master.ring.token(made["id"]) is None)
        with pytest.raises(Timeout, match="kctl token create") as raised:
            await join(made, tmp_path, deadline_s=0.5)
        assert made["join"] not in str(raised.value) and keys.invitation(made["join"]).token not in str(raised.value)

    check(test)


def test_no_key_but_the_nodes_own_says_anything_in_its_name(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        made = await master.token()
        for name in ("n1", "n2"):
            (tmp_path / name).mkdir()
        one, two = await join(made, tmp_path / "n1"), await join(made, tmp_path / "n2", node="n2")

        async def answer(identity: joining.Identity, message: m.Message) -> m.Message | None:
            connection = await master.dialer(identity).dial("control")
            try:
                await connection.send(codec.encode(message))
                async with asyncio.timeout(1.0):
                    return codec.decode(await connection.receive(), m.CONTROL_FROM_MASTER)
            except TimeoutError:
                return None
            finally:
                await connection.close()

        hello = m.Hello(m.PROTOCOL, CLUSTER, "n1", "i", "0.1", b"{}")
        refused = await answer(two, hello)
        assert isinstance(refused, m.Refused) and refused.reason == "Forbidden"
        assert isinstance(await answer(one, hello), m.Welcome)
        stranger = msgspec.structs.replace(one, pair=keys.new_pair(RNG))
        assert await answer(stranger, hello) is None
        await master.door.delete(USER, Ref("nodes", "n1"))
        await master.until(lambda: not master.ring.node_key("n1"))
        assert await answer(one, hello) is None

    check(test)


def test_an_agent_follows_only_a_master_that_its_cluster_signed(tmp_path: Path) -> None:
    async def test(master: Master) -> None:
        await join(await master.token(), tmp_path)
        moved = keys.MasterKey("10.0.0.2", 6444, 6445, keys.new_pair(RNG).public)
        with pytest.raises(Unauthorized):
            joining.trust(tmp_path, keys.sign(keys.new_signing_key(RNG), moved))
        assert joining.trust(tmp_path, keys.sign(master.signing, moved)).master.host == "10.0.0.2"

    check(test)


def test_a_damaged_identity_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / joining.IDENTITY).write_bytes(b"{")
    with pytest.raises(BadRequest, match="join anew"):
        joining.load(tmp_path)
