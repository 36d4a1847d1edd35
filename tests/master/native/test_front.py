"""The native front: kctl's own client against the real door, over the transport in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from common.aio.tasks import TaskGroup
from common.errors import BadRequest, Conflict, Expired, Forbidden, Invalid, NotFound, Timeout, TooManyRequests, Unavailable
from common.wire import codec, messages
from ctl import client as client_module
from ctl.objects import PAGE, Objects, selection
from master.native.front import CALLS_PER_PEER, Settings
from tests.master.native.native import ADMIN, Native, front_over, serve

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}


async def first(count: int, events: AsyncGenerator[dict, None]) -> list[dict]:
    found: list[dict] = []
    async for event in events:
        found.append(event)
        if len(found) == count:
            break
    await events.aclose()
    return found


def config(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_objects_are_made_read_changed_and_deleted() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        made = await objects.create("cm", "default", MAP)
        assert made["metadata"]["namespace"] == "default"
        await objects.patch("configmaps", "c", "default", {"data": {"b": "2"}})
        assert (await objects.get("ConfigMap", "c", "default"))["data"] == {"a": "1", "b": "2"}
        listed = await objects.list("configmaps", "default", form="table")
        assert [row["cells"][:2] for row in listed["rows"]] == [["c", 2]]
        with pytest.raises(Conflict):
            await objects.update("configmaps", "c", "default", made)
        applied, new = await objects.apply("configmaps", "d", "default", config("d"))
        assert new and applied["metadata"]["managedFields"][0]["manager"] == "kctl"
        assert (await objects.delete("configmaps", "c", "default"))["status"] == "Success"
        with pytest.raises(NotFound, match='configmaps "c" not found'):
            await objects.get("configmaps", "c", "default")

    serve(use)


def test_a_watch_brings_changes_until_its_end() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        after = int((await objects.list("configmaps"))["metadata"]["resourceVersion"])
        await objects.create("configmaps", "default", MAP)
        await objects.delete("configmaps", "c", "default")
        seen = await first(2, objects.watch("configmaps", after=after))
        assert [(e["type"], e["object"]["metadata"]["name"]) for e in seen] == [("ADDED", "c"), ("DELETED", "c")]
        tables = [event["object"] for event in await first(2, objects.watch("configmaps", after=after, form="table"))]
        assert [table["rows"][0]["cells"][:2] for table in tables] == [["c", 1], ["c", 1]]
        assert [event async for event in objects.watch("configmaps", after=here.door.views.revision, timeout_s=0.1)] == []

    serve(use)


def test_a_watch_goes_on_where_it_was_when_the_master_is_started_anew() -> None:
    said: list[str] = []

    async def use(here: Native) -> None:
        objects = Objects(here.client, told=said.append)
        await objects.create("configmaps", "default", config("one"))
        seen: list[str] = []
        async with TaskGroup() as group:

            async def follow() -> None:
                async for event in objects.watch("configmaps", "default"):
                    seen.append(event["object"]["metadata"]["name"])
                    if "three" in seen:
                        return

            following = group.start(follow())
            while "one" not in seen:
                await asyncio.sleep(0.01)
            here.network.crash("control")
            await here.door.create(ADMIN, "configmaps", "default", config("two"))
            again = group.start(front_over(here.door, here.node, here.network).run())
            while "two" not in seen:
                await asyncio.sleep(0.01)
            await here.door.create(ADMIN, "configmaps", "default", config("three"))
            await following
            again.cancel()
        assert seen == ["one", "two", "three"]

    serve(use)
    assert len(said) == 2 and "broke off" in said[0] and "goes on" in said[1]


def test_a_master_that_is_silent_is_told_once_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_S", 1.0)
    monkeypatch.setattr(client_module, "ASK_AGAIN_S", 0.2)
    said: list[str] = []

    async def use(here: Native) -> None:
        objects = Objects(here.client, told=said.append)
        await objects.create("configmaps", "default", config("one"))
        here.node.goes_on = True
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "a", "image": "i"}]}}
        await objects.create("pods", "default", pod)
        status = {"containerStatuses": [{"name": "a", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}]}
        await objects.patch("pods", "p", "default", {"status": status}, subresource="status")
        here.node.chunks = [b"one\n"]
        seen: list[str] = []

        async def follow() -> None:
            async for event in objects.watch("configmaps", "default"):
                seen.append(event["object"]["metadata"]["name"])
                if len(seen) == 2:
                    return

        async def read() -> None:
            with pytest.raises((Timeout, Unavailable), match="no answer from the master at memory within 1 s|does not know this call"):
                async for _ in objects.log("p", "default", {"follow": "true"}):
                    pass

        async with TaskGroup() as group:
            following, reading = group.start(follow()), group.start(read())
            while not seen or not here.node.asked:
                await asyncio.sleep(0.01)
            here.network.crash("control")
            await reading
            with pytest.raises(Timeout, match="no answer from the master"):
                await here.client.call("version")
            again = group.start(front_over(here.door, here.node, here.network).run())
            await here.door.create(ADMIN, "configmaps", "default", config("two"))
            await following
            again.cancel()
        assert seen == ["one", "two"]

    serve(use)
    assert len(said) == 2 and "no answer" in said[0] and said[1] == "the watch goes on"


def test_a_watch_says_why_it_cannot_go_on() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        for number in range(5):
            await objects.create("configmaps", "default", config(f"c{number}"))
        newest = here.door.views.revision
        await here.door._store.compact(newest)
        with pytest.raises(Expired, match="cannot go on after revision 2, because what happened since is no longer kept"):
            async for _ in objects.watch("configmaps", after=2):
                pass

    serve(use)


def test_what_is_larger_than_a_message_comes_whole_and_a_list_in_pages() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        for number in range(12):
            await objects.create("configmaps", "default", config(f"c{number:02}", text=f"{number}" * 500_000))
        whole = await objects.list("configmaps", "default")
        assert sum(len(item["data"]["text"]) for item in whole["items"]) > codec.MAX_BYTES
        pages = [page async for page in objects.pages("configmaps", "default", limit=5)]
        assert [len(page["items"]) for page in pages] == [5, 5, 2]
        assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1

    serve(use)


def test_a_list_whose_revision_is_forgotten_on_the_way_is_made_anew() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        for number in range(PAGE + 10):
            await here.door.create(ADMIN, "configmaps", "default", config(f"c{number:04}"))
        asked = objects._ask

        async def forgetful(verb: str, resource: str, **about: Any) -> tuple[int, dict]:
            if "continue" in about["query"]:
                await here.door.create(ADMIN, "configmaps", "default", config("late"))
                await here.door._store.compact(here.door.views.revision)
            return await asked(verb, resource, **about)

        objects._ask = forgetful  # type: ignore[method-assign]
        listed = (await objects.list("configmaps", "default"))["items"]
        assert len(listed) == PAGE + 11 and len({item["metadata"]["name"] for item in listed}) == PAGE + 11

    serve(use)


def test_who_takes_nothing_is_given_up_and_holds_up_nobody() -> None:
    async def use(here: Native) -> None:
        connection = await here.network.dialer("slow", "user:kubernetes-admin").dial("control")
        objects = Objects(here.client)
        await objects.create("configmaps", "default", config("big", text="x" * 500_000))
        await connection.send(codec.encode(messages.Call(1, "get", {"resource": "cm", "name": "big", "namespace": "default"})))
        got = [codec.decode(await connection.receive(), messages.NATIVE_FROM_MASTER) for _ in range(1)]
        assert isinstance(got[0], messages.Reply) and not got[0].end
        assert (await objects.get("configmaps", "big", "default"))["data"]
        ended = codec.decode(await connection.receive(), messages.NATIVE_FROM_MASTER)
        assert isinstance(ended, messages.End) and (ended.reason, ended.message) == ("Timeout", "the client took nothing for 1 s")
        await connection.close()

    serve(use, Settings(stall_s=1.0))


def test_a_watch_ends_with_its_client() -> None:
    async def use(here: Native) -> None:
        async with here.as_user("user:kubernetes-admin", "phone") as phone:
            async with phone.asking("watch", resource="pods"):
                assert len(here.front._running) == 1
            while here.front._running:
                await asyncio.sleep(0.01)  # it said so
            connection = await here.network.dialer("lost", "user:kubernetes-admin").dial("control")
            await connection.send(codec.encode(messages.Call(1, "watch", {"resource": "pods"})))
            await connection.receive()
            await connection.close()
            while here.front._running:
                await asyncio.sleep(0.01)  # nobody said anything

    serve(use, Settings(look_s=0.05))


def test_a_log_comes_as_it_is_written_and_what_breaks_it_is_said() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"nodeName": "n", "containers": [{"name": "a", "image": "i"}]},
        }  # fmt: skip
        await objects.create("pods", "default", pod)
        with pytest.raises(BadRequest, match='container "a" in pod "p" is waiting to start: ContainerCreating'):
            [chunk async for chunk in objects.log("p", "default", {})]
        status = {"containerStatuses": [{"name": "a", "image": "i", "imageID": "", "ready": True, "restartCount": 0, "state": {"running": {}}}]}
        await objects.patch("pods", "p", "default", {"status": status}, subresource="status")
        here.node.chunks = [b"one\n", b"two\n"]
        assert b"".join([chunk async for chunk in objects.log("p", "default", {"tailLines": "2"})]) == b"one\ntwo\n"
        assert here.node.asked[0][1].tail_lines == 2
        here.node.chunks = [b"one\n", Unavailable("the node is lost")]
        heard = []
        with pytest.raises(Unavailable, match="the node is lost"):
            async for chunk in objects.log("p", "default", {}):
                heard.append(chunk)
        assert heard == [b"one\n"]
        here.node.chunks = [NotFound("there is no such log")]
        with pytest.raises(NotFound, match="there is no such log"):
            [chunk async for chunk in objects.log("p", "default", {})]

    serve(use)


def test_warnings_come_along_each_once() -> None:
    said: list[str] = []

    async def use(here: Native) -> None:
        objects = Objects(here.client, warned=said.append)
        about = {"resource": "cm", "namespace": "default", "query": {"fieldValidation": "Warn"}}
        await objects._ask("create", body=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"dataa":{}}', **about)
        await objects._ask("create", body=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"dataa":{}}', **about)

    serve(use)
    assert said == ['unknown field "dataa"']


def test_errors_come_back_as_what_they_were() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        with pytest.raises(BadRequest, match="unknown method"):
            await here.client.call("explode")
        with pytest.raises(BadRequest, match="unknown field"):
            await here.client.call("get", resource="pods", name="x", colour="red")
        with pytest.raises(NotFound, match="doesn't have a resource type"):
            await objects.list("unicorns")
        with pytest.raises(Invalid) as caught:
            await objects.create("cm", "default", {**MAP, "metadata": {"name": "A B"}})
        assert caught.value.causes[0].field == "metadata.name"
        with pytest.raises(BadRequest, match="unknown field"):
            await objects.create("cm", "default", {**MAP, "dataa": {}})

    serve(use)


def test_too_many_calls_at_once_are_refused_and_end_nothing() -> None:
    async def use(here: Native) -> None:
        async with TaskGroup() as group:
            begun = 0

            async def hold() -> None:
                nonlocal begun
                async with here.client.asking("watch", resource="pods") as answer:
                    begun += 1
                    await answer.body()

            holding = [group.start(hold()) for _ in range(CALLS_PER_PEER)]
            while begun < CALLS_PER_PEER:
                await asyncio.sleep(0.01)
            with pytest.raises(TooManyRequests, match="too many calls at once"):
                await here.client.call("version")
            holding.pop().cancel()
            while len(here.front._running) == CALLS_PER_PEER:
                await asyncio.sleep(0.01)
            assert await here.client.call("version")
            for task in holding:
                task.cancel()

    serve(use)


def test_what_a_request_says_of_itself_is_bounded() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        for query in ({"labelSelector": "a=b," * 10_000}, {str(n): "" for n in range(20_000)}):
            with pytest.raises(BadRequest, match="may have 16384 characters in all"):
                await objects.list("pods", query=query)
        with pytest.raises(BadRequest, match="may have 16384 characters in all"):
            await objects.get("pods", "x" * 100_000, "default")
        async with here.as_user("user:kubernetes-admin", user="bob", groups=tuple(map(str, range(100)))) as bob:
            with pytest.raises(BadRequest, match="may name 64 groups"):
                await bob.call("version")

    serve(use)


def test_resources_go_by_all_their_names() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        for word in ("deploy", "Deployments", "deployments.apps", "deployment.v1.apps"):
            assert (await objects.list(word))["kind"] == "DeploymentList"
        assert (await objects.list("events.v1.events.k8s.io"))["apiVersion"] == "events.k8s.io/v1"
        with pytest.raises(NotFound, match='a resource type "deployments.batch"'):
            await objects.list("deployments.batch")

    serve(use)


def test_why_tells_who_deleted_it_also_when_it_is_gone() -> None:
    async def use(here: Native) -> None:
        objects = Objects(here.client)
        await objects.create("cm", "default", MAP)
        await objects.delete("cm", "c", "default")
        steps = (await here.client.call("why", resource="configmap", name="c", namespace="default"))["steps"]
        assert (steps[0]["object"], steps[0]["verb"], steps[0]["actor"]) == ("configmap/c", "deleted", "kubernetes-admin")

    serve(use)


def test_a_hosts_key_opens_nothing_here() -> None:
    async def use(here: Native) -> None:
        async with here.as_user("node:host-1") as client:
            with pytest.raises(Forbidden, match="only users' keys may"):
                await Objects(client).list("secrets")

    serve(use)


def test_tokens_are_made_and_revoked_where_they_are_wired() -> None:
    async def use(here: Native) -> None:
        assert (await here.client.call("token-create", ttl_s=60, description="d"))["join"] == "60 d"
        with pytest.raises(BadRequest, match="cannot expire before it is made"):
            await here.client.call("token-create", ttl_s=-1)
        with pytest.raises(NotFound):
            await here.client.call("token-delete", id="x")

    serve(use)


def test_rights_are_those_of_the_key_s_user() -> None:
    async def use(here: Native) -> None:
        async with here.as_user("user:alice") as alice:
            with pytest.raises(Forbidden, match='configmaps is forbidden: User "alice" cannot list resource "configmaps" in API group "" at the cluster scope'):
                await Objects(alice).list("configmaps")
            with pytest.raises(Forbidden, match='users "bob" is forbidden: User "alice" cannot impersonate resource "users"'):
                await alice.call("user-create", name="bob")
            assert (await alice.call("version"))["user"] == "alice"

    serve(use)


def test_acting_as_somebody_takes_the_right_to() -> None:
    async def use(here: Native) -> None:
        async with here.as_user("user:kubernetes-admin", user="bob", groups=("dev",)) as bob:
            assert (await bob.call("version"))["user"] == "bob"
            with pytest.raises(Forbidden, match='User "bob" cannot list resource "pods"'):
                await Objects(bob).list("pods", query=selection(labels="a=b"))
        async with here.as_user("user:alice", user="kubernetes-admin") as alice:
            with pytest.raises(Forbidden, match='users "kubernetes-admin" is forbidden: User "alice" cannot impersonate resource "users"'):
                await alice.call("version")

    serve(use)


def test_credentials_for_people_are_made_where_they_are_wired() -> None:
    async def use(here: Native) -> None:
        assert (await here.client.call("user-create", name="bob", groups=["dev"]))["kubeconfig"] == "bob dev"

    serve(use)


def test_calls_are_told_of_when_one_asks(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "master.native.objects")

    async def use(here: Native) -> None:
        objects = Objects(here.client)
        await objects.create("cm", "default", MAP)
        await objects.apply("configmaps", "c", "default", MAP)
        with pytest.raises(NotFound):
            await objects.get("deploy", "absent", "default")
        await first(1, objects.watch("configmaps", "default", after=0))

    serve(use)
    said = [record.getMessage() for record in caplog.records if record.name == "master.native.objects"]
    assert [line for line in said if "verb=list" not in line] == [
        "request verb=create resource=configmaps named=False media=- code=201 agent=kctl",
        "request verb=patch resource=configmaps named=True media=application/apply-patch+yaml code=200 agent=kctl",
        "request verb=get resource=deployments.apps named=True media=- code=404 agent=kctl",
        "request verb=watch resource=configmaps named=False media=- code=200 agent=kctl",
    ]
