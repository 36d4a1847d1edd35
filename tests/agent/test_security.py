"""What securityContext, hostAliases, subdomain and dnsConfig become, in tables."""

from __future__ import annotations

import pytest

from agent.lifecycle import life, names, security, specs
from agent.lifecycle.life import ContainerLife, Host, PodLife
from agent.runtime.contract import Dns, Security
from tests.agent import pods
from tests.agent.test_lifecycle import after, sandbox

HOST = Host(hosts="127.0.0.1 localhost host-1\n", dns=Dns(("192.0.2.53",), ("corp.example",), ("ndots:2",)))


def of(pod: dict, container: dict) -> Security:
    made = pods.view(pods.document(securityContext=pod, containers=[pods.container("app", securityContext=container)]))
    return security.of(made, made.spec.containers[0], profile_root="/profiles")


@pytest.mark.parametrize(
    ("pod", "container", "expected"),
    [
        pytest.param({}, {}, Security(), id="nothing asked"),
        pytest.param({"runAsUser": 1, "runAsGroup": 2}, {}, Security(user=1, group=2), id="the pod's user and group"),
        pytest.param({"runAsUser": 1}, {"runAsUser": 3}, Security(user=3), id="the container's word before the pod's"),
        pytest.param({"runAsUser": 1}, {"runAsUser": 0}, Security(user=0), id="root is a word, too"),
        pytest.param({"fsGroup": 7, "supplementalGroups": [5, 7]}, {}, Security(groups=(5, 7)), id="groups, each once"),
        pytest.param({}, {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL", "cap_chown"]}}, Security(add=("NET_ADMIN",), drop=("ALL", "CHOWN")),
                     id="capabilities, with or without their prefix"),
        pytest.param({}, {"allowPrivilegeEscalation": False}, Security(no_new_privileges=True), id="no new privileges"),
        pytest.param({}, {"allowPrivilegeEscalation": True}, Security(), id="the default, said"),
        pytest.param({}, {"privileged": True, "readOnlyRootFilesystem": True}, Security(privileged=True, read_only_root=True), id="privileged"),
        pytest.param({"seccompProfile": {"type": "RuntimeDefault"}}, {}, Security(seccomp="RuntimeDefault"), id="the runtime's seccomp profile"),
        pytest.param({"seccompProfile": {"type": "RuntimeDefault"}}, {"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b.json"}},
                     Security(seccomp="/profiles/a/b.json"), id="a profile of the host"),
        pytest.param({}, {"procMount": "Unmasked"}, Security(unmasked=True), id="all of /proc"),
    ],
)  # fmt: skip
def test_a_security_context(pod: dict, container: dict, expected: Security) -> None:
    assert of(pod, container) == expected


@pytest.mark.parametrize(
    ("asked", "image_user", "words"),
    [
        pytest.param({}, "", "", id="not asked: root is fine"),
        pytest.param({"runAsNonRoot": True, "runAsUser": 5}, "", "", id="a user that is not root"),
        pytest.param({"runAsNonRoot": True}, "1000", "", id="the image's user is not root"),
        pytest.param({"runAsNonRoot": True}, "", "container has runAsNonRoot and image will run as root", id="the image's user is root"),
        pytest.param({"runAsNonRoot": True, "runAsUser": 0}, "1000", "container's runAsUser breaks non-root policy", id="root is asked for"),
        pytest.param({"runAsNonRoot": True}, "nobody", "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root",
                     id="a name tells nothing"),
    ],
)  # fmt: skip
def test_run_as_non_root(asked: dict, image_user: str, words: str) -> None:
    document = pods.document(containers=[pods.container("app", securityContext=asked)])
    memory = PodLife(live=True, containers={"app": ContainerLife(image_id="sha256:x", image_user=image_user)})
    forward = after(document, [sandbox()], memory)
    if not words:
        assert isinstance(forward.action, life.CreateContainer)
        return
    waiting = forward.life.of("app").waiting
    assert forward.action is None and waiting is not None
    assert (waiting.reason, waiting.message) == ("CreateContainerConfigError", f'{words} (pod: "web_default(uid-web)", container: app)')
    assert [note.message for note in forward.notes] == [f"Error: {waiting.message}"]


@pytest.mark.parametrize(
    ("name", "spec", "words"),
    [
        pytest.param("net.ipv4.ip_local_port_range", {}, "", id="the pod's own"),
        pytest.param("kernel.msgmax", {}, 'forbidden sysctl: "kernel.msgmax" not allowlisted', id="of the host"),
        pytest.param("net.ipv4.tcp_syncookies", {"hostNetwork": True},
                     'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled', id="the host's network"),
    ],
)  # fmt: skip
def test_a_sysctl(name: str, spec: dict, words: str) -> None:
    document = pods.document(securityContext={"sysctls": [{"name": name, "value": "1"}]}, **spec)
    forward = after(document, [])
    if not words:
        assert isinstance(forward.action, life.CreateSandbox) and forward.action.spec.sysctls == {name: "1"}
        return
    assert forward.life.finished == "Failed" and forward.life.ended_for == life.Waiting("SysctlForbidden", words)


def hosts(**spec: object) -> str:
    made = names.hosts_file(pods.view(pods.document(**spec)), ip="10.0.0.5", host=HOST)
    return made.decode() if made is not None else ""


def test_the_hosts_file_names_the_pod_and_its_aliases() -> None:
    assert hosts().startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n") and hosts().endswith("\n10.0.0.5\tweb\n")
    assert hosts(hostname="db", subdomain="inner").endswith("\n10.0.0.5\tdb.inner.default.svc.cluster.local\tdb\n")
    aliases = [{"ip": "192.0.2.1", "hostnames": ["foo.local", "bar.local"]}]
    assert hosts(hostAliases=aliases).endswith("\n\n# Entries added by HostAliases.\n192.0.2.1\tfoo.local\tbar.local\n")
    assert hosts(hostNetwork=True) == "", "the host's own"
    shared = hosts(hostNetwork=True, hostAliases=aliases)
    assert shared.startswith("# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost host-1\n") and "foo.local" in shared


def test_a_hosts_file_of_the_pods_own_is_left_alone() -> None:
    mounts = [{"name": "mine", "mountPath": "/etc/hosts", "subPath": "hosts"}]
    made = pods.view(pods.document(containers=[pods.container("app", volumeMounts=mounts)]))
    spec = specs.container(made, made.spec.containers[0], attempt=0, image="i", env={}, ip="10.0.0.5", host=HOST)
    assert [mount.container_path for mount in spec.mounts] == ["/dev/termination-log"]


def test_a_hostname() -> None:
    assert names.hostname(pods.view(pods.document(name="x" * 70))) == "x" * 63
    full = pods.view(pods.document(subdomain="inner", setHostnameAsFQDN=True))
    assert names.hostname(full) == "web.inner.default.svc.cluster.local"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, None, id="nothing asked: the host's"),
        pytest.param({"dnsPolicy": "Default"}, None, id="the host's, said"),
        pytest.param({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "5"}, {"name": "rotate"}]}},
                     Dns(("1.1.1.1",), ("a.b",), ("ndots:5", "rotate")), id="the pod's alone"),
        pytest.param({"dnsPolicy": "Default", "dnsConfig": {"nameservers": ["1.1.1.1", "192.0.2.53", "2.2.2.2", "3.3.3.3"], "options": [{"name": "ndots", "value": "9"}]}},
                     Dns(("192.0.2.53", "1.1.1.1", "2.2.2.2"), ("corp.example",), ("ndots:9",)), id="merged, three servers at most"),
    ],
)  # fmt: skip
def test_a_resolver(spec: dict, expected: Dns | None) -> None:
    assert names.dns(pods.view(pods.document(**spec)), HOST) == expected


def test_a_resolver_is_read_from_the_hosts_file() -> None:
    text = "# comment\nnameserver 192.0.2.1\nnameserver 192.0.2.2 # second\nsearch a b\nsearch c\noptions ndots:1 rotate\nnonsense\n"
    assert names.resolver(text) == Dns(("192.0.2.1", "192.0.2.2"), ("c",), ("ndots:1", "rotate"))
