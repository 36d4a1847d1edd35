"""The whole agent over hollow containers and a link that only remembers, under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from agent.agent import Agent
from agent.journal import MemoryJournal
from agent.network.contract import NoNetwork
from agent.parts import Parts
from agent.resources import HollowResources
from agent.runtime.hollow import HollowRuntime
from agent.settings import Settings
from common.aio.tasks import TaskGroup
from common.errors import BadRequest, NotFound, Unavailable
from common.wire import messages
from common.wire.flow import Flow
from tests.agent import pods, virtual
from tests.agent.virtual import until


class FakeMaster:
    """The far end of the link: gets what is sent, and acknowledges it."""

    def __init__(self) -> None:
        self.agent: Agent | None = None
        self.epoch = 0
        self.got: list[messages.Message] = []
        self.acknowledges = True

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self, message: messages.Message) -> None:
        if not self.epoch:
            raise Unavailable("no session")
        self.got.append(message)
        if self.acknowledges and not isinstance(message, messages.Happened):
            self.agent.acknowledged((message.sequence,))

    def connect(self, *documents: dict, pod_cidr: str = "10.1.2.0/24") -> None:
        """A session, its Sync and its Assigns."""
        self.epoch += 1
        self.agent.connected(messages.Welcome(self.epoch, "c", 1.0, pod_cidr))
        self.agent.sync(tuple(d["metadata"]["uid"] for d in documents))
        for document in documents:
            self.assign(document)

    def disconnect(self) -> None:
        self.agent.disconnected()

    def assign(self, document: dict, generation: int = 1) -> None:
        self.agent.assign(document["metadata"]["uid"], generation, pods.encoded(document))

    def status(self, uid: str) -> dict:
        reports = [m for m in self.got if isinstance(m, messages.PodReport) and m.uid == uid]
        return msgspec.json.decode(reports[-1].status) if reports else {}

    def phase(self, uid: str) -> str:
        return self.status(uid).get("phase", "")

    def gone(self) -> list[str]:
        return [m.uid for m in self.got if isinstance(m, messages.PodGone)]

    def node(self) -> dict:
        reports = [m for m in self.got if isinstance(m, messages.NodeReport)]
        return msgspec.json.decode(reports[-1].document) if reports else {}

    def ready(self) -> tuple[str, str]:
        condition = next((c for c in self.node().get("conditions", []) if c["type"] == "Ready"), {"status": "", "message": ""})
        return condition["status"], condition["message"]


class Host:
    """One hollow host; agents come and go on it."""

    def __init__(self, clock: virtual.LoopClock) -> None:
        self.clock = clock
        self.runtime = HollowRuntime(clock)
        self.journal = MemoryJournal()

    async def life(self, test: Callable[[FakeMaster], Awaitable[None]]) -> None:
        """One agent's life, from its start to its being killed at the test's end."""
        master = FakeMaster()
        network = NoNetwork(self.runtime.world.use_pod_cidr)
        parts = Parts("host-1", Settings(runtime="hollow"), self.runtime, HollowResources("host-1", address="192.0.2.1"), self.journal, network, self.clock)
        master.agent = Agent(parts)
        async with TaskGroup() as group:
            task = group.start(master.agent.run(master))
            await asyncio.sleep(0)
            await test(master)
            task.cancel()


def on_a_host(*lives: Callable) -> Host:
    """Each of the functions is one agent's life on the same host."""
    hosts: list[Host] = []

    async def main(clock: virtual.LoopClock) -> None:
        host = Host(clock)
        hosts.append(host)
        for each in lives:
            await host.life(lambda master, each=each: each(host, master))

    virtual.run(main)
    return hosts[0]


A, B = pods.document("a"), pods.document("b")


def test_assigned_pods_run_and_are_reported() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A, B)
        await until(lambda: master.phase("uid-a") == master.phase("uid-b") == "Running")
        assert master.status("uid-a")["podIP"].startswith("10.1.2.")
        assert master.ready() == ("True", "kagent is posting ready status")

    on_a_host(test)


def test_a_deleted_pod_is_gone_and_forgotten() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.phase("uid-a") == "Running")
        master.assign(pods.deleted(A), 2)
        await until(lambda: master.gone() == ["uid-a"])
        assert host.journal.load() == [] and await host.runtime.observe() == []

    on_a_host(test)


def test_an_agent_restarted_without_a_master_keeps_and_restarts_its_pods() -> None:
    async def first(host: Host, master: FakeMaster) -> None:
        master.connect(A, B)
        await until(lambda: len(host.runtime.world.running()) == 2)

    async def second(host: Host, master: FakeMaster) -> None:
        host.runtime.world.operations = []
        await asyncio.sleep(60)
        assert host.runtime.world.operations == [], "what runs is adopted"
        host.runtime.world.crash("uid-a", "app")
        await until(lambda: len(host.runtime.world.running()) == 2)
        host.runtime.world.reboot()
        await until(lambda: len(host.runtime.world.running()) == 2)

    on_a_host(first, second)


def test_a_restarted_agent_reports_what_it_adopted() -> None:
    async def first(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.phase("uid-a") == "Running")

    async def second(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.phase("uid-a") == "Running")
        assert master.status("uid-a")["containerStatuses"][0]["restartCount"] == 0

    on_a_host(first, second)


def test_what_a_sync_does_not_name_is_ended_and_nothing_is_before_it() -> None:
    async def first(host: Host, master: FakeMaster) -> None:
        master.connect(A, B)
        await until(lambda: len(host.runtime.world.running()) == 2)

    async def second(host: Host, master: FakeMaster) -> None:
        host.journal.remove("uid-a")  # as if its entry had been damaged
        master.agent.connected(messages.Welcome(1, "c", 1.0, ""))
        await asyncio.sleep(30)
        assert len(host.runtime.world.running()) == 2
        master.epoch = 0
        master.connect(A)
        await until(lambda: [uid for uid, _ in host.runtime.world.running()] == ["uid-a"])
        assert master.gone() == [], "nobody waits to hear of it"

    on_a_host(first, second)


def test_an_orphan_of_the_journal_less_is_ended_after_the_sync() -> None:
    async def first(host: Host, master: FakeMaster) -> None:
        master.connect(A, B)
        await until(lambda: len(host.runtime.world.running()) == 2)

    async def second(host: Host, master: FakeMaster) -> None:
        master.connect(B)
        await until(lambda: [uid for uid, _ in host.runtime.world.running()] == ["uid-b"])

    def lose_the_journal(host: Host) -> None:
        host.journal.remove("uid-a")
        host.journal.remove("uid-b")

    async def between(host: Host, master: FakeMaster) -> None:
        lose_the_journal(host)

    on_a_host(first, between, second)


def test_a_forgotten_pod_ends_at_once() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.phase("uid-a") == "Running")
        master.agent.forget("uid-a")
        await until(lambda: host.runtime.world.running() == [])
        assert master.gone() == [] and host.journal.load() == []

    on_a_host(test)


def test_without_a_master_pods_live_on_and_news_waits() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.phase("uid-a") == "Running")
        master.disconnect()
        master.got.clear()
        host.runtime.world.crash("uid-a", "app")
        await asyncio.sleep(100)
        assert len(host.runtime.world.running()) == 1 and master.got == []
        master.connect(A)
        await until(lambda: master.status("uid-a").get("containerStatuses", [{}])[0].get("restartCount") == 1)
        assert master.ready()[0] == "True", "the node is reported anew as well"

    on_a_host(test)


def test_a_runtime_that_is_away_makes_the_node_not_ready_and_back() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        await until(lambda: master.ready()[0] == "True")
        host.runtime.world.set_away(True)
        await until(lambda: master.ready()[0] == "False", deadline_s=1)
        assert "hollow runtime is away" in master.ready()[1]
        host.runtime.world.set_away(False)
        await until(lambda: master.ready()[0] == "True", deadline_s=1)

    on_a_host(test)


def test_a_secret_reaches_its_pod_and_is_kept_no_longer() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}}]
        made = pods.document("a", containers=[pods.container("app", env=env)])
        master.connect(made)
        await until(lambda: "CreateContainer" in str(master.status("uid-a")) or master.status("uid-a"))
        master.agent.config(messages.Config(1, "Secret", "default", "keys", 5, msgspec.json.encode({"data": {"password": "c2VzYW1l"}})))
        await until(lambda: master.phase("uid-a") == "Running")
        assert all(b"c2VzYW1l" not in entry.pod for entry in host.journal.load())
        master.assign(pods.deleted(made), 2)
        await until(lambda: master.gone() == ["uid-a"])
        assert master.agent._holdings.configs == {}

    on_a_host(test)


def test_unreadable_messages_disturb_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        master.connect(A)
        master.agent.assign("uid-x", 1, b"{not json")
        master.agent.assign("uid-y", 1, b'{"metadata":' * 10_000)
        master.agent.assign("uid-z", 1, pods.encoded(B))
        master.agent.config(messages.Config(1, "Secret", "default", "s", 1, b'{"data": "hidden'))
        await until(lambda: master.phase("uid-a") == "Running")
        assert caplog.text.count("assignment-unreadable") == 3
        assert "hidden" not in caplog.text

    on_a_host(test)


def test_hello_says_what_the_host_is() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        await asyncio.sleep(1)
        document = msgspec.json.decode(master.agent.hello_document())
        assert document["metadata"]["labels"]["kubernetes.io/hostname"] == "host-1"
        assert document["status"]["capacity"]["pods"] == "110"
        assert document["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.33")
        assert document["status"]["addresses"][0] == {"type": "InternalIP", "address": "192.0.2.1"}

    on_a_host(test)


async def _nowhere(message: messages.Message) -> None:
    """A stream's end that nobody listens to."""


def test_streams_that_cannot_be_are_refused() -> None:
    async def test(host: Host, master: FakeMaster) -> None:
        stream = Flow(1, 1, _nowhere)
        where = {"namespace": "default", "pod": "p", "uid": "nowhere", "container": "c", "command": ["ls"]}
        for kind, request, why in (
            ("dance", {}, "not known to this agent"), ("exec", {}, "exec request"), ("logs", where, "the hollow runtime on node"),
        ):  # fmt: skip
            with pytest.raises(BadRequest, match=why):
                await master.agent.serve(kind, request, stream)
        with pytest.raises(NotFound, match='pod "p" is not on this node'):
            await master.agent.serve("exec", where, stream)

    on_a_host(test)
