"""The node's network: what is written for CNI, which routes are made and removed, what is masqueraded."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from agent.network import cni, host_ports, masquerade, routes
from agent.network.host_ports import HostPort
from common.objects.pod import Pod
from common.wire.messages import Peer
from tests.agent import pods


def test_the_cni_configuration_is_written_once(tmp_path: Path) -> None:
    content = cni.configuration("10.244.3.0/24", bridge="steer0", mtu=1400)
    assert cni.write(tmp_path / "net.d", content)
    assert not cni.write(tmp_path / "net.d", content)
    (plugin,) = json.loads((tmp_path / "net.d" / cni.FILE).read_text())["plugins"]
    assert (plugin["bridge"], plugin["mtu"], plugin["ipam"]["ranges"]) == ("steer0", 1400, [[{"subnet": "10.244.3.0/24"}]])
    assert [path.name for path in (tmp_path / "net.d").iterdir()] == [cni.FILE]


@pytest.mark.parametrize("cidr", ["", "10.244.3.0", "10.244.3.1/24", "ten"])
def test_a_bad_cidr_is_refused(cidr: str) -> None:
    if cidr == "10.244.3.0":
        assert cni.configuration(cidr, bridge="b")  # one address is a network, too
    else:
        with pytest.raises(ValueError):
            cni.configuration(cidr, bridge="b")


PEERS = [
    Peer("b", "192.0.2.2", "10.244.2.0/24"),
    Peer("c", "192.0.2.3", "10.244.3.0/24"),
    Peer("new", "", ""),
    Peer("bad", "192.0.2.4; reboot", "10.244.4.0/24"),
    Peer("six", "2001:db8::1", "10.244.5.0/24"),
    Peer("self", "192.0.2.1", "10.244.1.0/24"),
]


def test_routes_lead_to_the_other_nodes_pods() -> None:
    want, refused = routes.wanted(PEERS, own_cidr="10.244.1.0/24")
    assert want == {"10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "192.0.2.3"}
    assert [words.partition(":")[0] for words in refused] == ["bad", "six"]


@pytest.mark.parametrize(
    ("have", "lines"),
    [
        pytest.param({}, ["route replace 10.0.1.0/24 via 192.0.2.2 proto 211"], id="missing: made"),
        pytest.param({"10.0.1.0/24": "192.0.2.2"}, [], id="there: nothing"),
        pytest.param({"10.0.1.0/24": "192.0.2.9"}, ["route replace 10.0.1.0/24 via 192.0.2.2 proto 211"], id="elsewhere: moved"),
        pytest.param({"10.0.1.0/24": "192.0.2.2", "10.0.9.0/24": "192.0.2.9"}, ["route del 10.0.9.0/24 proto 211"], id="stale: removed"),
    ],
)
def test_only_differences_are_changed(have: dict, lines: list[str]) -> None:
    assert routes.plan({"10.0.1.0/24": "192.0.2.2"}, have) == lines


def test_what_the_kernel_lists_is_understood() -> None:
    listing = '[{"dst":"10.0.1.0/24","gateway":"192.0.2.2","dev":"eth0","flags":[]}]'
    assert routes.present(listing) == {"10.0.1.0/24": "192.0.2.2"}
    assert routes.present("") == {}


def test_only_what_leaves_the_cluster_is_masqueraded() -> None:
    text = masquerade.rules("10.0.1.0/24", ["10.0.2.0/24"], bridge="steer-0")
    assert "table ip steersman_steer_0" in text
    assert "elements = { 10.0.1.0/24, 10.0.2.0/24 }" in text
    assert 'ip saddr 10.0.1.0/24 ip daddr != @pods oifname != "steer-0" masquerade' in text


def with_ports(*ports: dict, **spec: object) -> Pod:
    return msgspec.convert(pods.document(containers=[pods.container("app", ports=list(ports))], **spec), Pod)


def test_a_pods_host_ports_lead_to_its_address() -> None:
    pod = with_ports(
        {"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "192.0.2.7"},
        {"containerPort": 9000}, {"containerPort": 81, "hostPort": 8081, "hostIP": "0.0.0.0"},
    )  # fmt: skip
    assert host_ports.of(pod, "10.0.1.4") == (
        HostPort("tcp", 8080, "", "10.0.1.4", 80), HostPort("tcp", 8081, "", "10.0.1.4", 81), HostPort("udp", 53, "192.0.2.7", "10.0.1.4", 53),
    )  # fmt: skip
    assert host_ports.of(pod, "") == ()
    assert host_ports.of(with_ports({"containerPort": 80, "hostPort": 80}, hostNetwork=True), "10.0.1.4") == ()


def test_a_port_of_one_address_comes_before_those_of_all() -> None:
    text = host_ports.rules([HostPort("tcp", 80, "", "10.0.1.4", 80), HostPort("tcp", 80, "192.0.2.7", "10.0.1.5", 8080)], "10.0.1.0/24", bridge="steer-0")
    assert "table ip steersman_steer_0_ports" in text
    lines = [line.strip() for line in text.splitlines() if "dnat to" in line]
    assert lines == ["ip daddr 192.0.2.7 tcp dport 80 dnat to 10.0.1.5:8080", "tcp dport 80 dnat to 10.0.1.4:80"]


@pytest.mark.parametrize("port", [HostPort("tcp; drop", 80, "", "10.0.1.4", 80), HostPort("tcp", 80, "x", "10.0.1.4", 80), HostPort("udp", 1, "", "::1", 1)])
def test_what_is_no_address_or_protocol_is_never_pasted(port: HostPort) -> None:
    assert "dnat" not in host_ports.rules([port], "10.0.1.0/24", bridge="b").replace("ct status dnat", "")
