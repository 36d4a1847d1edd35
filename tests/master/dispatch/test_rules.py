"""The pure rules of dispatch: status, liveness, sessions, keys, tokens, index."""

from __future__ import annotations

import msgspec
import pytest

from common.clock import SeededRng, rfc3339
from common.errors import Unavailable
from common.objects.pod import Pod
from common.wire import keys
from common.wire import messages as m
from master.api.contract import Stored
from master.dispatch import sessions, status, tokens
from master.dispatch.assignments import ConfigRef, HeldPod, held_pod
from master.dispatch.index import AGENT_KEY, Index
from master.dispatch.join import refusal
from master.dispatch.keyring import KeyRing
from master.dispatch.liveness import Liveness

NOW = 1_700_000_000.0
EARLIER, LATER = rfc3339(NOW - 60), rfc3339(NOW)


def condition(kind: str, state: str, **more: str) -> dict:
    return {"type": kind, "status": state, "lastTransitionTime": EARLIER, **more}


STORED = {"phase": "Pending", "qosClass": "Burstable", "conditions": [condition("PodScheduled", "True"), condition("Ready", "False")]}


def test_a_report_changes_what_it_says_and_leaves_the_rest() -> None:
    changed = status.pod_status(
        STORED, {"phase": "Running", "podIP": "10.1.0.2", "conditions": [condition("Ready", "True")], "nominatedNodeName": "evil"}, now=NOW
    )
    assert changed == {
        "phase": "Running", "podIP": "10.1.0.2",
        "conditions": [condition("PodScheduled", "True"), {**condition("Ready", "True"), "lastTransitionTime": LATER}],
    }  # fmt: skip


NOTHING = {
    "the same again": STORED,
    "only the times of conditions": {**STORED, "conditions": [{**condition("Ready", "False"), "lastTransitionTime": LATER}]},
    "a word about PodScheduled": {"conditions": [condition("PodScheduled", "False")]},
    "fields that are not an agent's": {"nominatedNodeName": "n9", "whatever": 1},
}


@pytest.mark.parametrize("reported", NOTHING.values(), ids=NOTHING.keys())
def test_a_report_that_changes_nothing(reported: dict) -> None:
    assert status.pod_status(STORED, reported, now=NOW) is None


def test_a_condition_whose_status_stays_keeps_its_time() -> None:
    changed = status.pod_status(STORED, {"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}, now=NOW)
    assert changed is not None and changed["conditions"][1]["lastTransitionTime"] == EARLIER


@pytest.mark.parametrize("phase", ["Running", "Pending", "Failed"])
def test_a_pod_that_succeeded_does_not_come_back(phase: str) -> None:
    assert status.pod_status({"phase": "Succeeded"}, {"phase": phase}, now=NOW) is None


def test_a_silent_node_knows_nothing_any_more() -> None:
    stored = {"conditions": [condition("Ready", "True", reason="KubeletReady"), condition("DiskPressure", "False")]}
    changed = status.node_silent(stored, now=NOW)
    assert changed is not None
    by_type = {c["type"]: c for c in changed["conditions"]}
    assert {c["status"] for c in by_type.values()} == {"Unknown"}
    assert by_type["Ready"]["reason"] == "NodeStatusUnknown" and by_type["Ready"]["lastTransitionTime"] == LATER
    assert by_type["Ready"]["message"] == "Kagent stopped posting node status."
    assert by_type["MemoryPressure"]["reason"] == "NodeStatusNeverUpdated"
    assert status.node_silent(changed, now=NOW + 9) is None


def test_a_pod_of_a_silent_node_is_not_ready() -> None:
    changed = status.pod_unready({"conditions": [condition("Ready", "True"), condition("PodScheduled", "True")]}, now=NOW)
    assert changed is not None and changed["conditions"][0]["status"] == "False"
    assert status.pod_unready(changed, now=NOW) is None
    assert status.pod_unready({}, now=NOW) is None


def test_an_agent_speaks_of_its_own_labels_only() -> None:
    labels = status.node_labels({"kubernetes.io/os": "linux"}, {
        "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64", "kubernetes.io/hostname": "other", "team": "evil",
    }, node="n1")  # fmt: skip
    assert labels == {"kubernetes.io/arch": "arm64", "kubernetes.io/hostname": "n1"}


def test_a_node_falls_silent_once_after_its_grace_and_speaks_again() -> None:
    live = Liveness(10)
    live.track("n1", 0)
    live.track("n2", 5)
    assert live.fell_silent(10) == []
    assert live.fell_silent(10.1) == ["n1"] and live.fell_silent(11) == []
    assert live.heard("n1", 12) and not live.heard("n1", 13)
    assert live.fell_silent(16) == ["n2"]
    live.forget("n2")
    assert not live.silent("n2")


def test_nobody_is_silent_because_the_master_slept() -> None:
    live = Liveness(10)
    live.track("n1", 0)
    live.woke(100)
    assert live.fell_silent(105) == []


def hello(**changes: object) -> m.Hello:
    return msgspec.structs.replace(m.Hello(m.PROTOCOL, "c", "n1", "i1", "0.1", b"{}"), **changes)


REFUSED = {
    "another node's key": (hello(), "node:n2", "Forbidden"),
    "a token": (hello(), "join:abcdef", "Forbidden"),
    "a user's key": (hello(), "user:n1", "Forbidden"),
    "a protocol of the future": (hello(protocol=m.PROTOCOL + 1), "node:n1", "BadRequest"),
    "a protocol long gone": (hello(protocol=m.PROTOCOL - 2), "node:n1", "BadRequest"),
    "another cluster": (hello(cluster="d"), "node:n1", "Conflict"),
}


@pytest.mark.parametrize(("said", "identity", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_hello_that_gets_no_session(said: m.Hello, identity: str, reason: str) -> None:
    refused = sessions.refusal(said, identity=identity, cluster="c")
    assert refused is not None and refused.reason == reason and not refused.retry


@pytest.mark.parametrize("protocol", [m.PROTOCOL, m.PROTOCOL - 1])
def test_a_hello_of_this_version_or_the_one_before_is_fine(protocol: int) -> None:
    assert sessions.refusal(hello(protocol=protocol), identity="node:n1", cluster="c") is None


def test_epochs_of_different_starts_never_meet() -> None:
    first, second = sessions.Sessions(), sessions.Sessions()
    first.started(1)
    second.started(2)
    epochs = [first.open("n1", peer=b"%d" % n, instance="i").epoch for n in range(3)]
    assert epochs == sorted(set(epochs)) and second.open("n1", peer=b"p", instance="i").epoch > epochs[-1]


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


TOKEN = keys.new_token(SeededRng(1))
ID = TOKEN[:6]


def secret(*, expires: float | None = NOW + 60, **changes: object) -> bytes:
    return msgspec.json.encode({**tokens.document(TOKEN, expires=expires), **changes})


def test_a_token_is_read_as_it_was_written() -> None:
    assert tokens.read(secret()) == tokens.Token(ID, keys.token_pair(TOKEN).public, NOW + 60)
    assert tokens.read(secret(expires=None)) == tokens.Token(ID, keys.token_pair(TOKEN).public, None)


NO_TOKEN = {
    "another type": secret(type="Opaque"),
    "another namespace": secret(metadata={"name": tokens.PREFIX + ID, "namespace": "default"}),
    "another name": secret(metadata={"name": tokens.PREFIX + "zzzzzz", "namespace": "kube-system"}),
    "being deleted": secret(metadata={"name": tokens.PREFIX + ID, "namespace": "kube-system", "deletionTimestamp": LATER}),
    "no data": secret(data={}),
    "data that is no base64": secret(data={"token-id": "%", "token-secret": "%"}),
    "an expiry that is no time": secret(data={**tokens.document(TOKEN, expires=None)["data"], "expiration": "dG9tb3Jyb3c="}),
    "not for authentication": secret(data={k: v for k, v in tokens.document(TOKEN, expires=None)["data"].items() if "usage" not in k}),
}


@pytest.mark.parametrize("document", NO_TOKEN.values(), ids=NO_TOKEN.keys())
def test_a_secret_without_a_usable_token(document: bytes) -> None:
    assert tokens.read(document) is None


def test_keys_admit_as_long_as_their_node_or_token_stands() -> None:
    ring = KeyRing(Clock())
    with pytest.raises(Unavailable):
        ring.admit_control("K1", "")  # not refused: nobody has read yet whose it is
    ring.complete = True
    ring.set_node("n1", "K1")
    ring.set_token("abcdef", tokens.Token("abcdef", "T1", NOW + 1))
    ring.set_token("ghijkl", tokens.Token("ghijkl", "T2", NOW))
    assert ring.admit_control("K1", "") == "node:n1" == ring.admit_stream("K1", "")
    assert ring.admit_control("T1", "") == "join:abcdef" and ring.admit_stream("T1", "") is None
    assert ring.admit_control("T2", "") is None and ring.admit_control("?", "") is None
    ring.set_node("n1", "K2")
    ring.set_token("abcdef", None)
    assert ring.admit_control("K1", "") is None and ring.admit_control("T1", "") is None
    ring.set_node("n9", "K2")
    assert ring.admit_control("K2", "") == "node:n1"


KEY = keys.new_pair(SeededRng(2)).public
BAD_JOINS = {
    "a name with capitals": m.Join(m.PROTOCOL, "Node1", KEY),
    "a name with a slash": m.Join(m.PROTOCOL, "a/b", KEY),
    "no name": m.Join(m.PROTOCOL, "", KEY),
    "a name of 254": m.Join(m.PROTOCOL, "a" * 254, KEY),
    "no key": m.Join(m.PROTOCOL, "n1", "short"),
    "a protocol of the future": m.Join(m.PROTOCOL + 1, "n1", KEY),
}


@pytest.mark.parametrize("join", BAD_JOINS.values(), ids=BAD_JOINS.keys())
def test_a_join_that_is_wrong_in_itself(join: m.Join) -> None:
    assert refusal(join) is not None


def pod_at(name: str, *, node: str = "n1", uid: str = "", revision: int = 1, **more: object) -> HeldPod:
    spec = {"nodeName": node, "containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]}
    value = msgspec.json.encode({"metadata": {"name": name, "namespace": "d", "uid": uid or name}, "spec": spec, **more})
    return held_pod(msgspec.json.decode(value, type=Pod), Stored(value, revision))


def test_the_index_follows_pods_from_binding_to_end() -> None:
    index, ref = Index(), ConfigRef("Secret", "d", "s")
    assert index.set_pod("pods/d/a", pod_at("a", node="")) == []
    assert index.set_pod("pods/d/a", pod_at("a", revision=2)) == ["n1"]
    assert index.naming(ref) == ["n1"] and index.configs_of("n1") == [ref]
    assert index.set_pod("pods/d/a", pod_at("a", revision=3, status={"phase": "Running"})) == []
    assert index.pods_of("n1")["a"].generation == 3
    assert index.set_pod("pods/d/a", pod_at("a", node="n2", uid="other", revision=4)) == ["n1", "n2"]
    assert not index.pods_of("n1") and index.pod("a") is None
    assert index.set_pod("pods/d/a", None) == ["n2"]
    assert index.naming(ref) == [] and index.set_pod("pods/d/a", None) == []


def test_the_index_knows_the_nodes_addresses() -> None:
    index = Index()
    node = {"metadata": {"name": "n1", "uid": "u", "annotations": {AGENT_KEY: "K"}}, "spec": {"podCIDR": "10.244.0.0/24"}}
    node["status"] = {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}
    index.set_node("n2", Stored(b'{"metadata":{"name":"n2"}}', 1))
    assert index.set_node("n1", Stored(msgspec.json.encode(node), 2))[1] is not None
    assert index.peers() == (m.Peer("n1", "10.0.0.1", "10.244.0.0/24"),)
