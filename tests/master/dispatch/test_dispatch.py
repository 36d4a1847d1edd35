"""What agents and users see of dispatch: over the real door, a memory store and the memory transport, under virtual time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from common.aio.tasks import TaskGroup
from common.wire import codec, keys
from common.wire import messages as m
from master.api.contract import DeleteOptions, PatchType, Ref
from master.dispatch import tokens
from master.dispatch.index import AGENT_KEY
from master.dispatch.join import TokenDesk
from tests.master.dispatch.world import CLUSTER, SETTINGS, USER, World, check

WEB = Ref("pods", "web", "default")


# -- sessions


def test_hello_registers_the_host_and_opens_a_session() -> None:
    async def test(world: World) -> None:
        agent = await world.agent()
        welcome = await agent.hello()
        assert isinstance(welcome, m.Welcome) and welcome.heartbeat_s == SETTINGS.heartbeat_s
        assert (await agent.expect(m.Sync)).uids == ()
        node = await world.until(lambda: (n := world.get("nodes", "n1"))["status"].get("capacity") and n)
        assert node["status"]["capacity"]["cpu"] == "4" and node["status"]["addresses"][0]["address"] == "10.0.0.1"
        assert node["metadata"]["labels"] == {
            "kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"
        }  # fmt: skip
        await agent.ready()
        assert world.ready(world.get("nodes", "n1"))["status"] == "True"

    check(test)


def test_a_key_does_not_open_the_session_of_another_node() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        agent = await world.agent("n1", identity="node:n2")
        answer = await agent.hello()
        assert isinstance(answer, m.Refused) and answer.reason == "Forbidden"

    check(test)


def test_a_hello_for_a_node_that_does_not_exist_is_refused() -> None:
    async def test(world: World) -> None:
        answer = await (await world.agent("n9")).hello()
        assert isinstance(answer, m.Refused) and answer.reason == "NotFound"

    check(test)


def test_a_key_in_use_twice_is_seen_and_the_newcomer_refused_until_the_first_is_silent() -> None:
    async def test(world: World) -> None:
        first = await world.connected()
        thief = await world.agent(name="thief")
        answer = await thief.hello("i2")
        assert isinstance(answer, m.Refused) and answer.retry and "in use twice" in answer.message
        await first.beat()
        await first.expect(m.Ack)
        await asyncio.sleep(SETTINGS.heartbeat_s * (SETTINGS.session_heartbeats + 0.5))
        assert isinstance(await thief.hello("i2"), m.Welcome)

    check(test)


def test_a_restarted_agent_need_not_wait_for_the_session_of_its_dead_self() -> None:
    async def test(world: World) -> None:
        await world.connected()
        world.network.crash("n1")
        assert isinstance(await (await world.agent()).hello("i2"), m.Welcome)

    check(test)


def test_the_same_process_replaces_its_own_session_under_a_new_epoch() -> None:
    async def test(world: World) -> None:
        first = await world.connected()
        second = await world.agent()
        await second.hello("i1")
        assert second.epoch > first.epoch
        await first.beat()
        assert (await first.expect(m.Refused)).retry

    check(test)


def test_epochs_rise_across_restarts_of_the_master() -> None:
    async def test(world: World) -> None:
        before = (await world.connected()).epoch
        world.network.crash("master")
        dispatch = world.make()
        async with TaskGroup() as group:
            task = group.start(dispatch.run())
            assert (await world.connected()).epoch > before
            task.cancel()

    check(test)


def test_a_message_without_a_session_is_told_to_say_hello() -> None:
    async def test(world: World) -> None:
        agent = await world.agent()
        await agent.say(m.Heartbeat(3))
        refused = await agent.expect(m.Refused)
        assert refused.retry and refused.reason == "Expired"

    check(test)


@pytest.mark.parametrize("body", [b"garbage", codec.encode(m.Welcome(1, "c", 1.0)), b"\x91" * 100], ids=["noise", "a master's word", "depth"])
def test_garbage_costs_its_sender_the_connection_and_nobody_else(body: bytes) -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        good, bad = await world.connected("n1"), await world.connected("n2")
        await bad.connection.send(body)
        await good.beat()
        await good.expect(m.Ack)
        await bad.beat()
        assert (await bad.expect(m.Refused)).retry

    check(test)


# -- assignments


def test_a_bound_pod_is_assigned_with_what_it_names_and_nothing_else() -> None:
    async def test(world: World) -> None:
        for name in ("wanted", "other"):
            await world.door.create(USER, "secrets", "default", {"metadata": {"name": name}, "data": {"k": "dg=="}})
        agent = await world.connected()
        made = await world.pod(containers=[{"name": "c", "image": "i", "envFrom": [{"secretRef": {"name": "wanted"}}]}])
        assign = await agent.expect(m.Assign)
        assert assign.uid == made["metadata"]["uid"]
        assert msgspec.json.decode(assign.pod)["spec"]["nodeName"] == "n1"
        config = await agent.expect(m.Config)
        assert (config.kind, config.namespace, config.name) == ("Secret", "default", "wanted")
        assert config.document is not None and msgspec.json.decode(config.document)["data"] == {"k": "dg=="}
        assert [x for x in await agent.quiet() if not isinstance(x, m.Peers)] == []

    check(test)


def test_a_config_is_sent_again_when_it_changes_and_when_it_goes() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod(containers=[{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "cm"}}]}])
        assert (await agent.expect(m.Config)).document is None
        ref = Ref("configmaps", "cm", "default")
        await world.door.create(USER, "configmaps", "default", {"metadata": {"name": "cm"}, "data": {"a": "1"}})
        assert (await agent.expect(m.Config)).document is not None
        await world.door.patch(USER, ref, PatchType.MERGE, {"data": {"a": "2"}})
        assert b'"a":"2"' in ((await agent.expect(m.Config)).document or b"")
        await world.door.delete(USER, ref)
        assert (await agent.expect(m.Config)).document is None

    check(test)


def test_a_new_session_gets_the_whole_of_what_it_holds() -> None:
    async def test(world: World) -> None:
        made = [await world.pod("a"), await world.pod("b")]
        await world.pod("elsewhere", node="n2")
        agent = await world.agent()
        await agent.hello()
        assert (await agent.expect(m.Sync)).uids == tuple(p["metadata"]["uid"] for p in made)
        assert [(await agent.expect(m.Assign)).uid for _ in made] == [p["metadata"]["uid"] for p in made]

    check(test)


def test_all_hosts_learn_of_a_new_hosts_address() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        one = await world.connected("n1")
        await world.connected("n2")
        peers = await one.expect(m.Peers, lambda peers: len(peers.peers) == 2)
        assert [p.address for p in peers.peers] == ["10.0.0.1", "10.0.0.2"]

    check(test)


def test_a_node_that_makes_no_routes_hears_of_itself_alone() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        one = await world.agent("n1")
        await one.hello(peers=False)
        peers = await one.expect(m.Peers, lambda peers: peers.peers != ())
        assert [p.address for p in peers.peers] == ["10.0.0.1"]
        await world.connected("n2")
        assert [x for x in await one.quiet() if isinstance(x, m.Peers)] == []

    check(test)


# -- reports


def test_a_status_is_written_once_and_acknowledged_when_durable() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.244.0.2"}
        await agent.report(assign, 10, **running)
        await agent.expect(m.Ack, lambda ack: 10 in ack.sequences)
        pod = world.get_pod()
        assert pod["status"]["phase"] == "Running" and world.ready(pod)["status"] == "True"
        assert any(c["type"] == "PodScheduled" for c in pod["status"]["conditions"])
        revision = world.store.revision
        await agent.report(assign, 11, **running)
        await agent.expect(m.Ack, lambda ack: 11 in ack.sequences)
        assert world.store.revision == revision
        assert not [x for x in agent.heard if isinstance(x, m.Assign)][1:], "a status must not come back as an assignment"

    check(test)


def test_every_status_names_who_reported_and_the_assignment_it_answers() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.report(assign, 1, phase="Running")
        await agent.expect(m.Ack, lambda ack: 1 in ack.sequences)
        cause = (await world.store.history(WEB.key))[-1].cause
        assert (cause.actor, cause.rule, cause.revision) == ("system:node:n1", "PodStatus", assign.generation)
        assert cause.why == "phase Pending → Running"

    check(test)


def test_reports_of_an_old_epoch_generation_or_another_node_are_void() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        agent, other = await world.connected("n1"), await world.connected("n2")
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.say(m.PodReport(agent.epoch - 1, assign.uid, assign.generation, 20, b'{"phase":"Failed"}'))
        await agent.say(m.PodReport(agent.epoch, assign.uid, assign.generation - 1, 21, b'{"phase":"Failed"}'))
        await agent.expect(m.Ack, lambda ack: 21 in ack.sequences)
        await other.report(assign, 22, phase="Failed")
        await other.expect(m.Ack, lambda ack: 22 in ack.sequences)
        assert world.get_pod()["status"]["phase"] == "Pending"

    check(test)


def test_a_host_tells_what_it_and_its_own_pods_use() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        agent, other = await world.connected("n1"), await world.connected("n2")
        await world.pod()
        assign = await agent.expect(m.Assign)

        def usage(who: Agent, cpu_nano: int) -> m.Usage:
            pod = m.PodUse(assign.uid, 15.0, (m.ContainerUse("c", cpu_nano, 1024),))
            return m.Usage(who.epoch, 15.0, cpu_nano, 2048, (pod, m.PodUse("nobody", 15.0, ())))

        revision = world.store.revision
        await other.say(usage(other, 7))
        await agent.say(m.Usage(agent.epoch - 1, 15.0, 8, 1, ()))
        await agent.say(usage(agent, 5))
        found = await world.until(lambda: world.board.of_node("n1") and world.board.of_node("n2") and world)
        assert world.get("nodes.metrics.k8s.io", "n1")["usage"]["cpu"] == "5n"
        assert world.get("nodes.metrics.k8s.io", "n2")["usage"]["cpu"] == "7n"
        [container] = world.get("pods.metrics.k8s.io", "web", "default")["containers"]
        assert (container["name"], container["usage"]) == ("c", {"cpu": "5n", "memory": "1Ki"})
        assert found.store.revision == revision, "nothing of it is written"
        await world.door.delete(USER, Ref("nodes", "n1"))
        await world.until(lambda: world.board.of_node("n1") is None)

    check(test)


def test_a_node_gets_tokens_for_its_own_pods_and_no_others() -> None:
    async def test(world: World) -> None:
        await world.node("n2")
        await world.door.create(USER, "serviceaccounts", "default", {"metadata": {"name": "robot"}})
        mine = (await world.pod("web", serviceAccountName="robot"))["metadata"]["uid"]
        other = (await world.pod("other", node="n2", serviceAccountName="robot"))["metadata"]["uid"]
        agent = await world.connected()
        await agent.say(m.TokenRequest(agent.epoch, mine, "", 3607))
        given = await agent.expect(m.Token)
        assert (given.uid, given.audience, given.asked_s, given.lifetime_s, given.reason) == (mine, "", 3607, 3607, "")
        assert given.token not in repr(given)
        who, _ = world.door.authority.check(given.token)
        assert who.name == "system:serviceaccount:default:robot"
        about = dict(who.extra)
        assert about["authentication.kubernetes.io/pod-name"] == ("web",) and about["authentication.kubernetes.io/node-name"] == ("n1",)
        await agent.say(m.TokenRequest(agent.epoch, mine, "vault", 7200))
        assert world.door.authority.check((await agent.expect(m.Token)).token, ("vault",))[1] == ("vault",)
        await agent.say(m.TokenRequest(agent.epoch, other, "", 3607))
        refused = await agent.expect(m.Token)
        assert (refused.token, refused.reason) == ("", "NotFound")
        await world.door.delete(USER, Ref("serviceaccounts", "robot", "default"))
        await agent.say(m.TokenRequest(agent.epoch, mine, "", 3607))
        gone = await agent.expect(m.Token)
        assert (gone.token, gone.message) == ("", 'serviceaccounts "robot" not found')

    check(test)


def test_a_damaged_report_is_void_and_ends_nothing() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.say(m.PodReport(agent.epoch, assign.uid, assign.generation, 20, b"{broken"))
        await agent.expect(m.Ack, lambda ack: 20 in ack.sequences)
        await agent.report(assign, 21, phase="Running")
        await agent.expect(m.Ack, lambda ack: 21 in ack.sequences)
        assert world.get_pod()["status"]["phase"] == "Running"

    check(test)


def test_a_deleted_pod_goes_when_its_agent_confirms_and_not_before() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.say(m.PodGone(agent.epoch, assign.uid, 30))
        await agent.expect(m.Ack, lambda ack: 30 in ack.sequences)
        assert world.get_pod(), "nobody deleted it: what the agent says is void"
        await world.door.delete(USER, WEB)
        again = await agent.expect(m.Assign)
        assert again.generation > assign.generation and b"deletionTimestamp" in again.pod
        assert world.get_pod()
        await agent.say(m.PodGone(agent.epoch, assign.uid, 31))
        await agent.expect(m.Forget)
        await world.until(lambda: world.store.get(WEB.key) is None)

    check(test)


def test_a_pod_deleted_by_force_is_forgotten_by_its_agent() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        uid = (await agent.expect(m.Assign)).uid
        await world.door.delete(USER, WEB, DeleteOptions(grace_s=0))
        assert (await agent.expect(m.Forget)).uid == uid

    check(test)


def test_what_happened_becomes_an_event() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.say(m.Happened(agent.epoch, assign.uid, "Warning", "BackOff", "Back-off restarting failed container", 0.0))
        await agent.say(m.Happened(agent.epoch, "someone-else", "Warning", "Lie", "not my pod", 0.0))
        (event,) = await world.until(lambda: world.store.list("events/default/"))
        document = msgspec.json.decode(event.value)
        assert (document["reason"], document["type"], document["involvedObject"]["name"]) == ("BackOff", "Warning", "web")

    check(test)


# -- silence


def test_a_silent_node_turns_unknown_its_pods_unready_and_both_recover() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await world.pod()
        assign = await agent.expect(m.Assign)
        await agent.report(assign, 2, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
        await agent.expect(m.Ack, lambda ack: 2 in ack.sequences)
        await asyncio.sleep(SETTINGS.node_grace_s - 1)
        assert world.ready(world.get("nodes", "n1"))["status"] == "True"
        node = await world.until(lambda: world.ready(n := world.get("nodes", "n1"))["status"] == "Unknown" and n)
        assert world.ready(node)["reason"] == "NodeStatusUnknown"
        await world.until(lambda: world.ready(world.get_pod())["status"] == "False")
        await agent.beat()
        assert (await agent.expect(m.Refused)).retry
        await agent.hello()
        again = await agent.expect(m.Assign)
        assert again.generation > assign.generation, "the agent must see that it has to report anew"
        await agent.ready(3)
        await agent.report(again, 4, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
        await agent.expect(m.Ack, lambda ack: 4 in ack.sequences)
        assert world.ready(world.get("nodes", "n1"))["status"] == "True" == world.ready(world.get_pod())["status"]

    check(test)


def test_heartbeats_keep_a_node_alive_and_never_touch_the_store() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        await asyncio.sleep(0.5)
        revision, lease = world.store.revision, world.leases.get("n1")
        for _ in range(20):
            await agent.beat()
            await agent.expect(m.Ack, lambda ack: not ack.sequences)
            await asyncio.sleep(SETTINGS.heartbeat_s)
        assert world.store.revision == revision and world.leases.get("n1") != lease

    check(test)


def test_a_node_that_never_spoke_turns_unknown_after_a_full_grace_period() -> None:
    async def test(world: World) -> None:
        await asyncio.sleep(SETTINGS.node_grace_s - 0.5)
        assert not world.get("nodes", "n1")["status"].get("conditions")
        condition = await world.until(lambda: world.ready(world.get("nodes", "n1")))
        assert (condition["status"], condition["reason"]) == ("Unknown", "NodeStatusNeverUpdated")

    check(test)


# -- joining


async def token(world: World, *, ttl_s: int = 60) -> str:
    signing = keys.new_signing_key(world.rng)
    master = keys.sign(signing, keys.MasterKey("10.0.0.9", 6444, 6445, keys.new_pair(world.rng).public))
    desk = TokenDesk(world.door, world.clock, world.rng, cluster=CLUSTER, master=master, signing_key=keys.signing_public(signing))
    answer = await desk.create(USER, ttl_s, "for a test")
    read = keys.invitation(answer["join"])
    assert read.token.startswith(answer["id"]) and bool(answer["expires"]) == bool(ttl_s)
    await world.until(lambda: world.dispatch.ring.token(answer["id"]))
    return answer["id"]


async def join(world: World, identifier: str, name: str, key: str) -> m.Message:
    agent = await world.agent(name, identity=f"join:{identifier}")
    await agent.say(m.Join(m.PROTOCOL, name, key))
    return await agent.hear()


def test_a_token_makes_a_node_whose_key_then_opens_its_session() -> None:
    async def test(world: World) -> None:
        key = keys.new_pair(world.rng).public
        assert await join(world, await token(world), "n5", key) == m.Joined(CLUSTER, "n5")
        assert world.dispatch.ring.admit_control(key, "") == "node:n5"
        assert world.get("nodes", "n5")["metadata"]["annotations"][AGENT_KEY] == key
        assert isinstance(await (await world.agent("n5")).hello(), m.Welcome)

    check(test)


def test_joining_twice_with_one_key_is_joining_once() -> None:
    async def test(world: World) -> None:
        identifier, key = await token(world, ttl_s=0), keys.new_pair(world.rng).public
        assert await join(world, identifier, "n5", key) == await join(world, identifier, "n5", key) == m.Joined(CLUSTER, "n5")

    check(test)


def test_a_token_does_not_take_the_name_of_a_node_that_exists() -> None:
    async def test(world: World) -> None:
        before = world.get("nodes", "n1")
        answer = await join(world, await token(world), "n1", keys.new_pair(world.rng).public)
        assert isinstance(answer, m.Refused) and answer.reason == "AlreadyExists" and not answer.retry
        assert world.get("nodes", "n1") == before

    check(test)


def test_a_token_that_expired_or_was_revoked_lets_nobody_in() -> None:
    async def test(world: World) -> None:
        short, revoked = await token(world, ttl_s=5), await token(world)
        public = tokens.read(world.store.get(tokens.ref(revoked).key).value).public_key
        assert world.dispatch.ring.admit_control(public, "") == f"join:{revoked}"
        await world.door.delete(USER, tokens.ref(revoked))
        await asyncio.sleep(6)
        assert world.dispatch.ring.admit_control(public, "") is None
        for identifier in (short, revoked):
            answer = await join(world, identifier, "n5", keys.new_pair(world.rng).public)
            assert isinstance(answer, m.Refused) and answer.reason == "Forbidden"

    check(test)


def test_a_token_is_good_for_joining_and_nothing_else() -> None:
    async def test(world: World) -> None:
        agent = await world.agent("n1", identity=f"join:{await token(world)}")
        assert isinstance(await agent.hello(), m.Refused)
        await agent.say(m.Heartbeat(1))
        await agent.expect(m.Refused)

    check(test)


def test_a_node_key_cannot_join_others() -> None:
    async def test(world: World) -> None:
        agent = await world.agent("n1")
        await agent.say(m.Join(m.PROTOCOL, "n7", keys.new_pair(world.rng).public))
        assert (await agent.expect(m.Refused)).reason == "Forbidden"

    check(test)


def test_deleting_a_node_revokes_its_key_and_ends_its_session() -> None:
    async def test(world: World) -> None:
        agent = await world.connected()
        key = world.get("nodes", "n1")["metadata"]["annotations"][AGENT_KEY]
        await world.door.delete(USER, Ref("nodes", "n1"))
        await world.until(lambda: world.dispatch.ring.admit_control(key, "") is None)
        await agent.beat()
        assert isinstance(await agent.expect(m.Refused), m.Refused)
        answer = await agent.hello()
        assert isinstance(answer, m.Refused) and answer.reason == "NotFound"

    check(test)
